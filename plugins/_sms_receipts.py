"""What becomes of text messages later: Twilio's status callbacks, Kannel's delivery reports.

Both name the message by our id, which stands in the URL that they were told to call, so a receipt may come before the
gateway's own answer. Twilio signs its requests (https://www.twilio.com/docs/usage/webhooks/webhooks-security); Kannel
does not, so its URL carries a secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias
from urllib.parse import parse_qsl, quote, urlsplit

from feedback_app import DeliveryReceipt, ForgedReceipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from feedback_app import ReceiptRequest

State: TypeAlias = Literal["delivered", "delayed", "failed"]

_MESSAGE, _SECRET = "message", "secret"  # parameters of the URLs
_TWILIO: dict[str, State] = {
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "failed",
    "failed": "failed",
}
# https://www.twilio.com/docs/api/errors: an unknown or ceased number, a landline.
_NOBODY = frozenset({"30005", "30006"})
_KANNEL: dict[str, State] = {"1": "delivered", "2": "failed", "4": "delayed", "16": "failed"}
_KANNEL_SAID = {"1": "delivered", "2": "not delivered", "4": "buffered", "16": "refused by the centre"}


class ReceiptReader(Protocol):
    """What one gateway is told to call, and what its calls mean."""

    def url(self, message_id: str) -> str:
        """Return the URL to be called for a message."""
        ...

    def read(self, request: ReceiptRequest) -> Sequence[DeliveryReceipt]:
        """See `Notifier.read_receipts`."""
        ...


def _with(url: str, **parameters: str) -> str:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    return f"{url}{'&' if urlsplit(url).query else '?'}{query}"


def _query(request: ReceiptRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))


def _message_id(found: dict[str, str]) -> str:
    if not found.get(_MESSAGE):
        raise ValueError(f"the URL names no message: there is no {_MESSAGE}=")
    return found[_MESSAGE]


class TwilioReceipts:
    """Status callbacks, signed with the account's token."""

    def __init__(self, url: str, token: SecretStr) -> None:
        self._url = url
        self._token = token

    def url(self, message_id: str) -> str:
        """Return the StatusCallback of a message."""
        return _with(self._url, **{_MESSAGE: message_id})

    def read(self, request: ReceiptRequest) -> Sequence[DeliveryReceipt]:
        """Check the signature; states on the way, such as `sent`, tell nothing."""
        try:
            form = sorted(parse_qsl(request.body.decode(), keep_blank_values=True))
        except ValueError as error:
            raise ForgedReceipt("the body is no form") from error
        signed = request.url + "".join(name + value for name, value in form)
        key = self._token.get_secret_value().encode()
        wanted = base64.b64encode(hmac.digest(key, signed.encode(), hashlib.sha1)).decode()
        if not hmac.compare_digest(wanted.encode(), request.headers.get("x-twilio-signature", "").encode()):
            raise ForgedReceipt("X-Twilio-Signature does not fit the URL, the body and auth_token")
        fields = dict(form)
        state = _TWILIO.get(fields.get("MessageStatus", ""))
        if state is None:
            return ()
        code = fields.get("ErrorCode", "")
        detail = f"Twilio: {fields['MessageStatus']}" + (f", error {code}" if code else "")
        message = _message_id(_query(request))
        return [
            DeliveryReceipt(
                message_id=message,
                state=state,
                detail=detail,
                bad_address=state == "failed" and code in _NOBODY,
                provider_id=fields.get("MessageSid") or None,
            )
        ]


class KannelReceipts:
    """Delivery reports; the URL is `{url}&status=%d`, and Kannel puts the event's number there."""

    def __init__(self, url: str, secret: SecretStr) -> None:
        self._url = url
        self._secret = secret

    def url(self, message_id: str) -> str:
        """Return the DLR-URL of a message."""
        named = _with(self._url, **{_MESSAGE: message_id, _SECRET: self._secret.get_secret_value()})
        return f"{named.replace('%', '%%')}&status=%d"

    def read(self, request: ReceiptRequest) -> Sequence[DeliveryReceipt]:
        """Check the secret; events on the way, such as 8 (taken by the centre), tell nothing."""
        found = _query(request)
        secret = self._secret.get_secret_value().encode()
        if not hmac.compare_digest(secret, found.get(_SECRET, "").encode()):
            raise ForgedReceipt("the URL does not carry dlr_secret")
        status = found.get("status", "")
        if status not in _KANNEL:
            return ()
        detail = f"Kannel: {_KANNEL_SAID[status]}"
        return [DeliveryReceipt(message_id=_message_id(found), state=_KANNEL[status], detail=detail)]
