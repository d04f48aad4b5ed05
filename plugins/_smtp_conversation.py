"""One conversation with a mail server, in which the step that fails decides what the failure means.

A server cannot have taken a mail before the lone dot that ends its data was written (RFC 5321, 4.1.1.4). So
whatever goes wrong earlier is surely not sent, and what goes wrong between the dot and its reply is unknown.
aiosmtplib's `sendmail` does not tell the two apart; hence its public commands one by one. Its own time limits stay
off: they rest on `asyncio.wait_for`, which before Python 3.12 can swallow a cancellation.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, cast

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from feedback_app import ChannelDown, OutcomeUnknown, PermanentFailure, TemporaryFailure
from feedback_app.plugins._smtp_replies import (
    DOT,
    SHUTTING_DOWN,
    is_refusal,
    refusal,
    said,
    silence,
    why_not_open,
)

if TYPE_CHECKING:
    import ssl

    from aiosmtplib import SMTPResponse
    from aiosmtplib.protocol import SMTPProtocol
    from pydantic import SecretStr

    from feedback_app.plugins._mail_builder import Mail
    from feedback_app.plugins._smtp_replies import Step, Verb

_ONE_WRITE = 16 * 1024  # bytes: a socket's buffer takes them at once, so the mail and its dot leave together
_LOOK_AGAIN = 0.02  # seconds between looks at how much of a long mail is still unread

_OK, _FORWARDED, _GO_AHEAD = 250, 251, 354
_NO_SUCH_COMMAND = (500, 502)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long each step may take, in seconds, and how long a conversation is kept."""

    connect: float = 10.0  # the connection, its TLS and the greeting
    login: float = 120.0  # all from EHLO to the reply to AUTH
    reply: float = 60.0  # the reply to a command
    data: float = 120.0  # the server's reading of the mail
    dot: float = 600.0  # the reply to the dot (RFC 5321, 4.5.3.2.6): giving up earlier makes doubles
    idle: float = 60.0  # Postfix hangs up after 300
    turn: float = 120.0  # a free connection; the longest talk must still fit into the notifier's own limit
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


class NotStarted(TemporaryFailure):
    """The conversation ended before the server took up the mail."""


class TurnedAway(ChannelDown):
    """The server answered 421 before it took up the mail: too many connections, or it is shutting down."""


