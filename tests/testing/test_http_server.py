"""What the recording web server takes for a request."""

from __future__ import annotations

import socket
from urllib.request import urlopen

from feedback_app.testing import RecordingHttpServer

HEAD = b"POST /half HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\n"


def test_a_request_that_breaks_off_is_none() -> None:
    """A client that is cancelled between the head and the body's end has asked for nothing."""
    with RecordingHttpServer() as server:
        for began in (HEAD, HEAD + b"12345"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
                client.sendall(began)
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b"", "it was answered"
        with urlopen(f"{server.url}/whole", b"1", timeout=10) as answer:
            assert answer.read() == b'{"id": "1"}'
        assert [(request.path, request.body) for request in server.requests] == [("/whole", b"1")]
