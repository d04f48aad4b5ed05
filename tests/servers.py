"""Real servers on loopback that record what arrives: a mail server, and an SMS gateway that speaks Twilio's API.

Each runs in a thread of its own, so that a test, or a program that the test starts, meets it over the network only.
"""

from __future__ import annotations

import base64
import hmac
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from feedback_app.testing.http_server import HttpAnswer, ReceivedRequest, RecordingHttpServer
from feedback_app.testing.smtp_server import ReceivedMail, RecordingSmtpServer
from feedback_app.testing.wire import LOOPBACK, Act, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LOOPBACK",
    "TLS_DATA",
    "Act",
    "HttpAnswer",
    "ReceivedMail",
    "ReceivedSms",
    "RecordingHttpGateway",
    "RecordingHttpServer",
    "RecordingSmtpServer",
    "free_port",
    "server_tls",
    "twilio_error",
]

TLS_DATA = Path(__file__).parent / "data" / "tls"


def server_tls(certificate: str = "good.pem") -> ssl.SSLContext:
    """Return a server's side of TLS with one of the test certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS_DATA / certificate, TLS_DATA / "key.pem")
    return context


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedSms:
    """One message that the gateway has taken."""

    recipient: str
    sender: str  # a number, a name or the sid of a messaging service
    body: str
    sid: str


class RecordingHttpGateway(RecordingHttpServer):
    """An SMS gateway that checks requests as Twilio does: `with RecordingHttpGateway() as gateway:`.

    `answers` are given to the first requests, one each, instead of the work; `messages` are those it has taken.
    """

    account_sid = "AC" + "0" * 32
    auth_token = "canary-token"

    def __init__(
        self, answers: Sequence[HttpAnswer | Act] = (), *, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(answers, tls=tls)
        self.messages: list[ReceivedSms] = []
        self.url += "/2010-04-01"

    def work(self, request: ReceivedRequest) -> HttpAnswer:
        """Return what Twilio would say."""
        content = parse_qs(request.body.decode("ascii"), keep_blank_values=True)
        form = {name: values[0] for name, values in content.items() if len(values) == 1}
        credentials = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"Basic {credentials}"):
            return twilio_error(401, 20003)
        if request.path != f"/2010-04-01/Accounts/{self.account_sid}/Messages.json":
            return twilio_error(404, 20404)
        senders = form.keys() & {"From", "MessagingServiceSid"}
        if len(senders) != 1:
            return twilio_error(400, 21603)
        if not form.get("To", "").startswith("+"):
            return twilio_error(400, 21211)
        if not form.get("Body"):
            return twilio_error(400, 21602)
        sid = f"SM{len(self.messages):032x}"
        sms = ReceivedSms(recipient=form["To"], sender=form[senders.pop()], body=form["Body"], sid=sid)
        self.messages.append(sms)
        return HttpAnswer(status=201, body=json.dumps({"sid": sid, "status": "queued"}).encode())


def twilio_error(status: int, code: int, **headers: str) -> HttpAnswer:
    """Return an error as Twilio words it, the customer's number quoted."""
    body = {"code": code, "message": "The 'To' number +4915112345678 is not valid", "status": status}
    return HttpAnswer(
        status=status,
        body=json.dumps(body).encode(),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
