"""The channel `sms`: into a file, or through Twilio.

Settings, `[plugins.sms_notifier]`: see `Settings`. The default writes messages into the file `sms.jsonl`
beside the configuration, so that a first run needs no gateway.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from feedback_app import Customer, Message, Notifier, Receipt, hookimpl
from feedback_app.plugins._settings_checks import check_web_address, read_secret
from feedback_app.plugins._sms import Sms, compose, is_e164

if TYPE_CHECKING:
    from collections.abc import Callable

_DEFAULT_SENDER = "Feedback"  # of gateway "file"; Twilio takes only a sender of one's own
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")  # an alphanumeric sender has a letter
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_SERVICE_SID = re.compile(r"MG[0-9a-fA-F]{32}")
_ACCOUNT_SID = re.compile(r"[A-Za-z0-9]{1,64}")  # stands in the path of the URL


class Settings(BaseModel):
    """The table `[plugins.sms_notifier]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    gateway: Literal["file", "twilio"] = "file"
    file: Path = Path("sms.jsonl")  # of gateway "file"
    url: str = "https://api.twilio.com/2010-04-01"  # the API's base
    sender: str | None = (
        None  # +4915112345678, a name of at most 11 letters, a short code, or a service's MG…
    )
    account_sid: str | None = None
    auth_token: SecretStr | None = Field(default=None, min_length=1)
    auth_token_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _safe_url(cls, value: str) -> str:
        return check_web_address(value).rstrip("/")

    @field_validator("sender")
    @classmethod
    def _known_kind_of_sender(cls, value: str | None) -> str | None:
        kinds = (_NAME, _SHORT_CODE, _SERVICE_SID)
        if value is None or is_e164(value) or any(kind.fullmatch(value) for kind in kinds):
            return value
        raise ValueError(
            "not a sender; write a number such as +4915112345678, a name of at most 11 letters and digits, "
            "a short code, or the MG… of a messaging service"
        )

    @field_validator("account_sid")
    @classmethod
    def _one_word(cls, value: str | None) -> str | None:
        if value is not None and not _ACCOUNT_SID.fullmatch(value):
            raise ValueError("not an account's sid; Twilio's console shows it, it begins with AC")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = []
        has_token = self.auth_token is not None or self.auth_token_file is not None
        if self.auth_token is not None and self.auth_token_file is not None:
            problems.append("auth_token and auth_token_file are both given; keep one")
        if self.gateway == "twilio":
            given = {"account_sid": self.account_sid, "auth_token": has_token, "sender": self.sender}
            problems += [f"gateway 'twilio' needs {key}" for key, value in given.items() if not value]
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Gateway(Protocol):
    """Who takes text messages: `SmsFile` or `Twilio`."""

    async def open(self) -> None:
        """Get ready; raising fails the start."""

    async def close(self) -> None:
        """Let everything go."""

    async def submit(self, sms: Sms, now: float) -> str | None:
        """Take responsibility for the message, at `now` (seconds since 1970); return the gateway's id for it.

        Raises what `Notifier.send` may raise.
        """
        ...


class SmsNotifier(Notifier):
    """Sends messages as text messages of few segments."""

    channel = "sms"
    timeout = 60.0

    def __init__(
        self,
        gateway: Gateway,
        sender: str,
        on_unknown: Literal["resend", "hold"],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.on_unknown = on_unknown
        self._gateway = gateway
        self._sender = sender
        self._clock = clock

    def address(self, customer: Customer) -> str | None:
        """Return the customer's phone number where it can be dialled from anywhere."""
        return customer.phone if customer.phone and is_e164(customer.phone) else None

    async def open(self) -> None:
        """Get the gateway ready."""
        await self._gateway.open()

    async def send(self, message: Message) -> Receipt:
        """Clean and count the text and hand it to the gateway."""
        sms = compose(message, self._sender)
        provider_id = await self._gateway.submit(sms, self._clock())
        detail = "1 segment" if sms.segments == 1 else f"{sms.segments} segments"
        return Receipt(provider_id=provider_id, detail=detail)

    async def close(self) -> None:
        """Close the gateway."""
        await self._gateway.close()


@hookimpl
def make_notifier(settings: Settings) -> Notifier:
    """Return the notifier for `sms`. Raises ValueError when the token's file cannot be used."""
    if settings.gateway == "file":
        from feedback_app.plugins._sms_file import SmsFile

        # A second line with the same id does no harm: whoever reads the file tells it by the id.
        return SmsNotifier(SmsFile(settings.file), settings.sender or _DEFAULT_SENDER, on_unknown="resend")
    from feedback_app.plugins._twilio import Account, Twilio

    token = read_secret("auth_token", settings.auth_token, settings.auth_token_file)
    if not (token and settings.account_sid and settings.sender):
        raise ValueError("gateway 'twilio' needs account_sid, auth_token and sender")
    account = Account(url=settings.url, sid=settings.account_sid, token=token)
    return SmsNotifier(Twilio(account), settings.sender, on_unknown="hold")
