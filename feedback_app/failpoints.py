"""Places at which the fault suites end or break the program; nothing at all unless the environment arms one.

FEEDBACK_FAILPOINT=NAME:ACTION[:NTH] acts when the place NAME is reached for the NTH time (default 1). ACTION is
`kill` (SIGKILL to this process), `stop` (SIGSTOP) or `raise` (RuntimeError). As a second key
FEEDBACK_FAILPOINT_TEST=yes must stand beside it, so that a variable left behind never ends a business's daemon.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from feedback_app.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES: Final = (
    "intake.stored",  # ratings are written, not committed
    "copy.written",  # a chunk of a ledger's copy is written, not committed
    "backup.copied",  # a backup is whole, not verified, without its name
    "backup.verified",  # and verified, not yet synced
    "restore.ready",  # the new ledger is made, the old one folded together, nothing moved
    "restore.kept",  # the old ledger has its second name, and still its first
    "restore.replaced",  # the new one has taken its place, the folder not synced
    "source.committed",  # what a source brought is safe, not yet acknowledged
    "import.committed",  # a chunk of an import is safe, the next not begun
    "ledger.committed",  # a transaction is safe, its callers have not heard
    "ledger.checkpointed",  # the WAL is folded into the file, the lock not yet given back
    "ledger.migrated",  # the new schema stands, not committed
    "pipeline.claimed",
    "pipeline.analysed",  # by the analysers, nothing decided
    "pipeline.decided",  # outcomes are written, not committed
    "pipeline.committed",
    "delivery.claimed",
    "delivery.sending",  # the marker is committed where there is one, the plugin not called
    "delivery.sent",  # the far side took it, not committed
    "delivery.settled",
    "report.noted",  # the day's row is written, its mail not, not committed
    "report.mailed",  # row and mail are written, not committed
    "retention.deleted",  # rows are deleted and counted, not committed
    "chore.poll",
    "chore.heartbeat",
)
_ACTIONS: Final = ("kill", "stop", "raise")


@dataclass(slots=True)
class _Armed:
    name: str
    action: str
    left: int  # times that the place is reached until it acts


_armed: _Armed | None = None


def arm(environ: Mapping[str, str]) -> None:
    """Arm what the environment asks for. Raises BadConfig for what is no fail point, or without the second key."""
    global _armed  # noqa: PLW0603 - one switch for the whole process is what a fail point is
    asked = environ.get("FEEDBACK_FAILPOINT")
    if not asked:
        return
    if environ.get("FEEDBACK_FAILPOINT_TEST") != "yes":
        raise BadConfig(
            "FEEDBACK_FAILPOINT is set: it breaks the program on purpose and is for its own tests; unset it"
        )
    name, _, rest = asked.partition(":")
    action, _, nth = rest.partition(":")
    if name not in NAMES or action not in _ACTIONS or not (nth or "1").isdecimal():
        raise BadConfig(
            f"FEEDBACK_FAILPOINT={asked}: want NAME:ACTION or NAME:ACTION:NTH; names: {', '.join(NAMES)};"
            f" actions: {', '.join(_ACTIONS)}"
        )
    _armed = _Armed(name, action, int(nth or 1))


def reached(name: str) -> None:
    """Do what is armed for this place, if this is the time for it. Raises RuntimeError for the action `raise`."""
    if _armed is None or _armed.name != name:
        return
    _armed.left -= 1
    if _armed.left == 0:
        _act(_armed.action)


def _act(action: str) -> None:
    match action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case _:
            raise RuntimeError("fail point")
