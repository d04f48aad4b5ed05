"""An SMS gateway that plays a part at the level of bytes: what HTTP forbids, it does."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs

from tests.plugins.wire import Reply, play
from tests.servers import LOOPBACK

if TYPE_CHECKING:
    import ssl
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Sequence


def created(number: int) -> bytes:
    """Return the answer of a gateway that has taken its `number`-th message."""
    body = b'{"sid": "SM%d"}' % number
    return b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class ScriptedHttpServer:
    """Gives the replies one by one, then takes each message with a sid that counts the messages.

    A reply is given after the request was read and its text stored, so whatever is answered, the message may
    have been sent. `texts` are those of all requests; `accepts` is how many connections came. With `deaf`
    connections are accepted and what is said in them is never read.
    """

    def __init__(
        self, replies: Sequence[Reply] = (), *, tls: ssl.SSLContext | None = None, deaf: Reply | None = None
    ) -> None:
        self.texts: list[str] = []
        self.accepts = 0
        self.url = ""
        self._replies = list(replies)
        self._tls = tls
        self._deaf = deaf
        self._over = asyncio.Event()
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        scheme = "https" if self._tls or self._deaf else "http"
        self.url = f"{scheme}://{LOOPBACK}:{port}/2010-04-01"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        self._server.close()
        await self.wait_until_left()

    async def wait_until_left(self) -> None:
        """Return when every conversation has ended; fails after five seconds."""
        async with asyncio.timeout(5):
            await asyncio.gather(*self._talks)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        self.accepts += 1
        try:
            with suppress(ConnectionError, EOFError):
                if self._deaf:
                    await play(self._deaf, writer, self._over)
                while True:
                    await self._answer(reader, writer)
        finally:
            writer.close()
            self._talks.discard(task)

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length is not None
        form = parse_qs((await reader.readexactly(int(length[1]))).decode())
        self.texts += form["Body"]
        reply = self._replies.pop(0) if self._replies else created(len(self.texts))
        await play(reply, writer, self._over)
