"""Says what a PostgreSQL error means for the program: by its SQLSTATE, see appendix A of PostgreSQL's manual."""

from __future__ import annotations

import contextlib
from json import JSONDecodeError
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from feedback_app.errors import (
    BadConfig,
    Busy,
    FeedbackAppError,
    NotPermitted,
    StorageFailed,
    StorageFull,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Again(Busy):
    """The transaction was rolled back for another one's sake; the same again will work."""


_SEE_SETTINGS = "see [store] url and password_file"
_MAKE_IT = "make it, or name another one in [store] url"
_UPGRADE = "run `feedback-app db upgrade`"

# (beginnings of SQLSTATEs, the error, its sentence), the first that fits wins.
_MEANINGS: tuple[tuple[tuple[str, ...], type[FeedbackAppError], str], ...] = (
    (
        ("08", "57P01", "57P02", "57P03", "57P05", "25P03", "53300"),
        Unreachable,
        "the connection was lost ({})",
    ),
    # Rolled back for another's sake: deadlock, lock not available; also a key that somebody stored since we looked.
    (("40", "55P03", "57014", "23505"), Again, "{}; try again"),
    (("25006",), Unreachable, "the server only lets us read; a standby does not serve"),
    (("53",), StorageFull, "the server is out of room ({}); nothing was stored"),
    (("28",), BadConfig, f"{{}}; {_SEE_SETTINGS}"),
    (("3D000", "3F000"), BadConfig, f"{{}}; {_MAKE_IT}"),
    (("42501",), NotPermitted, "{}"),
    (("42P01", "42703"), BadConfig, f"the ledger's schema is not there whole ({{}}); {_UPGRADE}"),
    (("XX001", "XX002", "58", "F0"), StorageFailed, "{}; stopped, because what reached the disk is unknown"),
)


def explain(error: BaseException, name: str) -> FeedbackAppError | None:
    """Return the program's own error, or None when it is not one of the known kinds."""
    if isinstance(error, JSONDecodeError):
        return StorageFailed(f"{name}: a field that is to hold JSON does not")
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None)
    said = _first_line(cause)
    if state is None:
        return _without_state(cause, said, name)
    for beginnings, kind, sentence in _MEANINGS:
        if state.startswith(beginnings):
            return kind(f"{name}: {sentence.format(said)}")
    return None


def _without_state(cause: BaseException | None, said: str, name: str) -> FeedbackAppError | None:
    """Explain what the driver found itself: mostly that there is nobody, or that somebody left."""
    import psycopg

    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        if "authentication failed" in said or "no password supplied" in said or 'role "' in said:
            return BadConfig(f"{name}: {said}; {_SEE_SETTINGS}")
        if 'database "' in said and "does not exist" in said:
            return BadConfig(f"{name}: {said}; {_MAKE_IT}")
        return Unreachable(f"{name}: the server cannot be reached ({said})")
    return None


def _first_line(cause: BaseException | None) -> str:
    """Return the server's own sentence: no detail lines, which quote values, and no addresses tried before."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    line = next(
        (one for one in lines if "FATAL" in one or "ERROR" in one), lines[0] if lines else "no reason given"
    )
    for mark in ("FATAL: ", "ERROR: "):
        line = line.partition(mark)[2].strip() or line
    return line.rstrip(".")


REFUSALS = (DBAPIError, JSONDecodeError)


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn database errors of the block into the program's own."""
    try:
        yield
    except REFUSALS as error:
        known = explain(error, name)
        if known is None:
            raise
        raise known from error
