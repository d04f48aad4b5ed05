"""What is still down is said once an hour, with what waits for it."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from feedback_app.errors import Busy
from feedback_app.reminders import Reminders
from feedback_app.store import outbox
from feedback_app.store.sqlite.store import SqliteStore
from tests.delivery.delivering import Clock
from tests.delivery.providers import Fake, with_providers
from tests.making import NOW, message
from tests.running import daemon, running, serving, until
from tests.sources.scripted import scripted

HOUR = 3_600_000  # milliseconds
DOWN = """
    async def open(self, position):
        raise SourceDown("no route")

    async def receive(self, limit):
        return Batch()
"""


def _said(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    names = ("channel", "provider", "source", "seconds", "waiting")
    reminded = [one for one in caplog.records if "still" in one.message]
    caplog.clear()
    return [(one.message, *(one.__dict__.get(name) for name in names)) for one in reminded]


async def test_a_provider_and_then_its_channel(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each by itself, by the hour; what is up is not spoken of."""
    clock = Clock()
    async with SqliteStore(tmp_path / "feedback.db") as store:
        await store.write(partial(outbox.enqueue, entries=[message(1), message(2)], now=NOW))
        one = with_providers(store, Fake(), Fake(), clock=clock)
        reminders = Reminders(store, [one], [], clock=clock)
        await reminders.look()
        one.providers[0].health.failed("email", 1, "refused", NOW)
        for minute in range(60):
            clock.now = NOW + minute * 60_000
            await reminders.look()
        assert _said(caplog) == []
        clock.now = NOW + HOUR
        await reminders.look()
        await reminders.look()
        assert _said(caplog) == [("provider still down", "email", "a", None, 3600, 2)]
        one.providers[0].health.works("email", clock.now)
        one.providers[1].health.failed("email", 1, "refused", clock.now)
        clock.now += HOUR
        await reminders.look()
        assert _said(caplog) == [("provider still down", "email", "b", None, 3600, 2)]


async def test_a_ledger_that_does_not_answer_costs_no_hour(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be said is said a minute later."""
    clock = Clock()
    async with SqliteStore(tmp_path / "feedback.db") as store:
        one = with_providers(store, Fake(), clock=clock)
        reminders = Reminders(store, [one], [], clock=clock)
        one.providers[0].health.failed("email", 1, "refused", NOW)
        clock.now = NOW + HOUR

        async def read(_query: object) -> None:
            raise Busy("locked")

        with monkeypatch.context() as patch:
            patch.setattr(store, "read", read)
            with pytest.raises(Busy):
                await reminders.look()
        assert _said(caplog) == []
        await reminders.look()
    assert [said[0] for said in _said(caplog)] == ["channel still down"]


async def test_a_source(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With what waits there, as far as it told."""
    one = daemon(scripted(tmp_path, DOWN))
    async with running(one):
        service = serving(one)
        await until(lambda: service.sourcings[0].condition.down_since)
        since = service.sourcings[0].condition.down_since or 0
        with caplog.at_level(logging.WARNING):
            reminders = Reminders(service.store, [], service.sourcings, clock=lambda: since + HOUR)
            await reminders.look()
            await reminders.look()
    assert _said(caplog) == [("source still down", None, None, "scripted", 3600, None)]
