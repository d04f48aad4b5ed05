"""The channel `sms`: into a file, through Twilio, Kannel, or another gateway by HTTP.

Settings, `[plugins.sms_notifier]`: see `Settings`. The default writes messages into the file `sms.jsonl`
beside the configuration, so that a first run needs no gateway.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from feedback_app import (
    Customer,
    DeliveryReceipt,
    ForgedReceipt,
    Message,
    Notifier,
    Receipt,
    ReceiptRequest,
    hookimpl,
)
from feedback_app.plugins._settings_checks import check_header_text, check_web_address, read_secret
from feedback_app.plugins._sms import Sms, compose, is_e164
from feedback_app.plugins._sms_http_settings import HttpSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feedback_app.plugins._sms_receipts import ReceiptReader

_DEFAULT_SENDER = "Feedback"  # of gateway "file"; Twilio takes only a sender of one's own
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")  # an alphanumeric sender has a letter
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_SERVICE_SID = re.compile(r"MG[0-9a-fA-F]{32}")
_ACCOUNT_SID = re.compile(r"[A-Za-z0-9]{1,64}")  # stands in the path of the URL


_NEEDED = {
    "file": (),
    "twilio": ("account_sid", "auth_token", "sender"),
    "kannel": ("username", "password", "sender"),
    "http": (),
}
PlainWord = Annotated[str, Field(pattern=r"^[!-~]+$")]  # as it stands in a header


class Settings(BaseModel):
    """The table `[plugins.sms_notifier]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    gateway: Literal["file", "twilio", "kannel", "http"] = "file"
    file: Path = Path("sms.jsonl")  # of gateway "file"
    url: str | None = None  # None: Twilio's API, or the sendsms of a Kannel on this machine
    sender: str | None = (
        None  # +4915112345678, a name of at most 11 letters, a short code, or a service's MG…
    )
    account_sid: str | None = None
    auth_token: SecretStr | None = Field(default=None, min_length=1)
    auth_token_file: Path | None = None
    username: PlainWord | None = None  # of gateway "kannel", as the next four
    password: SecretStr | None = Field(default=None, min_length=1)
    password_file: Path | None = None
    status_callback: str | None = None  # which Twilio shall call with what became of a message
    dlr_url: str | None = None  # the same for Kannel
    dlr_secret: SecretStr | None = Field(default=None, min_length=16)  # by which its calls are known
    dlr_secret_file: Path | None = None

    http: HttpSettings = HttpSettings()  # of gateway "http"

    @field_validator("url")
    @classmethod
    def _safe_url(cls, value: str | None) -> str | None:
        return None if value is None else check_web_address(value).rstrip("/")

    @field_validator("status_callback", "dlr_url")
    @classmethod
    def _safe_callback(cls, value: str | None) -> str | None:
        return None if value is None else check_web_address(value, may_have_query=True)

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
        problems = [
            f"{key} and {key}_file are both given; keep one"
            for key in ("auth_token", "password", "dlr_secret")
            if self.is_given(key) and self.is_given(f"{key}_file")
        ]
        problems += [
            f"gateway '{self.gateway}' needs {key}"
            for key in _NEEDED[self.gateway]
            if not (self.is_given(key) or self.is_given(f"{key}_file"))
        ]
        if self.dlr_url and not (self.is_given("dlr_secret") or self.is_given("dlr_secret_file")):
            problems.append("dlr_url needs dlr_secret, by which Kannel's calls are told from anybody's")
        if self.gateway == "http" and self.http.url is None:
            problems.append("gateway 'http' needs the table [plugins.sms_notifier.http] with a url")
        if self.gateway != "twilio" and self.sender and _SERVICE_SID.fullmatch(self.sender):
            problems.append("a messaging service's MG… is for gateway 'twilio'")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def is_given(self, key: str) -> bool:
        """Say whether a key has a value."""
        return getattr(self, key, None) is not None


class Gateway(Protocol):
    """Who takes text messages: `SmsFile`, `Twilio`, `Kannel` or `HttpSms`."""

    async def check(self) -> str | None:
        """Say what is reached, as `Notifier.check`."""

    async def open(self) -> None:
        """Get ready; raising fails the start."""

    async def close(self) -> None:
        """Let everything go."""

    async def submit(self, sms: Sms, now: float) -> Receipt:
        """Take responsibility for the message, at `now` (seconds since 1970).

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
        receipts: ReceiptReader | None = None,
    ) -> None:
        self._receipts = receipts
        self.on_unknown = on_unknown
        self._gateway = gateway
        self._sender = sender
        self._clock = clock

    def address(self, customer: Customer) -> str | None:
        """Return the customer's phone number where it can be dialled from anywhere."""
        return customer.phone if customer.phone and is_e164(customer.phone) else None

    async def check(self) -> str | None:
        """Reach the gateway; the login would cost a message."""
        return await self._gateway.check()

    async def open(self) -> None:
        """Get the gateway ready."""
        await self._gateway.open()

    async def send(self, message: Message) -> Receipt:
        """Clean and count the text and hand it to the gateway."""
        sms = compose(message, self._sender)
        taken = await self._gateway.submit(sms, self._clock())
        detail = "1 segment" if sms.segments == 1 else f"{sms.segments} segments"
        if taken.detail:
            detail += f"; {taken.detail}"
        return Receipt(provider_id=taken.provider_id, detail=detail)

    def read_receipts(self, request: ReceiptRequest) -> Sequence[DeliveryReceipt]:
        """Say what Twilio's status callback or Kannel's delivery report tells."""
        if self._receipts is None:
            raise ForgedReceipt("no gateway was told to send receipts")
        return self._receipts.read(request)

    async def close(self) -> None:
        """Close the gateway."""
        await self._gateway.close()


@hookimpl
def make_notifier(settings: Settings) -> Notifier:
    """Return the notifier for `sms`. Raises ValueError when a secret's file cannot be used."""
    sender = settings.sender or _DEFAULT_SENDER
    match settings.gateway:
        case "file":
            from feedback_app.plugins._sms_file import SmsFile

            # A second line with the same id does no harm: whoever reads the file tells it by the id.
            return SmsNotifier(SmsFile(settings.file), sender, on_unknown="resend")
        case "twilio":
            return _twilio(settings, sender)
        case "kannel":
            return _kannel(settings, sender)
        case "http":
            knows_ids = settings.http.idempotency_header is not None
            return SmsNotifier(_http(settings.http), sender, on_unknown="resend" if knows_ids else "hold")


def _twilio(settings: Settings, sender: str) -> Notifier:
    from feedback_app.plugins._sms_receipts import TwilioReceipts
    from feedback_app.plugins._twilio import DEFAULT_URL, Account, Twilio

    token = read_secret("auth_token", settings.auth_token, settings.auth_token_file)
    assert token
    assert settings.account_sid
    account = Account(url=settings.url or DEFAULT_URL, sid=settings.account_sid, token=token)
    receipts = TwilioReceipts(settings.status_callback, token) if settings.status_callback else None
    return SmsNotifier(Twilio(account, receipts), sender, on_unknown="hold", receipts=receipts)


def _kannel(settings: Settings, sender: str) -> Notifier:
    from feedback_app.plugins._kannel import DEFAULT_URL, Kannel, KannelUser
    from feedback_app.plugins._sms_receipts import KannelReceipts

    password = read_secret("password", settings.password, settings.password_file)
    assert password
    assert settings.username
    check_header_text("password", password)
    user = KannelUser(url=settings.url or DEFAULT_URL, username=settings.username, password=password)
    secret = read_secret("dlr_secret", settings.dlr_secret, settings.dlr_secret_file)
    receipts = KannelReceipts(settings.dlr_url, secret) if settings.dlr_url and secret else None
    return SmsNotifier(Kannel(user, receipts), sender, on_unknown="hold", receipts=receipts)


def _http(settings: HttpSettings) -> Gateway:
    from feedback_app.plugins._sms_http import HttpSms

    assert settings.url
    secret = read_secret("secret", settings.secret, settings.secret_file)
    if secret:
        check_header_text("secret", secret)
    return HttpSms(settings.url, settings, secret.get_secret_value() if secret else "")
