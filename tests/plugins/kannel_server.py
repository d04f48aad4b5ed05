"""A real Kannel on loopback: bearerbox, smsbox, and a centre for short messages that writes down what it gets."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote_to_bytes

import pytest

from tests.servers import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

_FOLDERS = os.pathsep.join(
    (os.environ.get("PATH", ""), "/usr/sbin", "/usr/lib/kannel/test", "/usr/lib/kannel")
)
BEARERBOX, SMSBOX, FAKESMSC = (
    shutil.which(name, path=_FOLDERS) for name in ("bearerbox", "smsbox", "fakesmsc")
)
_PATIENCE = 20.0  # seconds
_CONFIG = """
group = core
admin-port = {admin}
admin-interface = {host}
admin-password = none
smsbox-port = {boxes}
smsbox-interface = {host}
box-allow-ip = "{host}"
box-deny-ip = "*.*.*.*"
store-type = file
store-location = "{folder}/store"

group = smsc
smsc = fake
smsc-id = FAKE
port = {centre}
connect-allow-ip = "{host}"
denied-prefix = "+99"

group = smsbox
bearerbox-host = {host}
bearerbox-port = {boxes}
sendsms-port = {sendsms}
sendsms-interface = {host}

group = sendsms-user
username = shop
password = "{password}"
max-messages = 5
concatenation = true

group = sms-service
keyword = default
text = ""
max-messages = 0
"""


def need_kannel() -> None:
    """Skip where Kannel is not installed; fail where everything must run."""
    if BEARERBOX and SMSBOX and FAKESMSC:
        return
    reason = "kannel is not installed (apt-get install kannel kannel-extras)"
    if os.environ.get("FEEDBACK_APP_TEST_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)


class Kannel:
    """`with Kannel(folder) as kannel:` starts all three and stops them."""

    username = "shop"
    password = "canary %41+&"

    def __init__(self, folder: Path) -> None:
        ports = {name: _lasting_port() for name in ("admin", "boxes", "centre", "sendsms")}
        self.url = f"http://{LOOPBACK}:{ports['sendsms']}/cgi-bin/sendsms"
        self._centre_port = str(ports["centre"])
        self._config = folder / "kannel.conf"
        self._config.write_text(_CONFIG.format(host=LOOPBACK, folder=folder, password=self.password, **ports))
        self._running: list[_Program] = []
        self.centre: _Program

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self._running):
            program.kill()

    def start(self) -> None:
        """Start all three and return when messages get through."""
        self.bearerbox = self._run(BEARERBOX, "-v", "1", str(self._config))
        self.bearerbox.wait_for("entering mainloop")
        arguments = ("-H", LOOPBACK, "-r", self._centre_port, "-m", "0", "1 2 text none")
        self.centre = self._run(FAKESMSC, *arguments)
        self.bearerbox.wait_for("Fakesmsc client connected")
        self.smsbox = self._run(SMSBOX, "-v", "0", str(self._config))
        self.smsbox.wait_for("Connected to bearerbox")

    def received(self, number: int) -> list[str]:
        """Return the first `number` messages at the centre, as `sender recipient kind text`."""
        lines = self.centre.wait_for("Got message ", number)
        return [line.partition(": <")[2].removesuffix(">") for line in lines]

    def _run(self, *command: str | None) -> _Program:
        program = _Program([part for part in command if part is not None])
        self._running.append(program)
        return program


def _lasting_port() -> int:
    """Return a free port that the system gives to no connection by itself, also while Kannel starts again."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            port = random.randrange(20_000, 32_000)
            probe.bind((LOOPBACK, port))
            return port


class _Program:
    """A process whose lines can be waited for."""

    def __init__(self, command: list[str]) -> None:
        self._lines: list[str] = []
        self._over = False
        self._news = threading.Condition()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read, name=command[0])
        self._reader.start()

    def wait_for(self, words: str, number: int = 1) -> list[str]:
        """Return the first `number` lines with these words."""
        with self._news:
            self._news.wait_for(lambda: self._over or len(self._with(words)) >= number, _PATIENCE)
            assert len(self._with(words)) >= number, "\n".join(self._lines)
            return self._with(words)[:number]

    def freeze(self) -> None:
        """Let it do nothing until it is killed."""
        self._process.send_signal(signal.SIGSTOP)

    def wait(self) -> None:
        """Return when it has ended by itself."""
        self._process.wait(_PATIENCE)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()

    def _with(self, words: str) -> list[str]:
        return [line for line in self._lines if words in line]

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()


def bytes_of(received: str) -> bytes:
    """Return what stands in a message, or in one segment of several: UTF-8, of UCS-2 the big-endian words."""
    _, _, kind, text = received.split(" ", 3)
    if kind == "udh":
        _, kind, text = text.split(" ", 2)
    return text.encode() if kind == "text" else unquote_to_bytes(text.replace("+", " "))


def text_of(received: str) -> str:
    """Return the text of a message of one segment as a phone would show it."""
    return bytes_of(received).decode("utf-16-be" if " ucs-2 " in received else "utf-8")
