"""Kannel's sendsms and what its answers mean (https://kannel.org, user guide, "Using HTTP to send SMS messages").

Posted with headers, so that neither the password nor the text stand in a URL, which proxies write down. Kannel tells
no second copy from the first, so where an answer leaves open whether the message was taken, that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feedback_app import PermanentFailure, Receipt, TemporaryFailure
from feedback_app.plugins._http_gateway import ANSWER_LIMIT, Answer, HttpGateway, refusal, retry_after
from feedback_app.plugins._redaction import piece_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from feedback_app.plugins._sms import Sms
    from feedback_app.plugins._sms_receipts import ReceiptReader

DEFAULT_URL = "http://localhost:13013/cgi-bin/sendsms"

_ALL_EVENTS = "31"  # 1 delivered, 2 failed, 4 buffered, 8 taken, 16 refused; their sum
_TAKEN = 202  # "0: Accepted for delivery", "3: Queued for later delivery"
_NOT_ROUTABLE, _LATER = b"Not routable", b"Temporal failure"
_UNAVAILABLE = 503
_CODINGS = {"GSM-7": "0", "UCS-2": "2"}


@dataclass(frozen=True, kw_only=True, slots=True)
class KannelUser:
    """Whose messages they are, and where they are handed in."""

    url: str  # of sendsms
    username: str
    password: SecretStr


class Kannel:
    """Hands text messages to a Kannel gateway."""

    def __init__(
        self, user: KannelUser, receipts: ReceiptReader | None = None, answer_limit: float = ANSWER_LIMIT
    ) -> None:
        self._user = user
        self._receipts = receipts
        self._gateway = HttpGateway(user.url, answer_limit)

    async def check(self) -> str:
        """Reach the gateway, as `HttpGateway.reach`."""
        return await self._gateway.reach()

    async def open(self) -> None:
        """Connect only when there is a message: a gateway that is down must not stop the start."""

    async def close(self) -> None:
        """Close all connections."""
        await self._gateway.close()

    async def submit(self, sms: Sms, now: float) -> Receipt:
        """Hand the message in; raises what `Notifier.send` may raise."""
        answer = await self._gateway.ask("POST", self._user.url, self._headers(sms), sms.text.encode())
        private = (sms.recipient, sms.recipient[1:], sms.text, self._user.password.get_secret_value())
        piece = piece_of(answer.body, private)
        if answer.status == _TAKEN:
            return Receipt(detail=piece or None)  # Kannel gives its messages no ids
        raise _refusal(answer, f"{self._gateway} answered {answer.status}", piece, now)

    def _headers(self, sms: Sms) -> dict[str, str]:
        user = self._user
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",  # Kannel converts it to what the coding wants
            "X-Kannel-Username": user.username,
            "X-Kannel-Password": user.password.get_secret_value(),
            "X-Kannel-From": sms.sender,
            "X-Kannel-To": sms.recipient,
            "X-Kannel-Coding": _CODINGS[sms.encoding],
        }
        if self._receipts is not None:
            headers["X-Kannel-DLR-Mask"] = _ALL_EVENTS
            headers["X-Kannel-DLR-URL"] = self._receipts.url(sms.message_id)
        return headers


def _refusal(answer: Answer, said: str, piece: str, now: float) -> Exception:
    """Return the error that an answer other than 202 means; some say in words only what became of the message."""
    if _NOT_ROUTABLE in answer.body:
        return PermanentFailure(f"{said}: {piece}")
    if answer.status == _UNAVAILABLE and _LATER in answer.body:
        return TemporaryFailure(f"{said}: {piece}", retry_after(answer.retry_after, now))
    return refusal(answer, said, now, piece=piece, lost_is_down=True)
