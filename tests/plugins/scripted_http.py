"""An SMS gateway that plays a part at the level of bytes: what HTTP forbids, it does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs

from tests.plugins.wire import Reply, play
from tests.servers import LOOPBACK

if TYPE_CHECKING:
    import ssl
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Mapping, Sequence


def created(number: int) -> bytes:
    """Return the answer of a gateway that has taken its `number`-th message."""
    body = b'{"sid": "SM%d"}' % number
    return b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpRequest:
    """What a client has asked for."""

    method: str
    target: str  # path and query
    headers: Mapping[str, str]  # names in small letters
    body: bytes


class ScriptedHttpServer:
    """Gives the replies one by one, then takes each message with a sid that counts the messages.

    A reply is given after the request was read and stored, so whatever is answered, the message may have been
    sent. `accepts` is how many connections came. With `deaf` connections are accepted and what is said in them
    is never read.
    """

    def __init__(
        self, replies: Sequence[Reply] = (), *, tls: ssl.SSLContext | None = None, deaf: Reply | None = None
    ) -> None:
        self.requests: list[HttpRequest] = []
        self.accepts = 0
        self.url = ""
        self._replies = list(replies)
        self._tls = tls
        self._deaf = deaf
        self._over = asyncio.Event()
        self._asked = asyncio.Event()
        self._talks: set[asyncio.Task[None]] = set()

    @property
    def texts(self) -> list[str]:
        """The texts of all requests in Twilio's form."""
        return [parse_qs(request.body.decode())["Body"][0] for request in self.requests]

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

    async def wait_until_asked(self) -> None:
        """Return when a request was read; fails after five seconds."""
        async with asyncio.timeout(5):
            await self._asked.wait()

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
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *lines = head.strip().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self._asked.set()
        self.requests.append(HttpRequest(method=method, target=target, headers=headers, body=body))
        reply = self._replies.pop(0) if self._replies else created(len(self.requests))
        await play(reply, writer, self._over)
