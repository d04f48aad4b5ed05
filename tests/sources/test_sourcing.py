"""The runner: what a source may do wrong, and that it hurts nobody."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feedback_app.intake.sourcing import Patience
from tests.running import DEADLINE, daemon, rows, running, serving, until
from tests.sources.scripted import ENDLESS, scripted
from tests.sources.test_contract import command, state, taken

GIVES = """
    async def receive(self, limit):
        if any(name == "acknowledge" for name, _ in calls):
            await asyncio.sleep(0.01)
            return Batch()
        return Batch(received=[Received(payload=b'{"rating": 5}', id="a"), Received(payload=b"?", id="b")])
"""
DOWN = "SELECT 1 FROM daemon WHERE sources LIKE '%KeyError%'"
HASTY = replace(Patience(), open=0.2, receive=0.2, acknowledge=0.2, lag=0.2, close=0.2, first_pause=0.02)


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no call of a source take long."""
    monkeypatch.setattr("feedback_app.intake.sourcing.Patience", lambda: HASTY)


def calls() -> list[Any]:
    """Return what the source was asked."""
    found: list[Any] = sys.modules["feedback_app_dropins.scripted"].calls
    return found


_NO_LIST = "receive returned something else than a list of Received(payload=bytes, id=str, reason=str)"


async def test_it_is_told_which_are_no_ratings(tmp_path: Path) -> None:
    """The reason comes with the acknowledgement."""
    async with running(daemon(scripted(tmp_path, GIVES))):
        await until(lambda: any(name == "acknowledge" for name, _ in calls()))
    ((_, told),) = [one for one in calls() if one[0] == "acknowledge"]
    assert told == [("a", ""), ("b", "invalid JSON at column 1: expecting value")]
    assert calls()[-1] == ("close", None)


