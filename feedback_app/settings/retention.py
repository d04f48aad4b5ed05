"""`[retention]`: how long the ledger keeps what is done with.

Annotations are read at run time by pydantic, so they are not postponed here.
"""

from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from feedback_app.settings.durations import format_duration, parse_duration
from feedback_app.settings.rules import RuleError
from feedback_app.settings.values import Table

FOREVER = "forever"
_DAY = 86_400.0  # seconds
_LONGEST = 36_600 * _DAY
_SHORTEST = 7  # days; bounces, and questions of customers, come within a week
_SHORTEST_OF_RATINGS = 30  # days; brokers deliver again, and files are imported again, within a month


def _parse(text: object) -> float | None:
    if text is None or text == FOREVER:
        return None
    try:
        return parse_duration(text, _LONGEST)
    except ValueError:
        raise ValueError(f'must be a length of time such as "90d", at most 36600d, or "{FOREVER}"') from None


def shown(period: float | None) -> str:
    """Write a period, in seconds or None, in the form of the file."""
    return FOREVER if period is None else format_duration(period)


def _at_least(days: int) -> AfterValidator:
    def check(period: float | None) -> float | None:
        if period is not None and period < days * _DAY:
            raise RuleError(f'must be at least {days}d, or "{FOREVER}"')
        return period

    return AfterValidator(check)


_Period = Annotated[
    float | None,  # seconds; None: for ever
    BeforeValidator(_parse),
    _at_least(_SHORTEST),
    PlainSerializer(shown, return_type=str),
    WithJsonSchema({"type": "string", "examples": [FOREVER, "90d", "3650d"]}),
]


class RetentionSettings(Table):
    """How long each kind of thing is kept once it is done with; what waits for somebody is never deleted."""

    attempts: _Period = Field(default=None)  # since the try; they go with their message at the latest
    messages: _Period = Field(default=None)  # sent and suppressed ones, since then
    dead_messages: _Period = Field(default=None)  # since they were given up
    low_ratings: _Period = Field(default=None)  # since they were resolved
    ratings: Annotated[_Period, _at_least(_SHORTEST_OF_RATINGS)] = Field(default=None)  # since they arrived
    reports: _Period = Field(default=None)  # what was archived of them, since they were made
    dead_letters: _Period = Field(default=None)  # of sources, since they came

    @field_validator("ratings")
    @classmethod
    def _are_kept_with_their_messages(cls, ratings: float | None, info: ValidationInfo) -> float | None:
        messages = info.data.get("messages", 0.0)
        if ratings is not None and (messages is None or messages > ratings):
            hint = "a rating is kept as long as its message"
            raise RuleError(f"must not be shorter than messages ({shown(messages)})", hint=hint)
        return ratings
