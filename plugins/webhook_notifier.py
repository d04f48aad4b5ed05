"""The channel `webhook`: each message is posted as JSON to one address, signed as Standard Webhooks asks.

Settings, `[plugins.webhook_notifier]`: see `Settings`. Without them the plugin is idle.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - pydantic asks for it
from typing import TYPE_CHECKING, Self

import msgspec
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator, model_validator

from feedback_app import Message, Notifier, Receipt, hookimpl
from feedback_app.plugins._redaction import piece_of
from feedback_app.plugins._settings_checks import check_web_address, read_secret
from feedback_app.plugins._standard_webhooks import parse_keys, signature

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feedback_app.plugins._http_gateway import Answer, HttpGateway

_TAKEN = range(200, 300)


class Settings(BaseModel):
    """The table `[plugins.webhook_notifier]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str  # where messages are posted to
    secret: SecretStr | None = None  # whsec_…; several, apart by blanks, while the receiver changes its own
    secret_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _safe_url(cls, value: str) -> str:
        return check_web_address(value, may_have_query=True)

    @field_validator("secret")
    @classmethod
    def _well_formed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_keys(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("secret and secret_file are both given; keep one")
        if self.secret is None and self.secret_file is None:
            raise ValueError(
                "needs secret or secret_file, with which the receiver tells your messages from others"
            )
        return self


class WebhookNotifier(Notifier):
    """Posts messages; the receiver tells a second copy by the header `webhook-id`."""

    channel = "webhook"
    timeout = 60.0
    on_unknown = "resend"

    def __init__(
        self, url: str, keys: Sequence[bytes], gateway: HttpGateway, clock: Callable[[], float] = time.time
    ) -> None:
        self._url = url
        self._keys = keys
        self._gateway = gateway
        self._clock = clock

    async def send(self, message: Message) -> Receipt:
        """Post the message; a status 2xx means that it was taken."""
        now = self._clock()
        body = _body(message, now)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "feedback_app",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now)),
            "webhook-signature": signature(self._keys, message.id, int(now), body),
        }
        return self._receipt(await self._gateway.ask("POST", self._url, headers, body), message, now)

    async def check(self) -> str:
        """Reach the receiver, as `HttpGateway.reach`."""
        return await self._gateway.reach()

    def _receipt(self, answer: Answer, message: Message, now: float) -> Receipt:
        from feedback_app.plugins._http_gateway import refusal

        names = (message.customer_name, *(message.customer_name or "").split())
        private = (message.recipient, *names, message.subject, message.text, message.html)
        piece = piece_of(answer.body, private)
        said = f"answered {answer.status}"
        if answer.status in _TAKEN:
            return Receipt(detail=f"{said}: {piece}" if piece else said)
        raise refusal(answer, f"{self._gateway} {said}", now, piece=piece)

    async def close(self) -> None:
        """Close all connections."""
        await self._gateway.close()


def _body(message: Message, now: float) -> bytes:
    event = {
        "type": f"message.{message.purpose}",
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "data": msgspec.structs.asdict(message),
    }
    # Half of a letter beyond 16 bits, which a comment may hold, is no text anywhere else.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


@hookimpl
def make_notifier(settings: Settings) -> Notifier:
    """Return the notifier for `webhook`. Raises ValueError when the secret's file cannot be used."""
    from feedback_app.plugins._http_gateway import HttpGateway

    secret = read_secret("secret", settings.secret, settings.secret_file)
    try:
        keys = parse_keys(secret.get_secret_value() if secret else "")
    except ValueError as error:
        raise ValueError(f"secret_file: {settings.secret_file}: {error}") from None
    return WebhookNotifier(settings.url, keys, HttpGateway(settings.url))
