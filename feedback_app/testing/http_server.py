"""A web server on loopback that records what it is told and answers as the test says."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from feedback_app.testing.far_side import FarSide
from feedback_app.testing.wire import LOOPBACK, Act

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from feedback_app.testing.far_side import Fault, Faults


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """What the server answers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedRequest:
    """One request as it came over the wire."""

    method: str
    path: str  # with its query
    headers: Mapping[str, str]  # by their names in small letters
    body: bytes

    @property
    def text(self) -> str:
        """All of it, to look for something in it."""
        head = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        return f"{self.method} {self.path}\n{head}\n{self.body.decode(errors='replace')}"


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # many connect at once

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away in the middle of it."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class RecordingHttpServer(FarSide):
    """Takes every request: `with RecordingHttpServer() as server:` starts and stops it.

    `answers` are given to the first requests, one each; all others get what `work` returns, by default 200 with
    `{"id": "1"}`, counted up. `requests` holds all of them. It runs in a thread of its own.
    """

    # What stands for each fault. A service that says it in another way gets a table of its own.
    fault_answers: Mapping[Fault, HttpAnswer | Act] = {
        "temporary": HttpAnswer(status=429),
        "permanent": HttpAnswer(status=400),
        "channel_down": HttpAnswer(status=401),
        "silence": Act.HANG,
        "unknown": Act.DROP,
    }

    def __init__(
        self, answers: Sequence[HttpAnswer | Act] = (), *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[ReceivedRequest] = []
        self._over = threading.Event()  # who hangs waits for it
        self._answers = list(answers)
        self._always: HttpAnswer | Act | None = None  # a fault that lasts
        self._lock = threading.Lock()
        self._server = _HttpServer((LOOPBACK, 0), _handler_of(self))
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="recording-http"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def work(self, request: ReceivedRequest) -> HttpAnswer:
        """Return what a request gets where nothing else is said; a server of your own overrides it."""
        del request
        return HttpAnswer(status=200, body=b'{"id": "%d"}' % len(self.requests))

    def answer(self, request: ReceivedRequest) -> HttpAnswer | Act:
        """Record the request and return what it gets."""
        with self._lock:
            self.requests.append(request)
            if self._always is not None:
                return self._always
            return self._answers.pop(0) if self._answers else self.work(request)

    def received(self) -> list[str]:
        """Return the requests as texts."""
        return [request.text for request in self.requests]

    @property
    def faults(self) -> Faults:
        """How to provoke each fault: `fault_answers`, as long as it lasts."""
        return {fault: self._lasting(answer) for fault, answer in self.fault_answers.items()}

    def wait_for_the_end(self) -> None:
        """Hang until the fault, or the test, is over."""
        self._over.wait()

    def _lasting(self, answer: HttpAnswer | Act) -> Callable[[], AbstractContextManager[None]]:
        @contextlib.contextmanager
        def lasting() -> Iterator[None]:
            self._always = answer
            try:
                yield
            finally:
                self._always = None
                over, self._over = self._over, threading.Event()
                over.set()

        return lasting


def _handler_of(server: RecordingHttpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            if len(body) < length:  # the client went away in the middle of it: that is no request
                self.close_connection = True
                return
            request = ReceivedRequest(method=self.command, path=self.path, headers=headers, body=body)
            answer = server.answer(request)
            with contextlib.suppress(ConnectionError):  # the client had no patience
                self._misbehave(answer) if isinstance(answer, Act) else self._reply(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take  # noqa: N815 - the base class's names

        def _reply(self, answer: HttpAnswer) -> None:
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def _misbehave(self, act: Act) -> None:
            if act is Act.HANG:
                server.wait_for_the_end()
            if act is Act.RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing on stderr."""

    return Handler
