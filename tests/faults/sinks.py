"""Where the messages go: a mail server and an SMS gateway that note everything they take responsibility for."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.faults.oracle import Taken

_REFUSED = 10
_MESSAGE_ID = re.compile(rb"^Message-ID: <([^>]+)>", re.MULTILINE | re.IGNORECASE)


class Sinks:
    """`taken` is what they have accepted, noted before the answer is sent.

    Like servers of the real world they quote what they were told. With `refuses`, one in ten is refused for now. With
    `keyed` the gateway is one that takes an idempotency key.

    `at(stage)` is called when a conversation has come to a stage: connect, mail, rcpt, data (a part of the mail is
    there), dot (taken, not answered); of SMS request (the form is not yet read) and taken (not answered).
    """

    def __init__(
        self,
        delay: float = 0.0,
        at: Callable[[str], None] = lambda _stage: None,
        *,
        refuses: bool = False,
        keyed: bool = False,
    ) -> None:
        self.taken = Taken(keys={} if keyed else None)
        self._at = at
        self._delay = delay  # seconds before each answer, so that kills find messages in flight
        self._refuses = refuses
        self._asked = 0
        self._servers: list[asyncio.Server] = []

    async def __aenter__(self) -> Self:
        for talk in (self._smtp, self._http):
            self._servers.append(await asyncio.start_server(talk, "127.0.0.1", 0))
        self.smtp_port, self.http_port = (server.sockets[0].getsockname()[1] for server in self._servers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()

    async def _smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self._at("connect")
            writer.write(b"220 sink\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb in (b"MAIL", b"RCPT"):
                    self._at(verb.decode().lower())
                if verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    text = await self._take_mail(reader)
                    await asyncio.sleep(self._delay)
                    writer.write(b"250 taken: %s\r\n" % text)
                elif verb == b"RCPT":
                    code = b"452" if self._is_refused() else b"250"
                    writer.write(b"%s for %s\r\n" % (code, line[8:].strip()))
                elif verb == b"EHLO":
                    writer.write(b"250-sink\r\n250 AUTH PLAIN\r\n")
                elif verb == b"AUTH":
                    writer.write(b"235 welcome\r\n")
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    writer.write(b"250 ok\r\n")
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client was killed
        finally:
            writer.close()

    def _is_refused(self) -> bool:
        self._asked += 1
        return self._refuses and self._asked % _REFUSED == 0

    async def _take_mail(self, reader: asyncio.StreamReader) -> bytes:
        """Return a line of it that says who the customer is."""
        begin = await reader.readline()
        self._at("data")
        mail = begin + await reader.readuntil(b"\r\n.\r\n")
        found = _MESSAGE_ID.search(mail)
        self.taken.mails[found.group(1).decode() if found else "?"] += 1
        self._at("dot")
        return next((line.strip() for line in mail.splitlines() if b"Canary" in line), b"")

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from urllib.parse import parse_qs

        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self._at("request")
                length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE).group(1))  # type: ignore[union-attr]
                form = parse_qs((await reader.readexactly(length)).decode())
                answer: dict[str, str | int] = {"to": form["To"][0], "body": form["Body"][0]}
                if self._is_refused():
                    status = b"429 Too Many Requests"
                    answer |= {"message": f"{form['To'][0]}: too many", "code": 20429}
                else:
                    status = b"201 Created"
                    self.taken.texts[form["To"][0]] += 1
                    if self.taken.keys is not None:
                        key = re.search(rb"idempotency-key: (\S+)", head, re.IGNORECASE)
                        self.taken.keys.setdefault(form["To"][0], set()).add(key[1].decode() if key else "")
                    self._at("taken")
                    answer |= {"sid": f"SM{sum(self.taken.texts.values()):032x}", "status": "queued"}
                await asyncio.sleep(self._delay)
                body = json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n" % status)
                writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
