"""Conversations with one mail server, kept open between mails."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from feedback_app import ChannelDown
from feedback_app.concurrency import AsyncOnce, Wakeup
from feedback_app.plugins._smtp_conversation import Conversation, Limits, Server
from feedback_app.plugins._smtp_replies import NotStarted, TurnedAway
from feedback_app.plugins._smtp_window import Window
from feedback_app.plugins._tls import strict_context

if TYPE_CHECKING:
    import ssl
    from asyncio import TimerHandle
    from collections.abc import AsyncIterator, Callable

    from feedback_app.plugins._mail_builder import Mail


class SmtpPool:
    """At most `size` conversations at once, fewer while the server finds them too many; mails take turns."""

    def __init__(
        self,
        server: Server,
        size: int,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._limits = limits or Limits()
        self._clock = clock
        self._window = Window(size, self._limits.growth)
        self._busy = 0  # mails whose turn it is
        self._freed = Wakeup()
        self._idle: dict[Conversation, float] = {}  # since when; the one used last stands last
        self._sweeper: TimerHandle | None = None  # ends what has been idle for too long, for all of them
        self._ways_in = AsyncOnce(_prepare)

    async def check(self) -> str:
        """Begin a conversation as for a mail, log in, and leave. Raises ChannelDown."""
        context, own_name = await self._ways_in.get()
        conversation = await Conversation.open(self._server, self._limits, context, own_name)
        security = conversation.security
        conversation.leave()
        await conversation.left()
        login = ", login accepted" if self._server.username else ""
        return f"{self._server} answers, {security}{login}"

    async def open(self) -> None:
        """Connect only when there is a mail: a server that is down must not stop the start."""

    async def close(self) -> None:
        """Say goodbye in every idle conversation."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        idle = list(self._idle)
        for conversation in idle:
            self._retire(conversation)
        await asyncio.gather(*(conversation.left() for conversation in idle))

    async def deliver(self, mail: Mail) -> str:
        """Hand the mail to the server and return its reply; raises what `Notifier.send` may raise.

        A server that has enough connections is not down: the mail waits for one of those there are.
        """
        while True:
            async with self._turn() as begun:
                try:
                    return await self._send(mail, begun)
                except TurnedAway:
                    if self._busy == 1 and not self._idle:
                        raise  # there is no other connection to wait for

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[float]:
        """Wait until there is room for a connection; gives the time when the turn began."""
        if self._is_full():
            await self._until_room()
        self._busy += 1
        try:
            yield self._clock()
        finally:
            self._busy -= 1
            self._trim()
            self._freed.set()

    def _is_full(self) -> bool:
        return self._busy >= self._window.size(self._clock())

    async def _until_room(self) -> None:
        try:
            async with asyncio.timeout(self._limits.turn):
                while self._is_full():
                    await self._freed.wait()
        except TimeoutError:
            busy = f"all connections to {self._server} were busy for {self._limits.turn:.0f} s"
            raise ChannelDown(busy) from None

    async def _send(self, mail: Mail, begun: float) -> str:
        """Send on a conversation that is open, or else on a new one.

        One that the server ended while it was idle is replaced without a word: nothing was sent.
        """
        if self._idle:
            with suppress(NotStarted, TurnedAway):
                return await self._send_on(self._idle.popitem()[0], mail, begun)
        context, own_name = await self._ways_in.get()
        try:
            fresh = await Conversation.open(self._server, self._limits, context, own_name)
        except TurnedAway:
            self._shrink(begun)
            raise
        return await self._send_on(fresh, mail, begun)

    async def _send_on(self, conversation: Conversation, mail: Mail, begun: float) -> str:
        try:
            return await conversation.send(mail)
        finally:
            if conversation.turned_away:
                self._shrink(begun)
            self._put_back(conversation)

    def _shrink(self, begun: float) -> None:
        self._window.cut(used=self._busy, begun=begun, now=self._clock())

    def _put_back(self, conversation: Conversation) -> None:
        if not conversation.fit:
            conversation.cut()
        elif conversation.mails >= self._limits.mails:
            conversation.leave()
        else:
            loop = asyncio.get_running_loop()
            self._idle[conversation] = loop.time()
            if self._sweeper is None:
                self._sweeper = loop.call_later(self._limits.idle, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what has been idle for its time and come back for the next."""
        self._sweeper = None
        while self._idle:
            conversation, since = next(iter(self._idle.items()))
            if loop.time() < since + self._limits.idle:
                self._sweeper = loop.call_at(since + self._limits.idle, self._sweep, loop)
                return
            self._retire(conversation)

    def _trim(self) -> None:
        """End what is idle beyond the window: it takes the place of one that could work."""
        while self._idle and self._busy + len(self._idle) > self._window.size(self._clock()):
            self._retire(next(iter(self._idle)))

    def _retire(self, conversation: Conversation) -> None:
        del self._idle[conversation]
        conversation.leave()


async def _prepare() -> tuple[ssl.SSLContext, str]:
    """Return the rules for TLS and this host's name; files and the network are asked, so not in the loop."""
    return await asyncio.gather(asyncio.to_thread(strict_context), asyncio.to_thread(socket.getfqdn))
