"""How the log looks: for people on a terminal, JSON lines elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def set_up_logging(*, debug: bool = False) -> None:
    """Send the log of every module to stderr; fields given in `extra` stand behind the message."""
    person = sys.stderr.isatty()
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if person else "iso", utc=not person),
        _without_nothing,
    ]
    renderer = (
        structlog.dev.ConsoleRenderer(pad_event_to=0, exception_formatter=structlog.dev.plain_traceback)
        if person
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    final: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not person:
        # Without the values of variables, which are customers' names, addresses and words.
        transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        final.append(structlog.processors.ExceptionRenderer(transform))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*final, renderer])
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("feedback_app").setLevel(logging.DEBUG if debug else logging.INFO)
    logging.raiseExceptions = False  # a closed pipe or a full disk under the log must not end the daemon


def _without_nothing(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if value is not None}
