"""A file for node_exporter's textfile collector, replaced as a whole, so that nobody reads half of one."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from feedback_app.concurrency.aside import TookTooLong, aside
from feedback_app.logs import Outage

if TYPE_CHECKING:
    from collections.abc import Callable
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
        self._one_at_a_time = threading.Lock()
        self._stuck: threading.Thread | None = None  # the one that the disk did not answer
        self._outage = Outage(
            log,
            away="metrics not written",
            still="metrics still not written",
            back="metrics are written again",
        )

    async def write(self, *, running: bool = True) -> None:
        """Write them as they are now; `running` False: for the last time."""
        await self._metrics.refresh(running=running)
        await self._on_disk(self._replace)

    async def remove(self) -> None:
        """Take the file away, which nobody writes any more: node_exporter would show it for ever."""
        await self._on_disk(self._unlink)

    async def _on_disk(self, work: Callable[[], None]) -> None:
        reason: str | None = "the disk does not answer"
        if self._stuck is None or not self._stuck.is_alive():
            try:
                reason = await aside(work, _PATIENCE, name="metrics-file")
            except TookTooLong as error:
                self._stuck = error.thread
            except OSError as error:
                reason = error.strerror or type(error).__name__
        if reason is None:
            self._outage.over(file=str(self._path))
        else:
            self._outage.met(file=str(self._path), reason=reason)

    def _replace(self) -> None:
        """Write a file beside it, then give that the name. Not synced: it is written anew in seconds."""
        draft = self._path.with_name(f".{self._path.name}.tmp")
        with self._one_at_a_time:
            text = self._metrics.text()
            try:
                with os.fdopen(os.open(draft, _FLAGS, 0o644), "wb") as file:
                    os.fchmod(file.fileno(), 0o644)  # whatever the umask: node_exporter runs as somebody else
                    file.write(text)
                draft.replace(self._path)
            except OSError:
                draft.unlink(missing_ok=True)
                raise

    def _unlink(self) -> None:
        with self._one_at_a_time:
            self._path.unlink(missing_ok=True)
