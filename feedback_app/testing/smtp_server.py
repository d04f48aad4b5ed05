"""A mail server on loopback that records what it takes (needs aiosmtpd: `pip install 'feedback-app[testing]'`)."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from feedback_app.testing.far_side import FarSide
from feedback_app.testing.wire import LOOPBACK, free_port

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from aiosmtpd.smtp import Envelope, Session

    from feedback_app.testing.far_side import Fault, Faults

_LAST = 5.0  # seconds that connections have to close


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedMail:
    """One mail as it came over the wire."""

    sender: str  # of MAIL FROM
    recipients: tuple[str, ...]  # of RCPT TO
    data: bytes  # without the doubled dots


class RecordingSmtpServer(FarSide):
    """A well-behaved mail server: `with RecordingSmtpServer() as server:` starts and stops it.

    `mails` are those it has taken, in order; `conversations` counts the connections. With `starttls` nothing is
    taken before STARTTLS; with `tls` every connection begins with TLS. It runs in a thread of its own.
    Mailboxes in `unknown` do not exist.
    """

    host = LOOPBACK

    def __init__(self, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.port = free_port()
        self.mails: list[ReceivedMail] = []
        self.unknown: set[str] = set()
        self.conversations = 0
        self._starttls = starttls
        self._fault: Fault | None = None  # what is wrong at the moment
        self._talks: list[SMTP] = []
        self._controller = _CountingController(self, tls)

    def __enter__(self) -> Self:
        self._controller.start()
        self.conversations = 0  # the controller has tried one to see whether the server is up
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._controller.loop).result(_LAST)
        self._controller.stop()

    async def _hang_up(self) -> None:
        """Close what is still open; whatever the loop's end leaves, only the garbage collector would."""
        while open_ones := [one.transport for one in self._talks if one.transport is not None]:
            for transport in open_ones:
                cast("asyncio.WriteTransport", transport).abort()
            await asyncio.sleep(0)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name and arguments
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the sender, unless the account is to be refused."""
        if self._fault == "channel_down":
            return "530 5.7.0 authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the recipient, unless it is to be refused."""
        if self._fault == "temporary":
            return "451 4.3.0 try again later"
        if self._fault == "permanent" or address in self.unknown:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Record the mail."""
        while self._fault == "silence":  # noqa: ASYNC110 - it ends in another thread
            await asyncio.sleep(0.01)
        mail = ReceivedMail(
            sender=str(envelope.mail_from),
            recipients=tuple(envelope.rcpt_tos),
            data=bytes(cast("bytes", envelope.content)),
        )
        self.mails.append(mail)
        return f"250 2.0.0 queued as {len(self.mails)}"

    def smtp(self) -> SMTP:
        """Return the protocol for one more connection."""
        self.conversations += 1
        talk = SMTP(
            self,
            hostname="localhost",
            tls_context=self._starttls,
            require_starttls=self._starttls is not None,
        )
        self._talks.append(talk)
        return talk

    def received(self) -> list[str]:
        """Return the mails as texts."""
        return [mail.data.decode(errors="replace") for mail in self.mails]

    @property
    def faults(self) -> Faults:
        """How to provoke each fault but one that breaks off."""
        known: tuple[Fault, ...] = ("temporary", "permanent", "channel_down", "silence")
        return {fault: self._lasting(fault) for fault in known}

    def _lasting(self, fault: Fault) -> Callable[[], AbstractContextManager[None]]:
        @contextlib.contextmanager
        def lasting() -> Iterator[None]:
            self._fault = fault
            try:
                yield
            finally:
                self._fault = None

        return lasting


class _CountingController(Controller):
    def __init__(self, owner: RecordingSmtpServer, tls: ssl.SSLContext | None) -> None:
        super().__init__(owner, hostname=owner.host, port=owner.port, ssl_context=tls)
        self._owner = owner

    def factory(self) -> SMTP:
        return self._owner.smtp()
