"""Plugins hear which messages ended, and none of them can hold delivery up."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from feedback_app import Customer, Message, Settled
from feedback_app.plugin_host import Observers, PluginHost, observers
from feedback_app.plugin_host.started import Hooked
from feedback_app.settings import Settings
from feedback_app.store import customers, outbox
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, message
from tests.plugin_host.conftest import info
from tests.running import DEADLINE, business, daemon, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from sqlalchemy import Connection

    from tests.plugin_host.conftest import Place

MESSAGE = Message(id="m-1", purpose="thanks", channel="email", recipient="ada@example.com", text="Thank you!")
SENT = Settled(state="sent", at=NOW, provider="email_notifier")

LISTENER = """
from pathlib import Path
from feedback_app import Message, Notifier, PermanentFailure, Receipt, hookimpl

HERE = Path(__file__).parent.parent


class Chat(Notifier):
    channel = "chat"

    async def send(self, message: Message) -> Receipt:
        if message.recipient == "bob":
            raise PermanentFailure("nobody there")
        return Receipt(provider_id="far-1")


@hookimpl
def make_notifier():
    return Chat()


@hookimpl
def message_settled(message, outcome):
    with (HERE / "heard.log").open("a") as log:
        log.write(f"{message.customer_id} {outcome.state} {outcome.provider} {outcome.provider_id} {outcome.reason}\\n")
"""


def observing(**calls: Callable[..., object]) -> Observers:
    """Return the plugins of these names that listen."""

    def hooked(name: str, call: Callable[..., object]) -> Hooked:
        return Hooked(plugin=name, call=lambda **given: [call(**given)])

    hooks = tuple(hooked(name, call) for name, call in calls.items())
    return Observers(replace(PluginHost.load(Settings()), later={"message_settled": hooks}))


async def test_a_plugin_hears_of_each_end_after_the_commit(tmp_path: Path) -> None:
    """Sent, dead, and suppressed because the customer opted out while it waited."""
    config, ledger = business(tmp_path, plugin=LISTENER), tmp_path / "feedback.db"
    names = ("ada", "bob", "dora")
    waiting = [
        message(number, channel="chat", customer=name, recipient=name) for number, name in enumerate(names)
    ]

    def unit(connection: Connection) -> None:
        customers.put(connection, [Customer(id=name) for name in names], NOW)
        customers.set_opted_out(connection, "dora", NOW)
        outbox.enqueue(connection, waiting, NOW)

    async with SqliteStore(ledger) as store:
        await store.write(unit)
    await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)

    assert sorted((tmp_path / "heard.log").read_text().splitlines()) == [
        "ada sent chat far-1 None",
        "bob dead chat None nobody there",
        "dora suppressed  None the customer opted out",
    ]
    assert len(rows(ledger, "SELECT 1 FROM message WHERE settled_at IS NOT NULL")) == 3


async def test_one_that_fails_or_hangs_hurts_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named, once for a row of failures; the others hear all; the end does not wait for it."""
    monkeypatch.setattr(observers, "_CLOSE_LIMIT", 0.2)
    over, heard = threading.Event(), []

    def failing(message: Message, outcome: Settled) -> None:
        raise SystemExit(message.text)

    def hanging(message: Message, outcome: Settled) -> None:
        over.wait()

    def well(message: Message, outcome: Settled) -> None:
        heard.append((message.id, outcome.state))

    listening = observing(failing=failing, hanging=hanging, well=well)
    assert listening.tell_all is not None
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            listening.tell_all([(MESSAGE, SENT)])
        await listening.close()
    over.set()

    assert heard == [("m-1", "sent")] * 3
    said = {(one.message, one.__dict__["plugin"], one.__dict__.get("messages")) for one in caplog.records}
    assert said == {
        ("plugin failed on a settled message", "failing", None),
        ("messages not told", "hanging", 2),  # one is in its hands
    }
    assert "Thank you" not in caplog.text


async def test_one_that_is_too_slow_misses_some(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What waits is bounded; how many were not told is."""
    monkeypatch.setattr(observers, "WAITING", 2)
    going, heard = threading.Event(), []

    def slow(message: Message, outcome: Settled) -> None:
        going.wait()
        heard.append(message.id)

    listening = observing(slow=slow)
    assert listening.tell_all is not None
    with caplog.at_level(logging.WARNING):
        listening.tell_all([(MESSAGE, SENT)] * 10)
        going.set()
        await listening.close()

    (untold,) = [one.__dict__["messages"] for one in caplog.records if one.message == "messages not told"]
    assert len(heard) + untold == 10
    assert [one.message for one in caplog.records].count("plugin is too slow to hear of every message") == 1
    assert len(heard) in (2, 3)  # with the one in hand


async def test_without_a_listener_nobody_is_told() -> None:
    """There is not even a function to call."""
    listening = observing()
    assert listening.tell_all is None
    await listening.close()


def test_the_shipped_log_is_idle_until_it_has_a_file(place: Place) -> None:
    """And is not asked."""
    place.write("settled_log.py", FILE.read_text("utf-8"))

    host = place.load()

    assert info(host, "settled_log").state == "idle"
    assert Observers(host).tell_all is None


def test_the_shipped_log_writes_ids_only(place: Place) -> None:
    """One line of JSON, in a file for its owner, beside the configuration."""
    place.write("settled_log.py", FILE.read_text("utf-8"))
    (hook,) = place.load("[plugins.settled_log]\nfile = 'settled.jsonl'").later["message_settled"]

    hook.call(message=MESSAGE, outcome=SENT)
    hook.call(
        message=MESSAGE, outcome=Settled(state="dead", at=NOW, reason="ada@example.com: no such mailbox")
    )

    log = place.directory / "settled.jsonl"
    first, second = map(json.loads, log.read_text("utf-8").splitlines())
    assert first == {
        "time": "2027-01-15T08:00:00.000Z",
        "message": "m-1",
        "feedback": None,
        "purpose": "thanks",
        "channel": "email",
        "state": "sent",
        "attempt": 1,
        "provider": "email_notifier",
        "provider_id": None,
    }
    assert (second["state"], second["provider"]) == ("dead", None)
    assert "ada" not in log.read_text("utf-8")
    assert log.stat().st_mode & 0o777 == 0o600


FILE = Path(__file__).parents[2] / "plugins" / "settled_log.py"
