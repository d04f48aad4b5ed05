"""What a key of the configuration may hold, and the table that it stands in.

Annotations are read at run time by pydantic, so they are not postponed here.
"""

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from feedback_app.settings import rules
from feedback_app.settings.durations import format_duration, parse_duration


def plain(number: float) -> float:
    """Return a whole number as one."""
    return int(number) if number.is_integer() else number


Name = Annotated[str, AfterValidator(rules.name)]
Names = Annotated[tuple[Name, ...], Field(strict=False), AfterValidator(rules.unique)]  # TOML has lists
PathText = Annotated[str, AfterValidator(rules.path_text)]
Workers = Annotated[int, Field(ge=1, le=1000)]
Number = Annotated[
    float,
    Field(ge=-1_000_000, le=1_000_000, allow_inf_nan=False),
    PlainSerializer(plain, return_type=int | float),
]
Duration = Annotated[
    float,  # seconds
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["500ms", "30s", "1h30m"]}),
]


def within(lowest: str, highest: str) -> AfterValidator:
    """Return the bounds of a Duration, both included."""
    return AfterValidator(rules.between(lowest, highest))


class Table(BaseModel):
    """A table of the configuration: no unknown keys, no guessing of types."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
