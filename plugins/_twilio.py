"""Twilio's Messages API and what its answers mean (https://www.twilio.com/docs/messaging/api/message-resource).

The API takes no idempotency key, so where an answer leaves open whether the message was taken, that is said.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import httpx2

from feedback_app import ChannelDown, OutcomeUnknown, PermanentFailure, Receipt, TemporaryFailure
from feedback_app.plugins._http_gateway import ANSWER_LIMIT, Answer, HttpGateway, retry_after
from feedback_app.plugins._redaction import presentable

if TYPE_CHECKING:
    from pydantic import SecretStr

    from feedback_app.plugins._sms import Sms
    from feedback_app.plugins._sms_receipts import ReceiptReader

DEFAULT_URL = "https://api.twilio.com/2010-04-01"  # the API's base

# Codes of https://www.twilio.com/docs/api/errors. 21606 and 21659 (this sender to this number) are in neither
# set: one such number must not stop the channel for all the others.
_ACCOUNT_AT_FAULT = frozenset({20003, 20005, 21212, 21601, 21603, 21701, 21703})
_NOBODY = frozenset({21211, 21614})  # no number, or none that takes text messages
_NUMBER_AT_FAULT = frozenset({21408, 21608, 21610, 21612}) | _NOBODY
_BUSY = frozenset({20429, 21611})

_CREATED = (200, 201)
_NOT_TAKEN = (408, 429)
_CLIENT_ERRORS = range(400, 500)
_CHECK_ACCOUNT = "check account_sid and auth_token"
_CHECK_URL = "check url and account_sid"
_CHANNEL_DOWN = {  # statuses that every message would get, and what to do about them
    **dict.fromkeys((301, 302, 307, 308), "redirects are not followed; check url"),
    **dict.fromkeys((401, 402, 403), _CHECK_ACCOUNT),
    **dict.fromkeys((404, 405, 407), _CHECK_URL),
}

_SERVICE_SID = re.compile(r"MG[0-9a-fA-F]{32}")
_CODES = 100_000  # its error codes have five digits; a longer number may be a customer's
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Whose messages they are and where they are handed in."""

    url: str  # the API's base, without a slash at its end
    sid: str
    token: SecretStr

    def __str__(self) -> str:
        return urlsplit(self.url).netloc


class Twilio:
    """Hands text messages to Twilio, or to whatever speaks its API at `Account.url`."""

    def __init__(
        self, account: Account, receipts: ReceiptReader | None = None, answer_limit: float = ANSWER_LIMIT
    ) -> None:
        self._account = account
        self._receipts = receipts
        self._endpoint = f"{account.url}/Accounts/{account.sid}/Messages.json"
        login = httpx2.BasicAuth(account.sid, account.token.get_secret_value())
        self._gateway = HttpGateway(account.url, answer_limit, login)

    async def check(self) -> str:
        """Reach the gateway, as `HttpGateway.reach`."""
        return await self._gateway.reach()

    async def open(self) -> None:
        """Connect only when there is a message: a gateway that is down must not stop the start."""

    async def close(self) -> None:
        """Close all connections."""
        await self._gateway.close()

    async def submit(self, sms: Sms, now: float) -> Receipt:
        """Hand the message in and return its sid; raises what `Notifier.send` may raise."""
        sender = "MessagingServiceSid" if _SERVICE_SID.fullmatch(sms.sender) else "From"
        form = {"To": sms.recipient, sender: sms.sender, "Body": sms.text}
        if self._receipts is not None:
            form["StatusCallback"] = self._receipts.url(sms.message_id)
        answer = await self._gateway.ask("POST", self._endpoint, _FORM, urlencode(form).encode())
        return Receipt(provider_id=self._sid(answer, now))

    def _sid(self, answer: Answer, now: float) -> str:
        content = _json_object(answer.body)
        sid, code = content.get("sid"), content.get("code")
        if answer.status in _CREATED and isinstance(sid, str) and sid:
            return presentable(sid)
        known = code if isinstance(code, int) and 0 < code < _CODES else None
        raise _refusal(answer, known, str(self._account), now)


def _refusal(
    answer: Answer, code: int | None, gateway: str, now: float
) -> ChannelDown | OutcomeUnknown | PermanentFailure | TemporaryFailure:
    """Return the error that an answer other than a created message means.

    Twilio's own words quote the customer's number, so only its code is passed on; its site explains it.
    """
    said = f"{gateway} answered {answer.status}"
    if code is not None:
        said += f" with error {code} (https://www.twilio.com/docs/api/errors/{code})"
    is_client_error = answer.status in _CLIENT_ERRORS
    if answer.status in _NOT_TAKEN or (is_client_error and code in _BUSY):
        return TemporaryFailure(said, retry_after(answer.retry_after, now))
    if is_client_error and code in _NUMBER_AT_FAULT:
        return PermanentFailure(said, bad_address=code in _NOBODY)
    if is_client_error and code in _ACCOUNT_AT_FAULT:
        return ChannelDown(f"{said}; check account_sid, auth_token and sender")
    if answer.status in _CHANNEL_DOWN:
        return ChannelDown(f"{said}; {_CHANNEL_DOWN[answer.status]}")
    if is_client_error:
        return PermanentFailure(said)
    return OutcomeUnknown(f"{said} without a message's sid", retry_after(answer.retry_after, now))


def _json_object(body: bytes) -> dict[str, object]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
