"""The thank-you messages that the mail benchmarks send, and postfix's smtp-sink that takes them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from benchmarks.workload import customer, ratings
from feedback_app import Message
from feedback_app.pipeline import Composer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SENDER = "Our team <shop@example.com>"
HOST = "127.0.0.1"

_PATIENCE = 10.0  # seconds that a sink has to listen
_BACKLOG = "1000"
_CONFIG = """
[plugins]
disabled = ["sms_notifier"]

[plugins.email_notifier]
transport = "smtp"
sender = "{sender}"
host = "{host}"
port = {port}
connections = {connections}
"""


def write_config(folder: Path, port: int, connections: int = 4) -> Path:
    """Write config.toml for mails to a server on loopback; returns its path."""
    text = _CONFIG.format(sender=SENDER, host=HOST, port=port, connections=connections)
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def messages(count: int, templates: Path) -> Iterator[Message]:
    """Yield thank-yous with text and HTML by the shipped templates; `templates` is a folder without any."""
    composer = Composer(templates, business="Our team", lowest=1, highest=5)
    for number, rating in enumerate(ratings(count)):
        whom = customer(number)
        form = composer.compose("thanks", "email", rating, whom)
        yield Message(
            id=f"thanks.{number}.bench",
            purpose="thanks",
            channel="email",
            recipient=whom.email or "",
            customer_name=whom.name,
            subject=form.subject,
            text=form.text,
            html=form.html,
        )


def without_postfix() -> str | None:
    """Name the command that installs smtp-sink and smtp-source where they are missing."""
    if _program("smtp-sink") and _program("smtp-source"):
        return None
    return "no smtp-sink here: apt-get install -y postfix"


@contextlib.contextmanager
def smtp_sink() -> Iterator[int]:
    """Run postfix's smtp-sink, which takes every mail and drops it; gives the port on loopback."""
    with socket.create_server((HOST, 0)) as free:
        port: int = free.getsockname()[1]
    as_whom = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    with subprocess.Popen([program("smtp-sink"), *as_whom, f"{HOST}:{port}", _BACKLOG]) as sink:
        try:
            _until_listening(port)
            yield port
        finally:
            sink.terminate()


def program(name: str) -> str:
    """Return the path of one of postfix's programs."""
    path = _program(name)
    assert path is not None, f"no {name} here"
    return path


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def _until_listening(port: int) -> None:
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection((HOST, port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return
