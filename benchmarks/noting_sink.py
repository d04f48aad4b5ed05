"""A mail server on loopback that notes when it took the mail for each recipient."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Self

from benchmarks.mails import HOST

if TYPE_CHECKING:
    from types import TracebackType


class NotingSink:
    """Enter it to listen on `port`."""

    def __init__(self) -> None:
        self._moments: dict[str, asyncio.Future[int]] = {}
        self._talks: set[asyncio.StreamWriter] = set()
        self.taken = 0  # mails
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in list(self._talks):
            writer.close()
        await asyncio.sleep(0)

    async def taken_at(self, recipient: str) -> int:
        """Wait for the first mail to the recipient; returns the monotonic nanoseconds just before its 250 left."""
        return await self._moment(recipient)

    def _moment(self, recipient: str) -> asyncio.Future[int]:
        if recipient not in self._moments:
            self._moments[recipient] = asyncio.get_running_loop().create_future()
        return self._moments[recipient]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks.add(writer)
        recipient = ""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # the client was ended
            writer.write(b"220 sink\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                if verb == b"RCPT":
                    recipient = line.decode().partition("<")[2].partition(">")[0]
                if verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    self._note(recipient)
                writer.write(b"250 ok\r\n")
        writer.close()
        self._talks.discard(writer)

    def _note(self, recipient: str) -> None:
        self.taken += 1
        moment = self._moment(recipient)
        if not moment.done():
            moment.set_result(time.monotonic_ns())
