"""Commands out, replies in, on a connection that is greeted and logged in.

aiosmtplib answers one command at a time and drops what comes beside; here several commands may leave in one write
(PIPELINING, RFC 2920), and a reply that nobody asked for stays visible.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self, cast

from aiosmtplib import SMTPResponse
from aiosmtplib.errors import SMTPServerDisconnected

from feedback_app.plugins._tls import secured_by

if TYPE_CHECKING:
    from aiosmtplib import SMTP

_LONGEST = 8 * 1024  # bytes of replies kept unread; RFC 5321, 4.5.3.1.5 allows 512 a line
_LOOK_AGAIN = 0.02  # seconds between looks at how much of a long text is still to be written


class HungUp(ConnectionError):
    """The server closed the connection."""


class NotSmtp(ValueError):
    """The server said something that is no reply."""


class Wire(asyncio.Protocol):
    """A connection's two directions. Its calls belong to one task at a time."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._unread = bytearray()
        self._arrived: asyncio.Future[None] | None = None  # somebody waits for more
        self._over = False
        self._late = False
        self._lost = asyncio.Event()

    @classmethod
    def take_over(cls, client: SMTP) -> Self:
        """Go on where `client` stopped; it must not be used any more.

        Raises NotSmtp when the server had said more than it was asked for, SMTPServerDisconnected when it is gone.
        """
        if client.transport is None:
            raise SMTPServerDisconnected("Connection lost")
        wire = cls(cast("asyncio.Transport", client.transport))
        # aiosmtplib has no public name for it; should this one go, only the check is lost.
        if getattr(client.protocol, "_buffer", b""):
            raise NotSmtp
        wire._transport.set_protocol(wire)
        return wire

    @property
    def quiet(self) -> bool:
        """Whether the connection stands and nothing was said that is still unread."""
        return not (self._unread or self._over or self._transport.is_closing())

    @property
    def security(self) -> str:
        """How the connection is secured, in words."""
        return secured_by(self._transport)

    @property
    def has_unread(self) -> bool:
        """Whether more came than was asked for."""
        return bool(self._unread)

    def write(self, data: bytes) -> None:
        """Send; raises HungUp."""
        if self._over or self._transport.is_closing():
            raise HungUp
        self._transport.write(data)

    async def write_through(self, data: bytes, limit: float) -> None:
        """Send and return when the kernel has taken it all, or the server has said something.

        Raises HungUp, or TimeoutError after `limit` seconds. Of what TLS has encrypted the kernel may not have all.
        """
        self.write(data)
        async with asyncio.timeout(limit):
            while self._transport.get_write_buffer_size() and not self._unread:
                await asyncio.sleep(_LOOK_AGAIN)
                if self._transport.is_closing():
                    raise HungUp

    async def reply(self, limit: float) -> SMTPResponse:
        """Return the next reply; raises HungUp, NotSmtp, or TimeoutError after `limit` seconds."""
        reply = self._next()
        return await self._wait(limit) if reply is None else reply

    async def _wait(self, limit: float) -> SMTPResponse:
        loop = asyncio.get_running_loop()
        self._late = False
        timer = loop.call_later(limit, self._give_up)  # a third of what `asyncio.timeout` costs
        try:
            while not self._late:
                if self._over:
                    raise HungUp
                self._arrived = loop.create_future()
                await self._arrived
                if (reply := self._next()) is not None:
                    return reply
        finally:
            timer.cancel()
        raise TimeoutError

    def close(self) -> None:
        """Close when all that was written has left."""
        self._transport.close()

    def cut(self) -> None:
        """Close at once and drop whatever is still to be written."""
        self._transport.abort()

    async def lost(self, limit: float) -> None:
        """Return once a connection that was closed is gone; after `limit` seconds it is cut.

        The end of TLS takes a turn of the server's, and a loop that ends before it leaves the socket open.
        """
        timer = asyncio.get_running_loop().call_later(limit, self.cut)
        try:
            await self._lost.wait()
        finally:
            timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Keep it for whoever asks; more than any reply is long is the end of the talk."""
        self._unread += data
        if len(self._unread) > _LONGEST:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """End it: a server that says nothing more has nothing to be asked."""
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """End it."""
        self._lost.set()
        self._end()

    def _give_up(self) -> None:
        self._late = True
        self._wake()

    def _end(self) -> None:
        self._over = True
        self._wake()

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _next(self) -> SMTPResponse | None:
        """Take the first whole reply out of what came; None when its end is still missing."""
        unread = self._unread
        lines: list[bytes] = []
        start = 0
        while (end := unread.find(b"\n", start)) >= 0:
            line = bytes(unread[start:end])
            start = end + 1
            if not line[:3].isdigit():
                raise NotSmtp
            lines.append(line[4:].strip())
            if line[3:4] != b"-":
                del unread[:start]
                return SMTPResponse(int(line[:3]), b"\n".join(lines).decode("utf-8", "surrogateescape"))
        if len(unread) > _LONGEST:
            raise NotSmtp
        return None
