"""Starts that failed of themselves, so that a supervisor which restarts at once does not make a loop of them.

Only failures count that the daemon could note before it was ready; a kill from outside is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.store import notes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds

_KEY = "failed_starts"  # {"at": times of the last ones, "reason": of the last, "paused_until": set while one waits}
_WITHIN = 60_000  # milliseconds
_MANY = 5


def failed(connection: Connection, reason: str, now: Milliseconds) -> None:
    """Note a start that failed."""
    noted = notes.read(connection, _KEY) or {"at": []}
    notes.put(connection, _KEY, {"at": [*noted["at"], now][-_MANY:], "reason": reason})


def pause(connection: Connection, length: Milliseconds, now: Milliseconds) -> str | None:
    """Return the reason of the last failure when too many came in a row, and note the pause; None: start on."""
    noted = notes.read(connection, _KEY)
    if noted is None or len(noted["at"]) < _MANY or now - noted["at"][0] > _WITHIN:
        return None
    notes.put(connection, _KEY, {**noted, "at": [], "paused_until": now + length})
    return str(noted["reason"])


def paused(connection: Connection, now: Milliseconds) -> tuple[str, Milliseconds] | None:
    """Return (reason, end of the pause) while a start waits."""
    noted = notes.read(connection, _KEY)
    if noted is None or noted.get("paused_until", 0) <= now:
        return None
    return str(noted["reason"]), int(noted["paused_until"])


def succeeded(connection: Connection) -> None:
    """Forget: the daemon stands."""
    notes.put(connection, _KEY, None)
