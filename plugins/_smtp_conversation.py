"""One conversation with a mail server, in which the step that fails decides what the failure means.

A server cannot have taken a mail before the lone dot that ends its data was written (RFC 5321, 4.1.1.4). So
whatever goes wrong earlier is surely not sent, and what goes wrong between the dot and its reply is unknown.
aiosmtplib greets, secures and logs in; its `sendmail` does not tell the two apart, hence `_smtp_wire` for the mails.
Its own time limits stay off: they rest on `asyncio.wait_for`, which before Python 3.12 can swallow a cancellation.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, cast

from aiosmtplib import SMTP
from aiosmtplib.errors import SMTPException, SMTPHeloError, SMTPResponseException

from feedback_app import ChannelDown, OutcomeUnknown, PermanentFailure, TemporaryFailure
from feedback_app.plugins._smtp_replies import (
    DOT,
    SHUTTING_DOWN,
    NotStarted,
    TurnedAway,
    is_refusal,
    refusal,
    silence,
    why_not_open,
    without_address,
)
from feedback_app.plugins._smtp_wire import HungUp, NotSmtp, Wire

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from aiosmtplib import SMTPResponse
    from pydantic import SecretStr

    from feedback_app.plugins._mail_builder import Mail
    from feedback_app.plugins._smtp_replies import Step, Verb

_ONE_WRITE = 16 * 1024  # bytes: a socket's buffer takes them at once, so the mail and its dot leave together

_OK, _FORWARDED, _GO_AHEAD = 250, 251, 354
_ENVELOPE: Mapping[Verb, tuple[int, ...]] = {
    "MAIL": (_OK,),
    "RCPT": (_OK, _FORWARDED),
    "DATA": (_GO_AHEAD,),
}
_NO_SUCH_COMMAND = (500, 502)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long each step may take, in seconds, and how long a conversation is kept."""

    connect: float = 10.0  # the connection, its TLS and the greeting
    login: float = 120.0  # all from EHLO to the reply to AUTH
    reply: float = 60.0  # the reply to a command
    rest: float = 5.0  # the replies to what left with a refused command; they only save the connection
    data: float = 120.0  # the server's reading of the mail
    dot: float = 600.0  # the reply to the dot (RFC 5321, 4.5.3.2.6): giving up earlier makes doubles
    idle: float = 60.0  # Postfix hangs up after 300
    turn: float = 120.0  # a free connection
    goodbye: float = 1.0  # the end of a connection, where somebody waits for it
    growth: float = 30.0  # until one more connection is tried than the server had found too many
    mails: int = 100  # in one conversation: servers grow wary of longer ones


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """Where the mail server is and how to be let in."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    username: str | None = None
    password: SecretStr | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def private_words(self) -> tuple[str, ...]:
        """What must not be shown when the server quotes it."""
        words = (self.username, self.password and self.password.get_secret_value())
        return tuple(word for word in words if word)


class Conversation:
    """A connection that is greeted and logged in, for one mail after the other.

    `fit` says whether it can take another mail. It is False from the first byte of a mail until the server's
    last reply to it was read and understood: a conversation that was cut in between would take the reply to
    one mail for the reply to the next.
    """

    def __init__(self, wire: Wire, offers: Mapping[str, str], server: Server, limits: Limits) -> None:
        self.mails = 0  # how many were begun
        self.turned_away = False  # the server's last reply was 421, at whatever step
        self._wire = wire
        self._pipelining = "pipelining" in offers
        self._asks_size = "size" in offers
        most = offers.get("size", "").strip()
        self._most_bytes = (int(most) if most.isdecimal() else 0) or math.inf
        self._server = server
        self._limits = limits
        self._in_step = True
        self._needs_reset = False

    @classmethod
    async def open(cls, server: Server, limits: Limits, context: ssl.SSLContext, own_name: str) -> Self:
        """Connect, secure the connection, log in.

        Raises ChannelDown: nobody's mail could be sent on it. TurnedAway: other connections may still work.
        """
        client = SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=own_name,
            use_tls=server.tls == "tls",
            start_tls=False,  # never "where offered": whoever sits on the line could strike out the offer
            tls_context=context,
            timeout=None,
        )
        try:
            async with asyncio.timeout(limits.connect):
                await client.connect()
            async with asyncio.timeout(limits.login):
                await _introduce(client, server)
            return cls(Wire.take_over(client), client.esmtp_extensions, server, limits)
        except NotSmtp:
            _cut(client)
            raise ChannelDown(f"{server} said more than it was asked for") from None
        except (SMTPException, OSError, ValueError) as error:
            _cut(client)
            closing = isinstance(error, SMTPResponseException) and error.code == SHUTTING_DOWN
            raise (TurnedAway if closing else ChannelDown)(why_not_open(server, error)) from None
        except BaseException:
            _cut(client)
            raise

    @property
    def fit(self) -> bool:
        """Whether another mail can be sent."""
        return self._in_step and self._wire.quiet

    @property
    def security(self) -> str:
        """How it is secured, in words."""
        return self._wire.security

    async def send(self, mail: Mail) -> str:
        """Hand over one mail and return what the server said.

        Raises what `Notifier.send` may raise; NotStarted when the connection turned out to be gone,
        TurnedAway when the server wants no more of it.
        """
        self._refuse_oversize(len(mail.data))
        if not self.fit:
            raise NotStarted(f"{self._server} has ended the conversation")
        self._in_step = False
        self.mails += 1
        await self._reset()
        await self._offer(mail)
        reply = await self._hand_over(mail.data)
        if reply.code != _OK:
            raise await self._refused(DOT, reply, mail)
        self._in_step = self._wire.quiet
        return without_address(reply, mail)

    def leave(self) -> None:
        """Say goodbye and close, without waiting for the answer."""
        if self.fit:
            self._wire.write(b"QUIT\r\n")
        self._wire.close()

    async def left(self) -> None:
        """Return once the connection is gone; one that hangs in its goodbye is cut."""
        await self._wire.lost(self._limits.goodbye)

    def cut(self) -> None:
        """Close at once and drop whatever is still to be written."""
        self._wire.cut()

    def _refuse_oversize(self, size: int) -> None:
        if size > self._most_bytes:
            raise PermanentFailure(
                f"the mail has {size} bytes, {self._server} takes at most {self._most_bytes}"
            )

    async def _reset(self) -> None:
        """Have the server forget the mail that it refused."""
        if not self._needs_reset:
            return
        reply = await self._ask("RSET", b"RSET\r\n")
        if reply.code != _OK:
            raise NotStarted(f"{self._server} does not take up another mail")
        self._needs_reset = False

    async def _offer(self, mail: Mail) -> None:
        """Name sender and recipient and have the server ask for the mail.

        A server that allows it gets all three lines at once, which spares two round trips a mail. That no address
        can add a line is the promise of `Mail`.
        """
        size = b" SIZE=%d" % len(mail.data) if self._asks_size else b""
        lines = [
            b"MAIL FROM:<%s>%s\r\n" % (mail.sender.encode("ascii"), size),
            b"RCPT TO:<%s>\r\n" % mail.recipient.encode("ascii"),
            b"DATA\r\n",
        ]
        if self._pipelining:
            lines = [b"".join(lines), b"", b""]
        for line, (verb, wanted) in zip(lines, _ENVELOPE.items(), strict=True):
            reply = await self._ask(verb, line)
            if reply.code not in wanted:
                raise await self._refused(verb, reply, mail)

    async def _ask(self, verb: Verb, line: bytes) -> SMTPResponse:
        """Send a command, unless it has left with the one before, and return its reply.

        Raises TemporaryFailure when none can be had.
        """
        failure = NotStarted if verb in ("RSET", "MAIL") else TemporaryFailure
        try:
            if line:
                self._wire.write(line)
            reply = await self._wire.reply(self._limits.reply)
        except (TimeoutError, HungUp, NotSmtp) as error:
            raise failure(f"{self._server} {silence(error, self._limits.reply)} {verb}") from None
        more_to_come = self._pipelining and verb in ("MAIL", "RCPT")
        if self._wire.has_unread and not more_to_come:
            raise failure(f"{self._server} said more than it was asked for at {verb}")
        return self._noted(reply)

    async def _hand_over(self, data: bytes) -> SMTPResponse:
        """Write the mail and its dot and return the reply to the dot."""
        text = data.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        try:
            if len(text) > _ONE_WRITE:
                # A dot in our own buffer may leave at any time: it is written when all before it has left.
                await self._wire.write_through(text[:-3], self._limits.data)
                if self._wire.has_unread:  # it would pass for the reply to the dot
                    raise TemporaryFailure(f"{self._server} answered before the end of the mail")
                text = text[-3:]
            self._wire.write(text)
        except (HungUp, TimeoutError):
            raise TemporaryFailure(f"{self._server} did not read the mail to its end") from None
        try:
            return self._noted(await self._wire.reply(self._limits.dot))
        except (TimeoutError, HungUp, NotSmtp) as error:
            raise OutcomeUnknown(f"{self._server} {silence(error, self._limits.dot)} {DOT}") from None

    def _noted(self, reply: SMTPResponse) -> SMTPResponse:
        self.turned_away = reply.code == SHUTTING_DOWN
        return reply

    async def _refused(self, step: Step, reply: SMTPResponse, mail: Mail) -> Exception:
        """Return what a reply other than the wanted one means.

        After a proper no the conversation goes on, once the commands that had left with the refused one are
        refused too. A server that wants the mail all the same would take the next command for its text.
        """
        error = refusal(step, reply, str(self._server), mail, is_first=self.mails == 1)
        if is_refusal(reply.code) and await self._refuses_what_follows(step) and self._wire.quiet:
            self._in_step = self._needs_reset = True
        return error

    async def _refuses_what_follows(self, step: Step) -> bool:
        if step not in _ENVELOPE or not self._pipelining:
            return True
        verbs = tuple(_ENVELOPE)
        try:
            async with asyncio.timeout(self._limits.rest):
                replies = [await self._ask(verb, b"") for verb in verbs[verbs.index(step) + 1 :]]
        except (TemporaryFailure, TimeoutError):
            return False
        return all(is_refusal(reply.code) for reply in replies)


async def _introduce(client: SMTP, server: Server) -> None:
    try:
        await client.ehlo()
    except SMTPHeloError as error:
        if error.code not in _NO_SUCH_COMMAND or server.tls == "starttls" or server.username:
            raise
        await client.helo()  # a server older than ESMTP (RFC 5321, 3.2)
    if server.tls == "starttls":
        await client.starttls()
        await client.ehlo()  # what was offered before TLS may have been forged (RFC 3207, 4.2)
    if server.username and server.password:
        await client.login(server.username, server.password.get_secret_value())


def _cut(client: SMTP) -> None:
    if client.transport is not None:
        cast("asyncio.WriteTransport", client.transport).abort()
    client.close()
