"""A mail server that plays a part: it refuses, hangs, drops or talks nonsense at whatever step it is told to."""

from __future__ import annotations

import asyncio
import re
import socket
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TypeAlias

from tests.plugins.wire import Reply, on_the_wire, play
from tests.servers import LOOPBACK

if TYPE_CHECKING:
    import ssl
    from asyncio import StreamReader, StreamWriter


Script: TypeAlias = Mapping[str, Reply | list[Reply]]

_LAST_WORDS = (b"221", b"421")
_TOO_MANY = "421 4.7.0 too many connections"
_OUT_OF_ORDER = "503 not now"
_GOES_BEFORE = {"RCPT": "MAIL", "DATA": "RCPT"}

GOOD_REPLIES: Mapping[str, Reply] = {
    "CONNECT": "220 test ESMTP",
    "EHLO": b"250-test\r\n250-SIZE 1000000\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n",
    "HELO": "250 test",
    "STARTTLS": "220 go ahead",
    "HANDSHAKE": b"",
    "AUTH": "235 welcome",
    "MAIL": "250 sender fine",
    "RCPT": "250 recipient fine",
    "DATA": "354 go ahead",
    "RSET": "250 forgotten",
    "QUIT": "221 bye",
}
PIPELINING = b"250-test\r\n250-SIZE 1000000\r\n250-PIPELINING\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"


class ScriptedSmtpServer:
    """Answers each step as the script says, and well where the script says nothing.

    A step is a command's name, "CONNECT" for the greeting, "HANDSHAKE" for what comes before that of TLS, "BODY"
    for the reading of the mail, "DOT" for its end, which is well answered with "250 queued" and the mail's name.
    A list is used up reply by reply, then the good ones come; a single reply comes every time. After a reply
    of 221 or 421 the connection is closed.

    `seen` are the steps that were reached, `lines` the command lines by step, `mails` the data as it came, doubled
    dots and all, and `taken` the names (the left parts of the Message-IDs) of the mails the server took for good.
    More than `room` connections at once are turned away; `most_open` is how many there were. Commands that come out of
    order are answered with 503.
    """

    host = LOOPBACK

    def __init__(
        self,
        script: Script | None = None,
        tls: ssl.SSLContext | None = None,
        room: int = 1000,
        *,
        pipelining: bool = False,
    ) -> None:
        self.seen: list[str] = []
        self.lines: defaultdict[str, list[str]] = defaultdict(list)
        self.mails: list[bytes] = []
        self.taken: list[str] = []
        self.port = 0
        self.room = room
        self.most_open = 0
        self._open = 0
        self._script = {
            step: list(reply) if isinstance(reply, list) else reply for step, reply in (script or {}).items()
        }
        self._good = {**GOOD_REPLIES, **({"EHLO": PIPELINING} if pipelining else {})}
        self._tls = tls
        self._over = asyncio.Event()
        self._reached: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._talks: dict[StreamWriter, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        listener = socket.create_server((LOOPBACK, 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a reader that stops is noticed soon
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # no waiting between replies to one write
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
        """Return when a client has come to this step; fails after five seconds."""
        async with asyncio.timeout(5):
            await self._reached[step].wait()

    def answer(self, step: str, reply: Reply) -> None:
        """Give this reply once, when the step is reached next."""
        self._script[step] = [reply]

    async def interrupt(self, reply: Reply) -> None:
        """Say or do this, unasked, in every conversation."""
        for writer in self._talks:
            try:
                await play(reply, writer, self._over)
            except EOFError:
                writer.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks[writer] = task
        try:
            with suppress(ConnectionError, EOFError):
                await self._greet(reader, writer)
        finally:
            writer.close()
            del self._talks[writer]

    async def _greet(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self._open >= self.room:
            self.seen.append("CONNECT")
            await play(_TOO_MANY, writer, self._over)
            return
        self._open += 1
        self.most_open = max(self.most_open, self._open)
        try:
            await self._talk(reader, writer)
        finally:
            self._open -= 1

    async def _talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        said = await self._play("CONNECT", writer)
        agreed: set[str] = set()  # of MAIL and RCPT, what was accepted for the mail under way
        while not said.startswith(_LAST_WORDS):
            line = await reader.readuntil(b"\r\n")
            step = line.split()[0].decode().upper()
            self.lines[step].append(line.decode().rstrip())
            said = await self._play(step, writer, self._good_reply(step, agreed))
            if step in ("MAIL", "RCPT") and said.startswith(b"25"):
                agreed.add(step)
            if step == "STARTTLS" and said.startswith(b"220"):
                assert self._tls is not None
                await self._play("HANDSHAKE", writer)
                await writer.start_tls(self._tls)
            if step == "DATA" and said.startswith(b"354"):
                said = await self._take(await self._read_mail(reader, writer), writer)
            if step in ("DATA", "RSET") and said.startswith(b"25"):
                agreed.clear()

    def _good_reply(self, step: str, agreed: set[str]) -> Reply:
        if step in agreed or _GOES_BEFORE.get(step, step) not in {step, *agreed}:
            return _OUT_OF_ORDER
        return self._good.get(step, "502 what")

    async def _read_mail(self, reader: StreamReader, writer: StreamWriter) -> bytes:
        if "BODY" in self._script:
            await reader.read(1000)
            await self._play("BODY", writer, b"")
        data = bytearray()
        while not data.endswith(b"\r\n.\r\n"):
            data += await reader.readuntil(b"\r\n")
        return bytes(data.removesuffix(b".\r\n"))

    async def _take(self, mail: bytes, writer: StreamWriter) -> bytes:
        """Answer the dot; what was once taken stays so, whether or not the client reads the answer."""
        self.mails.append(mail)
        message_id = re.search(rb"^Message-ID: <(.*)@", mail, re.MULTILINE)
        assert message_id is not None
        name = message_id[1].decode()
        reply = self._next_reply("DOT", f"250 queued {name}")
        if on_the_wire(reply).startswith(b"250"):
            self.taken.append(name)
        return await play(reply, writer, self._over)

    async def _play(self, step: str, writer: StreamWriter, good: Reply | None = None) -> bytes:
        """Do what the script says at this step and return what was said; raises EOFError to end the talk."""
        reply = self._next_reply(step, self._good[step] if good is None else good)
        return await play(reply, writer, self._over)

    def _next_reply(self, step: str, good: Reply) -> Reply:
        self.seen.append(step)
        self._reached[step].set()
        reply = self._script.get(step, good)
        if isinstance(reply, list):
            return reply.pop(0) if reply else good
        return reply
