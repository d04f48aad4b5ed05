"""Runs commands in a folder of their own, and looks at the ledger that they leave."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from feedback_app.cli import run_command_line
from feedback_app.model import Outcome
from feedback_app.store import outbox, outcomes, ratings
from feedback_app.store.outbox import Lease
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW
from tests.running import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from feedback_app.intake.records import Incoming
    from feedback_app.model import Ended, Message
    from feedback_app.store.outbox import Attempt

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.out)

    @property
    def said(self) -> list[str]:
        """What it said to people, line by line."""
        return self.err.splitlines()


class Cli:
    """Runs `feedback-app` in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capture = capture
        self._patch = patch

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Result:
        """Run a command and return what came of it."""
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run_command_line(arguments)
        captured = self._capture.readouterr()
        return Result(code=code, out=captured.out, err=captured.err)

    def ok(self, *arguments: str, stdin: bytes = b"") -> Result:
        """Run a command that must succeed."""
        result = self(*arguments, stdin=stdin)
        assert result.code == 0, result.err
        return result


class Ledger:
    """The ledger of the folder, written as the daemon writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, unit: Callable[[Connection], T]) -> T:
        """Run a unit of work."""

        async def work() -> T:
            async with SqliteStore(self.path) as store:
                return await store.write(unit)

        return asyncio.run(work())

    def take_in(self, *arrivals: Incoming, now: int = NOW) -> None:
        """Store ratings; the first one has the number 1."""
        self.write(partial(ratings.take_in, arrivals=arrivals, now=now))

    def processed(
        self,
        arrivals: Sequence[Incoming],
        *,
        ended: Ended = "low",
        messages: Sequence[Message] = (),
        now: int = NOW,
    ) -> None:
        """Store ratings in an empty ledger and end their road; low ones become cases."""
        self.take_in(*arrivals, now=now)
        claimed = self.write(partial(ratings.claim_fresh, after=0, limit=len(arrivals)))
        done = [
            Outcome(
                feedback=one.feedback,
                ended=ended,
                analysis={},
                keep_low=ended == "low",
                messages=tuple(message for message in messages if message.feedback_id == one.feedback.number),
            )
            for one in claimed
        ]
        self.write(partial(outcomes.commit, outcomes=done, now=now))

    def enqueue(self, *entries: tuple[str, Message]) -> None:
        """Put messages into the outbox; the first one has the number 1."""
        self.write(partial(outbox.enqueue, entries=entries, now=NOW))

    def claim(self, limit: int = 100) -> list[int]:
        """Begin to send what is due, as a daemon does; returns the numbers."""
        claimed = self.write(
            partial(outbox.claim, channel="email", lease=Lease("boot", 2 * NOW), now=2 * NOW, limit=limit)
        )
        return [one.number for one in claimed]

    def settle(self, *attempts: Attempt) -> None:
        """Record how sends ended."""
        self.write(partial(outbox.settle, attempts=attempts))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the file itself."""
        return rows(self.path, query)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run commands in the folder."""
    return Cli(capsys, monkeypatch)


@pytest.fixture
def ledger(folder: Path) -> Ledger:
    """Return the ledger of the folder; it appears when it is first used."""
    return Ledger(folder / "feedback.db")