@pytest.mark.parametrize(
    ("methods", "reason"),
    [
        ("    async def receive(self, limit):\n        raise SourceDown('no route')", "no route"),
        ("    async def receive(self, limit):\n        raise SystemExit('bye')", "SystemExit at "),
        (
            "    async def receive(self, limit):\n        raise OSError('a secret place')",
            "OSError at ",
        ),
        ("    async def receive(self, limit):\n        return [1]", "receive returned list; want a Batch"),
        (
            "    async def receive(self, limit):\n        return Batch(received=[Received(payload='text')])",
            _NO_LIST,
        ),
        ("    async def receive(self, limit):\n        return Batch(received=None)", _NO_LIST),
        (
            "    async def receive(self, limit):\n        return Batch(received=iter([Received(payload=b'')]))",
            _NO_LIST,
        ),
        (
            "    async def receive(self, limit):\n        return Batch(received=[Received(payload=b'', reason=1)])",
            _NO_LIST,
        ),
        (
            "    async def receive(self, limit):\n        return Batch(position='7\\0')",
            "position holds a NUL character",
        ),
        (
            ENDLESS + "\n    async def open(self, position):\n        raise asyncio.CancelledError",
            "RuntimeError at ",
        ),
    ],
)
async def test_whatever_it_raises_it_is_down_and_the_daemon_goes_on(
    tmp_path: Path, methods: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Said once in the log, where a stranger's words are not repeated; closed; tried again."""
    one = daemon(scripted(tmp_path, methods))
    with caplog.at_level(logging.ERROR):
        async with running(one):
            await until(lambda: state(one, "scripted").failures >= 2)
            assert state(one, "scripted").reason.startswith(reason)
            assert state(one, "scripted").state == "down"
    said = [record for record in caplog.records if record.message.startswith("source is down")]
    assert len(said) == 1
    assert "secret" not in str(said[0].__dict__)
    assert ("close", None) in calls()


async def test_what_a_strangers_error_quotes_of_a_customer_is_shown_nowhere(tmp_path: Path) -> None:
    """Its kind and place are, in `status`, in `sources list` and at the end of `run --drain`."""
    config = scripted(tmp_path, "    async def receive(self, limit):\n        raise KeyError('Ann Smith')")
    async with running(daemon(config)):
        await until(lambda: rows(tmp_path / "feedback.db", DOWN))
        shown = [
            await asyncio.to_thread(command, config, *words)
            for words in (
                ("status",),
                ("status", "--json"),
                ("sources", "list"),
                ("sources", "list", "--json"),
            )
        ]
    shown.append(await asyncio.to_thread(command, config, "run", "--drain"))
    for one in shown:
        assert f"KeyError at {tmp_path / 'plugins' / 'scripted.py'}:" in one.stdout
        assert "Smith" not in one.stdout + one.stderr


HANGS = """
    async def {call}(self, *_):
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
"""


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize("call", ["open", "lag", "receive"])
async def test_a_call_that_hangs_and_swallows_its_end_does_not_keep_the_daemon(
    tmp_path: Path, call: str
) -> None:
    """It is closed by force; the source is opened anew, the daemon stops in time."""
    methods = HANGS.format(call=call) + ("" if call == "receive" else ENDLESS)
    one = daemon(scripted(tmp_path, methods))
    async with running(one):
        await until(lambda: call == "lag" or ("close", None) in calls())
        begun = time.monotonic()
    assert time.monotonic() - begun < 5


@pytest.mark.usefixtures("_hasty")
async def test_a_source_that_hangs_does_not_keep_a_drain(tmp_path: Path) -> None:
    """A receive whose time is over counts as nothing received."""
    methods = "    async def receive(self, limit):\n        await asyncio.Event().wait()"
    await asyncio.wait_for(daemon(scripted(tmp_path, methods)).run(drain=True), DEADLINE)


async def test_while_the_ledger_is_locked_nothing_is_acknowledged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits, and says so once; then the same payloads go in and are acknowledged."""
    methods = GIVES.replace("if any", f"if not Path({str(tmp_path / 'go')!r}).exists() or any")
    one = daemon(scripted(tmp_path, methods))
    async with running(one):
        locker = sqlite3.connect(tmp_path / "feedback.db", isolation_level=None)
        try:
            locker.execute("BEGIN IMMEDIATE")
            (tmp_path / "go").touch()
            await until(lambda: serving(one).sourcings[0].in_flight)
            await until(lambda: "waiting for the ledger" in caplog.text)
            assert not [name for name, _ in calls() if name == "acknowledge"]
            assert state(one, "scripted").state == "running"
        finally:
            locker.rollback()
            locker.close()
        await until(lambda: [name for name, _ in calls() if name == "acknowledge"])
    assert taken(tmp_path / "feedback.db") == ["a"]


POSITIONS = """
    async def open(self, position):
        calls.append(("open", position))
        self.at = int(position or 0)

    async def receive(self, limit):
        if self.at >= 3:
            await asyncio.sleep(0.01)
            return Batch()
        self.at += 1
        return Batch(received=[Received(payload=b'{"rating": 5}', id=str(self.at))], position=str(self.at))
"""


async def test_the_position_is_committed_with_the_ratings(tmp_path: Path) -> None:
    """A new start goes on behind it."""
    config = scripted(tmp_path, POSITIONS)
    await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    assert taken(tmp_path / "feedback.db") == ["1", "2", "3"]
    assert rows(tmp_path / "feedback.db", "SELECT position, received FROM source") == [("3", 3)]
    await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    assert calls()[0] == ("open", "3")


async def test_stopping_finishes_the_commit_that_is_under_way(tmp_path: Path) -> None:
    """What was received when the stop came is acknowledged."""
    methods = GIVES.replace(
        "        return Batch(received", "        await asyncio.sleep(0)\n        return Batch(received"
    )
    one = daemon(scripted(tmp_path, methods))
    async with running(one):
        await until(lambda: calls() or serving(one).sourcings[0].in_flight)
    assert [name for name, _ in calls()] == ["acknowledge", "close"]


async def test_a_lag_that_cannot_be_told_stops_nothing(tmp_path: Path) -> None:
    """What only looks must not stop what works."""
    one = daemon(scripted(tmp_path, GIVES + "\n    async def lag(self):\n        raise KeyError(1)"))
    async with running(one):
        await until(lambda: any(name == "acknowledge" for name, _ in calls()))
        assert state(one, "scripted").failures == 0
