"""How the log looks: for people on a terminal, JSON lines elsewhere, for journald without what it adds itself."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from feedback_app.logs import LogQueue, about
from feedback_app.plugin_host.finding import DROPINS

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_PLACES = 40  # of one error; an endless recursion has a thousand
_MOST_ERRORS = 5  # of a chain, which may be a ring
_OURS = ("feedback_app", DROPINS, "__main__")
_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}  # sd-daemon(3)


def set_up_logging(*, debug: bool = False, environ: Mapping[str, str] = os.environ) -> None:
    """Send the log of every module to stderr; fields given in `extra` stand behind the message.

    `debug` is for the program and for plugins of the drop-in folder. What libraries say below a warning holds
    all that they send and store: names, addresses, passwords. Where stderr is closed nothing is logged: its number may
    be a file's by now, such as the ledger's.
    """
    root = logging.getLogger()
    for before in root.handlers:
        if isinstance(before, LogQueue):
            before.close()
    root.handlers[:] = [logging.NullHandler()] if sys.stderr is None else [_handler(environ)]
    root.setLevel(logging.WARNING)
    for name in ("feedback_app", DROPINS):
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.INFO)


def _handler(environ: Mapping[str, str]) -> LogQueue:
    person = sys.stderr.isatty()
    out = _out()
    handler = LogQueue(out)
    journal = isinstance(out, int) and not person and _is_journal(out, environ)
    stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S" if person else "iso", utc=not person)
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        _without_values,
        _concerning,
        *([] if journal else [stamp]),
        _private,
    ]
    renderers: list[Any] = (
        [_visible, structlog.dev.ConsoleRenderer(pad_event_to=0)]
        if person
        else [structlog.processors.JSONRenderer()]
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderers,
                *([_with_priority] if journal else []),
            ],
        )
    )
    return handler


def _out() -> int | TextIO:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # a surrounding program has put something of its own there
        return sys.stderr


def _is_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether a descriptor leads to journald: it says which one does, see systemd.exec(5)."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _with_priority(_logger: object, method: str, line: Any) -> str:
    """Put in front what journald takes for the line's priority, and takes away."""
    return f"<{_PRIORITIES.get(method, 6)}>{line}"


def _without_values(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Say a library's line as it stands in its code: what is filled in may be a name, an address, a password."""
    record: logging.LogRecord = event["_record"]
    if record.name.partition(".")[0] in _OURS:
        return event
    return {**event, "event": str(record.msg), "logger": record.name}


def _concerning(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Add which rating or message was being worked on; what the line says itself counts."""
    concerned = about.get()
    return {**event, **concerned(), **event} if concerned is not None else event  # in this order


def _private(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Leave out what may quote customers: all but the first line of a message, and what errors say.

    asyncio writes errors into the further lines of what it has to say about a lost task.
    """
    kept = {key: value for key, value in event.items() if value is not None}
    kept["event"] = str(kept["event"]).partition("\n")[0]
    kept.pop("stack_info", None)
    _, error, _ = kept.pop("exc_info", None) or (None, None, None)
    return {**kept, "fault": _fault(error)} if error is not None else kept


def _fault(error: BaseException | None) -> str:
    """Say which error came through which places, the innermost first, and which ones were behind it."""
    said: list[str] = []
    while error is not None and len(said) < _MOST_ERRORS:
        frames = traceback.extract_tb(error.__traceback__)[-_MOST_PLACES:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
        said.append(" < ".join([type(error).__name__, *places]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "; behind it ".join(said)


def _visible(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Show what could move a terminal's cursor or forge a line as what it is."""
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in event.items()}


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )
