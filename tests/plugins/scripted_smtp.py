"""A mail server that plays a part: it refuses, hangs, drops or talks nonsense at whatever step it is told to."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn, Self, TypeAlias

from tests.servers import LOOPBACK, Act

if TYPE_CHECKING:
    import ssl
    from asyncio import StreamReader, StreamWriter

Reply: TypeAlias = str | bytes | Act  # text gets its line end, bytes are sent as they are
Script: TypeAlias = Mapping[str, Reply | list[Reply]]

_LAST_WORDS = (b"221", b"421")

GOOD_REPLIES: Mapping[str, Reply] = {
    "CONNECT": "220 test ESMTP",
    "EHLO": b"250-test\r\n250-SIZE 1000000\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n",
    "HELO": "250 test",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 welcome",
    "MAIL": "250 sender fine",
    "RCPT": "250 recipient fine",
    "DATA": "354 go ahead",
    "DOT": "250 queued",
    "RSET": "250 forgotten",
    "QUIT": "221 bye",
}


class ScriptedSmtpServer:
    """Answers each step as the script says, and well where the script says nothing.

    A step is a command's name, "CONNECT" for the greeting, "BODY" for the reading of the mail, "DOT" for its end.
    A list is used up reply by reply, then the good ones come; a single reply comes every time. After a reply
    of 221 or 421 the connection is closed. `seen` are the steps that were reached, `lines` the command lines by
    step, and `mails` the data as it came, doubled dots and all.
    """

    host = LOOPBACK

    def __init__(self, script: Script | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[str] = []
        self.lines: defaultdict[str, list[str]] = defaultdict(list)
        self.mails: list[bytes] = []
        self.port = 0
        self._script = {
            step: list(reply) if isinstance(reply, list) else reply for step, reply in (script or {}).items()
        }
        self._tls = tls
        self._over = asyncio.Event()
        self._reached: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._talks: dict[StreamWriter, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        listener = socket.create_server((LOOPBACK, 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a reader that stops is noticed soon
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=listener, limit=4096)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        self._server.close()
        await self.wait_until_left()

    async def wait_until_left(self) -> None:
        """Return when every conversation has ended; fails after five seconds."""
        async with asyncio.timeout(5):
            await asyncio.gather(*self._talks.values())

    async def reached(self, step: str) -> None:
        """Return when a client has come to this step."""
        await self._reached[step].wait()

    async def hang_up(self) -> None:
        """Close all conversations, as a server does that has no patience with idle clients."""
        for writer in self._talks:
            writer.close()
        await self.wait_until_left()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks[writer] = task
        try:
            with suppress(ConnectionError, EOFError):
                await self._talk(reader, writer)
        finally:
            writer.close()
            del self._talks[writer]

    async def _talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        said = await self._play("CONNECT", writer)
        while not said.startswith(_LAST_WORDS):
            line = await reader.readuntil(b"\r\n")
            step = line.split()[0].decode().upper()
            self.lines[step].append(line.decode().rstrip())
            said = await self._play(step, writer)
            if step == "STARTTLS" and said.startswith(b"220"):
                assert self._tls is not None
                await writer.start_tls(self._tls)
            if step == "DATA" and said.startswith(b"354"):
                await self._read_mail(reader, writer)
                said = await self._play("DOT", writer)

    async def _read_mail(self, reader: StreamReader, writer: StreamWriter) -> None:
        if "BODY" in self._script:
            await reader.read(1000)
            await self._play("BODY", writer)
        data = b""
        while not data.endswith(b"\r\n.\r\n"):
            data += await reader.readuntil(b"\r\n")
        self.mails.append(data.removesuffix(b".\r\n"))

    async def _play(self, step: str, writer: StreamWriter) -> bytes:
        """Do what the script says at this step and return what was said; raises EOFError to end the talk."""
        self.seen.append(step)
        self._reached[step].set()
        reply = self._script.get(step, GOOD_REPLIES.get(step, "502 what"))
        if isinstance(reply, list):
            reply = reply.pop(0) if reply else GOOD_REPLIES[step]
        if isinstance(reply, Act):
            await self._misbehave(reply, writer)
        line = reply if isinstance(reply, bytes) else reply.encode() + b"\r\n"
        writer.write(line)
        await writer.drain()
        return line

    async def _misbehave(self, act: Act, writer: StreamWriter) -> NoReturn:
        if act is Act.HANG:
            await self._over.wait()
        if act is Act.RESET:
            linger_for_nothing = b"\1\0\0\0\0\0\0\0"
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing
            )
        raise EOFError(act.value)
