"""What the settings of all sources share: a name, and which key is which field."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

SourceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=63)]


def _as_text(value: object) -> object:
    """Let a number be written without quotes: `set = { rating = 5 }`."""
    return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class SourceSettings(BaseModel):
    """The keys that the table of every source has."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    map: dict[str, str] = {}  # field → key of the payload
    set: dict[str, Annotated[str, BeforeValidator(_as_text)]] = {}  # field → the value of every rating
