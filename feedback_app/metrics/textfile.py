"""A file for node_exporter's textfile collector, replaced as a whole, so that nobody reads half of one."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from feedback_app.logs import Outage

if TYPE_CHECKING:
    from pathlib import Path

    from feedback_app.metrics.registry import Metrics

log = logging.getLogger(__name__)

_PATIENCE = 5.0  # seconds that the disk has
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Textfile:
    """Writes the metrics to `path`. What keeps it from writing is said once, and hurts nothing else."""

    def __init__(self, path: Path, metrics: Metrics) -> None:
        self._path = path
        self._metrics = metrics
        self._writing: asyncio.Task[None] | None = None
        self._outage = Outage(
            log,
            away="metrics not written",
            still="metrics still not written",
            back="metrics are written again",
        )

    async def write(self, *, running: bool = True) -> None:
        """Write them as they are now; `running` False: for the last time."""
        await self._metrics.refresh(running=running)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(asyncio.to_thread(self._replace), name="metrics-file")
        done, _ = await asyncio.wait({self._writing}, timeout=_PATIENCE)
        reason = _reason(self._writing) if done else "the disk does not answer"
        if reason is None:
            self._outage.over(file=str(self._path))
        else:
            self._outage.met(file=str(self._path), reason=reason)

    def _replace(self) -> None:
        """Write a file beside it, then give that the name. Not synced: it is written anew in seconds."""
        text = self._metrics.text()
        draft = self._path.with_name(f".{self._path.name}.tmp")
        try:
            with os.fdopen(os.open(draft, _FLAGS, 0o644), "wb") as file:
                os.fchmod(file.fileno(), 0o644)  # whatever the umask: node_exporter runs as somebody else
                file.write(text)
            draft.replace(self._path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


def _reason(writing: asyncio.Task[None]) -> str | None:
    error = writing.exception()
    if error is None:
        return None
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    raise error
