"""The channel `email`: into a Maildir, or to a mail server.

Settings, `[plugins.email_notifier]`: see `Settings`. The default writes mails into the folder `mail` beside
the configuration, where any mail reader shows them, so that a first run needs no server.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from feedback_app import Customer, Message, Notifier, Receipt, hookimpl
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox
from feedback_app.plugins._settings_checks import is_host, is_loopback, read_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from feedback_app.plugins._mail_builder import Mail

Tls = Literal["none", "starttls", "tls"]
_DEFAULT_PORTS: dict[Tls, int] = {"none": 25, "starttls": 587, "tls": 465}


class Settings(BaseModel):
    """The table `[plugins.email_notifier]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    transport: Literal["maildir", "smtp"] = "maildir"
    maildir: Path = Path("mail")  # the folder of transport "maildir"
    sender: str = "feedback@localhost.localdomain"  # or "Name <address>"
    host: str = ""  # the mail server of transport "smtp"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None  # None: 25, 587 or 465 by `tls`
    tls: Tls | None = None  # None: "none" to this very machine, "starttls" to any other
    username: str | None = Field(default=None, min_length=1)
    password: SecretStr | None = Field(default=None, min_length=1)
    password_file: Path | None = None
    connections: int = Field(default=4, ge=1, le=100)  # at most so many at once

    @field_validator("sender")
    @classmethod
    def _one_sender(cls, value: str) -> str:
        try:
            parse_mailbox(value)
        except ValueError:
            raise ValueError(
                "not one plain address; write 'shop@example.com' or 'Shop <shop@example.com>'"
            ) from None
        return value

    @field_validator("host")
    @classmethod
    def _host_name(cls, value: str) -> str:
        if value and not is_host(value):
            raise ValueError("not a host name or an IP address; the port is a setting of its own")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = []
        if self.transport == "smtp" and not self.host:
            problems.append("transport 'smtp' needs host, the name of the mail server")
        if self.password is not None and self.password_file is not None:
            problems.append("password and password_file are both given; keep one")
        if self.has_password and self.username is None:
            problems.append("a password is given without username")
        if self.username is not None and not self.has_password:
            problems.append("username is given without password or password_file")
        if self.has_password and self.effective_tls == "none" and not self._stays_here:
            problems.append(
                "tls 'none' would show the password to everybody on the way; use 'starttls' or 'tls'"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def has_password(self) -> bool:
        """Whether a password is given, in one way or the other."""
        return self.password is not None or self.password_file is not None

    @property
    def effective_tls(self) -> Tls:
        """How the conversation is secured."""
        return self.tls or ("none" if self._stays_here else "starttls")

    @property
    def _stays_here(self) -> bool:
        return not self.host or is_loopback(self.host)

    @property
    def effective_port(self) -> int:
        """Where the mail server listens."""
        return self.port or _DEFAULT_PORTS[self.effective_tls]


class Outlet(Protocol):
    """Where mails go: a `Maildir` or an `SmtpPool`."""

    async def check(self) -> str | None:
        """Say what is reached, as `Notifier.check`."""

    async def open(self) -> None:
        """Get ready; raising fails the start."""

    async def close(self) -> None:
        """Let everything go."""

    async def deliver(self, mail: Mail) -> str:
        """Take responsibility for the mail and return what to show for it.

        Raises what `Notifier.send` may raise.
        """
        ...


class EmailNotifier(Notifier):
    """Sends messages as mails with a text and, where there is one, an HTML part."""

    channel = "email"
    timeout = 1300.0  # all that a conversation may take; ten minutes of it are for the reply to the dot alone
    on_unknown = "resend"  # the Message-ID is the same, so mail systems and readers tell the second copy

    def __init__(self, builder: MailBuilder, outlet: Outlet, clock: Callable[[], float] = time.time) -> None:
        self._builder = builder
        self._outlet = outlet
        self._clock = clock

    def address(self, customer: Customer) -> str | None:
        """Return the customer's e-mail address."""
        return customer.email or None

    async def check(self) -> str | None:
        """Greet the mail server, log in and leave."""
        return await self._outlet.check()

    async def open(self) -> None:
        """Get the outlet ready."""
        await self._outlet.open()

    async def send(self, message: Message) -> Receipt:
        """Build the mail and hand it to the outlet."""
        return Receipt(detail=await self._outlet.deliver(self._builder.build(message, self._clock())))

    async def close(self) -> None:
        """Close the outlet."""
        await self._outlet.close()


@hookimpl
def make_notifier(settings: Settings) -> Notifier:
    """Return the notifier for `email`. Raises ValueError when the password's file cannot be used."""
    return EmailNotifier(MailBuilder(parse_mailbox(settings.sender)), _outlet(settings))


def _outlet(settings: Settings) -> Outlet:
    if settings.transport == "maildir":
        from feedback_app.plugins._maildir import Maildir

        return Maildir(settings.maildir)
    from feedback_app.plugins._smtp_conversation import Server
    from feedback_app.plugins._smtp_pool import SmtpPool

    server = Server(
        host=settings.host,
        port=settings.effective_port,
        tls=settings.effective_tls,
        username=settings.username,
        password=read_secret("password", settings.password, settings.password_file),
    )
    return SmtpPool(server, settings.connections)
