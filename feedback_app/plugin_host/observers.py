"""Tells the plugins that listen which messages have ended; none of them can hold delivery up, or another one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from typing import TYPE_CHECKING

from feedback_app.concurrency.aside import aside
from feedback_app.errors import fault_site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.delivery.settled import OnSettled
    from feedback_app.model import Message, Settled
    from feedback_app.plugin_host.host import PluginHost
    from feedback_app.plugin_host.started import Hooked

log = logging.getLogger(__name__)

WAITING = 5_000  # messages that a plugin may be behind
_CLOSE_LIMIT = 5.0  # seconds that one has to make room for the last word, and to catch up with it


class Observers:
    """The plugins with `message_settled`, each in a thread of its own; `tell_all` is None where there are none."""

    def __init__(self, host: PluginHost) -> None:
        self._all = [_Observer(one) for one in host.later["message_settled"]]
        self.tell_all: OnSettled | None = self._tell_all if self._all else None

    def _tell_all(self, ended: Sequence[tuple[Message, Settled]]) -> None:
        for one in self._all:
            one.tell(ended)

    async def close(self) -> None:
        """Wait until all have heard all, but not for long."""
        await asyncio.gather(*(one.close() for one in self._all))


class _Observer:
    def __init__(self, hooked: Hooked) -> None:
        self._hooked = hooked
        self._waiting: queue.Queue[tuple[Message, Settled] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name=f"observer {hooked.plugin}", daemon=True)
        self._faults = 0  # in a row
        self._untold = 0  # in a row

    def tell(self, ended: Sequence[tuple[Message, Settled]]) -> None:
        """Let the thread call the hook; what there is no room for is counted and not told."""
        if self._thread.ident is None:
            self._thread.start()
        for one in ended:
            try:
                self._waiting.put_nowait(one)
            except queue.Full:
                if not self._untold:
                    log.warning(
                        "plugin is too slow to hear of every message", extra={"plugin": self._hooked.plugin}
                    )
                self._untold += 1
        if self._waiting.qsize() <= WAITING // 2:  # it is no longer full all the time
            self._say_untold()

    def _say_untold(self) -> None:
        if self._untold:
            log.warning("messages not told", extra={"plugin": self._hooked.plugin, "messages": self._untold})
            self._untold = 0

    async def close(self) -> None:
        if self._thread.ident is None:
            return
        await aside(self._end, 3 * _CLOSE_LIMIT, name=f"end of observer {self._hooked.plugin}")
        if self._thread.is_alive():
            self._untold += sum(one is not None for one in self._waiting.queue)
        self._say_untold()

    def _end(self) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=_CLOSE_LIMIT)
            self._thread.join(_CLOSE_LIMIT)

    def _run(self) -> None:
        while (one := self._waiting.get()) is not None:
            self._call(*one)

    def _call(self, message: Message, outcome: Settled) -> None:
        try:
            self._hooked.call(message=message, outcome=outcome)
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything
            self._faults += 1
            if self._faults == 1:  # a full disk would say so for each message
                log.error(  # noqa: TRY400 - a trace may show customers' data
                    "plugin failed on a settled message",
                    extra={"plugin": self._hooked.plugin, "fault": fault_site(error)},
                )
            return
        if self._faults:
            log.info(
                "plugin hears of settled messages again",
                extra={"plugin": self._hooked.plugin, "failed": self._faults},
            )
            self._faults = 0
