"""Which rating or message is being worked on: fields of every line that is logged meanwhile, by plugins too."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

About: TypeAlias = "Callable[[], Mapping[str, object]]"

# Set by a worker as it begins with a rating or a message, and called only where a line is logged.
about: ContextVar[About | None] = ContextVar("feedback_app_log_about", default=None)
