"""Real servers on loopback that record what arrives: a mail server, and an SMS gateway that speaks Twilio's API.

Each runs in a thread of its own, so that a test, or a program that the test starts, meets it over the network only.
"""

from __future__ import annotations

import base64
import hmac
import json
import socket
import ssl
import threading
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import parse_qs

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiosmtpd.smtp import Envelope, Session

LOOPBACK = "127.0.0.1"
TLS_DATA = Path(__file__).parent / "data" / "tls"


class Act(Enum):
    """What a misbehaving server does in the place of an answer."""

    DROP = "closes the connection"
    RESET = "breaks the connection off"
    HANG = "says nothing until the test is over"


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return cast("int", probe.getsockname()[1])


def server_tls(certificate: str = "good.pem") -> ssl.SSLContext:
    """Return a server's side of TLS with one of the test certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS_DATA / certificate, TLS_DATA / "key.pem")
    return context


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedMail:
    """One mail as it came over the wire."""

    sender: str  # of MAIL FROM
    recipients: tuple[str, ...]  # of RCPT TO
    data: bytes  # without the doubled dots


class RecordingSmtpServer:
    """A well-behaved mail server: `with RecordingSmtpServer() as server:` starts and stops it.

    `mails` are those it has taken, in order; `conversations` counts the connections. With `starttls` nothing is
    taken before STARTTLS; with `tls` every connection begins with TLS.
    """

    host = LOOPBACK

    def __init__(self, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.port = free_port()
        self.mails: list[ReceivedMail] = []
        self.unknown: set[str] = set()  # addresses that there is no mailbox for
        self.conversations = 0
        self._starttls = starttls
        self._controller = _CountingController(self, tls)

    def __enter__(self) -> Self:
        self._controller.start()
        self.conversations = 0  # the controller has tried one to see whether the server is up
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Refuse unknown mailboxes (aiosmtpd's name for this hook)."""
        if address in self.unknown:
            return f"550 5.1.1 <{address}>: no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Record the mail (aiosmtpd's name for this hook)."""
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
        return SMTP(
            self,
            hostname="localhost",
            tls_context=self._starttls,
            require_starttls=self._starttls is not None,
        )


class _CountingController(Controller):
    def __init__(self, owner: RecordingSmtpServer, tls: ssl.SSLContext | None) -> None:
        super().__init__(owner, hostname=owner.host, port=owner.port, ssl_context=tls)
        self._owner = owner

    def factory(self) -> SMTP:
        return self._owner.smtp()


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """What the gateway answers instead of doing its work."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedSms:
    """One message that the gateway has taken."""

    recipient: str
    sender: str  # a number, a name or the sid of a messaging service
    body: str
    sid: str


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # many connect at once


class RecordingHttpGateway:
    """An SMS gateway that checks requests as Twilio does: `with RecordingHttpGateway() as gateway:`.

    `answers` are given to the first requests, one each, instead of the work; `requests` counts all of them.
    """

    account_sid = "AC" + "0" * 32
    auth_token = "canary-token"

    def __init__(
        self, answers: Sequence[HttpAnswer | Act] = (), *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.messages: list[ReceivedSms] = []
        self.requests = 0
        self.over = threading.Event()  # set at the end; who hangs waits for it
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._server = _HttpServer((LOOPBACK, 0), self._handler())
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{LOOPBACK}:{self._server.server_port}/2010-04-01"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="gateway")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, authorization: str, form: Mapping[str, str]) -> HttpAnswer | Act:
        """Return what a request gets: the next of `answers`, or what Twilio would say."""
        with self._lock:
            self.requests += 1
            return self._answers.pop(0) if self._answers else self._work(path, authorization, form)

    def _work(self, path: str, authorization: str, form: Mapping[str, str]) -> HttpAnswer:
        credentials = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if not hmac.compare_digest(authorization, f"Basic {credentials}"):
            return twilio_error(401, 20003)
        if path != f"/2010-04-01/Accounts/{self.account_sid}/Messages.json":
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

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                content = parse_qs(self.rfile.read(length).decode("ascii"), keep_blank_values=True)
                form = {name: values[0] for name, values in content.items() if len(values) == 1}
                answer = gateway.answer(self.path, self.headers.get("Authorization", ""), form)
                if isinstance(answer, Act):
                    self._misbehave(answer)
                else:
                    self._reply(answer)

            def _reply(self, answer: HttpAnswer) -> None:
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def _misbehave(self, act: Act) -> None:
                if act is Act.HANG:
                    gateway.over.wait()
                if act is Act.RESET:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing on stderr."""

        return Handler


def twilio_error(status: int, code: int, **headers: str) -> HttpAnswer:
    """Return an error as Twilio words it, the customer's number quoted."""
    body = {"code": code, "message": "The 'To' number +4915112345678 is not valid", "status": status}
    return HttpAnswer(
        status=status,
        body=json.dumps(body).encode(),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