class Conversation:
    """A connection that is greeted and logged in, for one mail after the other.

    `fit` says whether it can take another mail. It is False from the first byte of a mail until the server's
    last reply to it was read and understood: a conversation that was cut in between would take the reply to
    one mail for the reply to the next.
    """

    def __init__(self, client: SMTP, server: Server, limits: Limits) -> None:
        self.mails = 0  # how many were begun
        self.turned_away = False  # the server's last reply was 421, at whatever step
        self._client = client
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
        except (SMTPException, OSError, ValueError) as error:
            _cut(client)
            closing = isinstance(error, SMTPResponseException) and error.code == SHUTTING_DOWN
            raise (TurnedAway if closing else ChannelDown)(why_not_open(server, error)) from None
        except BaseException:
            _cut(client)
            raise
        conversation = cls(client, server, limits)
        if conversation._has_unread_reply:
            conversation.cut()
            raise ChannelDown(f"{server} said more than it was asked for")
        return conversation

    @property
    def fit(self) -> bool:
        """Whether another mail can be sent."""
        return self._in_step and self._client.is_connected

    async def send(self, mail: Mail) -> str:
        """Hand over one mail and return what the server said.

        Raises what `Notifier.send` may raise; NotStarted when the connection turned out to be gone,
        TurnedAway when the server wants no more of it.
        """
        self._refuse_oversize(len(mail.data))
        self._in_step = False
        self.mails += 1
        await self._begin(mail)
        recipient = b"TO:<%s>" % mail.recipient.encode("ascii")
        self._expect((_OK, _FORWARDED), "RCPT", await self._ask("RCPT", recipient), mail)
        self._expect((_GO_AHEAD,), "DATA", await self._ask("DATA"), mail)
        reply = await self._hand_over(mail.data)
        self._expect((_OK,), DOT, reply, mail)
        self._in_step = not self._has_unread_reply
        return said(reply, mail)

    def leave(self) -> None:
        """Say goodbye and close, without waiting for the answer."""
        if self.fit:
            self._protocol.write(b"QUIT\r\n")
        self._client.close()

    def cut(self) -> None:
        """Close at once and drop whatever is still to be written."""
        _cut(self._client)

    async def _begin(self, mail: Mail) -> None:
        """Open the mail; a conversation that ends on the way here costs nothing."""
        try:
            if self._needs_reset and (await self._ask("RSET")).code != _OK:
                raise NotStarted(f"{self._server} does not take up another mail")
            self._needs_reset = False
            options = [b"SIZE=%d" % len(mail.data)] if self._client.supports_extension("size") else []
            reply = await self._ask("MAIL", b"FROM:<%s>" % mail.sender.encode("ascii"), *options)
        except TemporaryFailure as failure:
            raise NotStarted(failure.reason) from None
        if reply.code == SHUTTING_DOWN:
            raise TurnedAway(f"{self._server} answered MAIL with {said(reply, mail)}")
        self._expect((_OK,), "MAIL", reply, mail)

    async def _ask(self, verb: Verb, *arguments: bytes) -> SMTPResponse:
        """Send one command and return its reply; raises TemporaryFailure when none can be had."""
        try:
            async with asyncio.timeout(self._limits.reply):
                reply = await self._client.execute_command(verb.encode(), *arguments)
        except (TimeoutError, SMTPServerDisconnected, SMTPResponseException) as error:
            raise TemporaryFailure(f"{self._server} {silence(error, self._limits.reply)} {verb}") from None
        if self._has_unread_reply:
            raise TemporaryFailure(f"{self._server} said more than it was asked for at {verb}")
        return self._noted(reply)

    async def _hand_over(self, data: bytes) -> SMTPResponse:
        """Write the mail and its dot and return the reply to the dot."""
        wire = data.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        try:
            if len(wire) > _ONE_WRITE:
                await self._write_long(wire[:-3])
                wire = wire[-3:]
            self._protocol.write(wire)
        except (SMTPServerDisconnected, TimeoutError):
            raise TemporaryFailure(f"{self._server} did not read the mail to its end") from None
        try:
            async with asyncio.timeout(self._limits.dot):
                return self._noted(await self._protocol.read_response())
        except (TimeoutError, SMTPServerDisconnected, SMTPResponseException) as error:
            raise OutcomeUnknown(f"{self._server} {silence(error, self._limits.dot)} {DOT}") from None

    def _noted(self, reply: SMTPResponse) -> SMTPResponse:
        self.turned_away = reply.code == SHUTTING_DOWN
        return reply

    async def _write_long(self, data: bytes) -> None:
        """Return when the kernel has taken all of `data`: a dot in our own buffer may leave at any time."""
        self._protocol.write(data)
        transport = cast("asyncio.WriteTransport", self._client.transport)
        async with asyncio.timeout(self._limits.data):
            while transport.get_write_buffer_size():
                await asyncio.sleep(_LOOK_AGAIN)
                if transport.is_closing():
                    raise SMTPServerDisconnected("closed while reading the mail")

    def _refuse_oversize(self, size: int) -> None:
        limit = self._client.esmtp_extensions.get("size", "").strip()
        if limit.isdecimal() and 0 < int(limit) < size:
            raise PermanentFailure(f"the mail has {size} bytes, {self._server} takes at most {limit}")

    def _expect(self, wanted: tuple[int, ...], step: Step, reply: SMTPResponse, mail: Mail) -> None:
        """Raise what the reply means, unless it is one of those wanted."""
        if reply.code in wanted:
            return
        if is_refusal(reply.code) and not self._has_unread_reply:
            self._in_step = self._needs_reset = True
        raise refusal(step, reply.code, f"{self._server} answered {step} with {said(reply, mail)}")

    @property
    def _protocol(self) -> SMTPProtocol:
        if self._client.protocol is None:
            raise SMTPServerDisconnected("Server not connected")
        return self._client.protocol

    @property
    def _has_unread_reply(self) -> bool:
        """Whether more was sent than the reply just read: it would pass for the reply to the next command.

        aiosmtplib has no public name for it; should this one go, only the check is lost.
        """
        return bool(getattr(self._client.protocol, "_buffer", b""))


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
