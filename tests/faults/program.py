"""Runs the program as its users do, keeps what it prints, and looks for what it must never print."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from weakref import WeakSet

# In every secret and in every field of a customer that the suites use; phone numbers by their shape.
CANARY = re.compile(r"canary|\+1202\d{6}", re.IGNORECASE)
_SECRET = re.compile(r"canary-(token|password)")
# What shows customers to who asks for them; secrets are not for them either.
_LISTS = {
    ("feedback", "list"),
    ("feedback", "show"),
    ("low-ratings", "list"),
    ("low-ratings", "export"),
    ("low-ratings", "note"),
    ("customers", "add"),
    ("messages", "list"),
}
READY_LIMIT = 30.0  # seconds

_running: WeakSet[Program] = WeakSet()
_leaks: list[str] = []


def take_leaks() -> list[str]:
    """Return the lines with a canary that programs of this process printed since the last call (G12)."""
    found = _leaks.copy()
    _leaks.clear()
    return found


@atexit.register
def _end_all() -> None:
    """Leave none behind where a suite was stopped half-way."""
    for program in _running:
        program.signal(signal.SIGKILL)


class Program:
    """One run of feedback-app with --debug, so that it logs all that it can. Make one with `start`."""

    def __init__(self, process: asyncio.subprocess.Process, arguments: Sequence[str]) -> None:
        self._process = process
        self._arguments = arguments
        _running.add(self)
        self._begun = time.perf_counter()
        self._heard = asyncio.Event()
        self.said = ""  # stdout and stderr so far
        self._readers = [
            asyncio.create_task(self._listen(pipe)) for pipe in (process.stdout, process.stderr) if pipe
        ]

    @classmethod
    async def start(
        cls,
        folder: Path,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> Program:
        """Start it on `folder`'s config.toml; `prefix` is a command that runs it, such as strace."""
        command = [*prefix, sys.executable, "-m", "feedback_app", "--debug",
                   "--config", str(folder / "config.toml"), *arguments]  # fmt: skip
        return cls(
            await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **(environ or {})},
            ),
            arguments,
        )

    async def _listen(self, pipe: asyncio.StreamReader) -> None:
        while piece := await pipe.read(65536):
            self.said += piece.decode(errors="replace")
            self._heard.set()

    @property
    def pid(self) -> int:
        """The process id, of the prefix where there is one."""
        return self._process.pid

    @property
    def leaks(self) -> list[str]:
        """Lines that hold a canary."""
        canary = _SECRET if tuple(self._arguments[:2]) in _LISTS else CANARY
        return [line for line in self.said.splitlines() if canary.search(line)]

    async def until(self, text: str, limit: float = READY_LIMIT) -> None:
        """Return once it has printed `text`; raises RuntimeError when it ends before, TimeoutError."""
        async with asyncio.timeout(limit):
            while text not in self.said:
                self._heard.clear()
                if all(reader.done() for reader in self._readers):
                    raise RuntimeError(f"ended with {await self._process.wait()}: {self.said[-2000:]}")
                waiting = asyncio.create_task(self._heard.wait())
                await asyncio.wait([waiting, *self._readers], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()

    async def ready(self, limit: float = READY_LIMIT) -> float:
        """Wait until every part stands and what a crash left is freed; returns the seconds since the start."""
        await self.until('"ready"', limit)
        return time.perf_counter() - self._begun

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.returncode is not None

    def signal(self, which: signal.Signals) -> None:
        """Send a signal; one that has ended already gets none."""
        if self._process.returncode is None:
            # `send_signal` asks for the exit code first, and what it hears the loop's own watcher never does.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, which)

    async def ended(self, limit: float = 60.0) -> int:
        """Wait for the end; returns the exit code, negative for the signal that ended it."""
        async with asyncio.timeout(limit):
            await asyncio.wait(self._readers)  # may be asked again after a time-out, so nothing is cancelled
            code = await self._process.wait()
        if self in _running:
            _running.discard(self)
            _leaks.extend(f"{' '.join(self._arguments)} printed {line[:300]}" for line in self.leaks)
        return code
