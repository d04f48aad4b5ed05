"""A mail server that keeps every byte it is told, and how those bytes read to a strict one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self

_END = b"\r\n.\r\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Talk:
    """What a client said in one connection."""

    commands: tuple[bytes, ...]  # in order, without their line ends
    mails: tuple[bytes, ...]  # as on the wire: dots doubled, without the lone dot

    @property
    def verbs(self) -> list[bytes]:
        """The commands without their arguments."""
        return [command.split(b" ")[0] for command in self.commands]


class WireSink:
    """Takes every mail; only CR LF ends a line and only CR LF dot CR LF ends a mail."""

    def __init__(self) -> None:
        self.talks: list[Talk] = []
        self._ended = asyncio.Semaphore(0)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def talk(self) -> Talk:
        """Return the next connection's talk once it has ended."""
        async with asyncio.timeout(20):
            await self._ended.acquire()
        return self.talks[-1]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands, mails = [], []
        writer.write(b"220 sink\r\n")
        try:
            while True:
                command = (await reader.readuntil(b"\r\n")).removesuffix(b"\r\n")
                commands.append(command)
                writer.write(b"354 go on\r\n" if command == b"DATA" else b"250 ok\r\n")
                if command == b"DATA":
                    mails.append((await reader.readuntil(_END)).removesuffix(b".\r\n"))
                    writer.write(b"250 taken\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left
        self.talks.append(Talk(commands=tuple(commands), mails=tuple(mails)))
        self._ended.release()
        writer.close()


def undotted(mail: bytes) -> bytes:
    """Return a mail as its recipient gets it (RFC 5321, 4.5.2)."""
    return b"\r\n".join(line.removeprefix(b".") for line in mail.split(b"\r\n"))
