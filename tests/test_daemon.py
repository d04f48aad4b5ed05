"""The daemon as a whole: noticing, draining, stopping, and one that is wrong stops nothing else."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from pathlib import Path

import pytest

from feedback_app.model import Customer
from tests.chatting import CHATTY, HANGING, SLOW, chatters
from tests.making import NOW, incoming
from tests.running import DEADLINE, RECORDER, add, business, daemon, rows, running, sent, until


async def test_a_drain_takes_everything_to_its_end(tmp_path: Path) -> None:
    """Good ratings are thanked, low ones kept, and the run says how many."""
    config = business(tmp_path)
    await add(tmp_path / "feedback.db", [*chatters(30), *chatters(12, first=100, rating=1)], NOW)
    figures = await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    assert figures.processed == 42
    assert figures.tries == {"sent": 30}
    assert len(sent(tmp_path)) == len(set(sent(tmp_path))) == 30
    assert rows(tmp_path / "feedback.db", "SELECT count(*) FROM low_rating") == [(12,)]


async def test_draining_again_does_nothing(tmp_path: Path) -> None:
    """What is done is done."""
    config = business(tmp_path)
    await add(tmp_path / "feedback.db", chatters(3), NOW)
    await daemon(config).run(drain=True)
    figures = await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    assert (figures.processed, figures.tries) == (0, {})
    assert len(sent(tmp_path)) == 3


async def test_a_running_daemon_notices_ratings_of_other_processes_at_once(tmp_path: Path) -> None:
    """By the bell: well within a second, though polling would take an hour."""
    config = business(tmp_path, config='[intake]\npoll_interval = "1h"\n')
    async with running(daemon(config)):
        begun = time.monotonic()
        await add(tmp_path / "feedback.db", chatters(1), NOW)
        await until(lambda: sent(tmp_path))
        assert time.monotonic() - begun < 1.0


async def test_polling_finds_what_the_bell_missed(tmp_path: Path) -> None:
    """With the bell taken away, the ledger's version still tells."""
    config = business(tmp_path, config='[intake]\npoll_interval = "100ms"\n')
    async with running(daemon(config)):
        (tmp_path / "feedback.db-bell").unlink()
        await add(tmp_path / "feedback.db", chatters(1), NOW)
        await until(lambda: sent(tmp_path))


async def test_stopping_before_the_start_ends_at_once(tmp_path: Path) -> None:
    """Stop is allowed at any time and remembered."""
    one = daemon(business(tmp_path))
    one.stop()
    one.stop()
    await asyncio.wait_for(one.run(), DEADLINE)


async def test_stopping_finishes_what_is_in_flight(tmp_path: Path) -> None:
    """Within the grace time every send that had begun ends as sent, and nothing is doubled later."""
    config = business(tmp_path, plugin=SLOW)
    await add(tmp_path / "feedback.db", chatters(8), NOW)
    async with running(daemon(config)):
        await until(lambda: rows(tmp_path / "feedback.db", "SELECT 1 FROM message WHERE state = 'sending'"))
    assert rows(tmp_path / "feedback.db", "SELECT count(*) FROM message WHERE state = 'sending'") == [(0,)]
    await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    assert len(sent(tmp_path)) == len(set(sent(tmp_path))) == 8


async def test_after_the_grace_time_the_rest_is_given_up_without_loss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A send that hangs does not keep the daemon; the message is due again at the next start."""
    config = business(tmp_path, plugin=HANGING, config='[daemon]\ngrace = "100ms"\n')
    await add(tmp_path / "feedback.db", chatters(40), NOW)
    with caplog.at_level(logging.WARNING):
        async with running(daemon(config)):
            await until(
                lambda: rows(tmp_path / "feedback.db", "SELECT 1 FROM message WHERE state = 'sending'")
            )
            await until(
                lambda: rows(tmp_path / "feedback.db", "SELECT 1 FROM feedback WHERE state = 'processed'")
            )
    assert "grace is over" in caplog.text
    business(tmp_path)
    figures = await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    assert figures.tries == {"sent": 40}
    assert rows(tmp_path / "feedback.db", "SELECT max(attempts) FROM message") == [(1,)]


NEVER_CLOSED = RECORDER.replace(
    "    async def send",
    "    async def close(self):\n        await asyncio.Event().wait()\n\n    async def send",
)


async def test_a_plugin_that_does_not_close_does_not_keep_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named, and the ledger is closed all the same."""
    monkeypatch.setattr("feedback_app.assembly._CLOSE_LIMIT", 0.05)
    await asyncio.wait_for(daemon(business(tmp_path, plugin=NEVER_CLOSED)).run(drain=True), DEADLINE)
    (record,) = [one for one in caplog.records if one.message == "plugin did not close"]
    assert record.__dict__["plugin"] == "chat"


POISONED = RECORDER.replace(
    "    async def send",
    """    def address(self, customer):
        if customer.name == "Poison":
            raise RuntimeError("cannot read this one")
        return customer.id

    async def send""",
)


async def test_a_poison_rating_hurts_nobody_else_and_ends_as_dead(tmp_path: Path) -> None:
    """Others are thanked at once; the culprit is tried five times with growing waits, then dead."""
    config = business(tmp_path, plugin=POISONED)
    poison = Customer(id="c2", name="Poison", preferred_channels=("chat",))
    arrivals = [*chatters(5), incoming("bad", customer="c2", contact=poison)]
    await add(tmp_path / "feedback.db", arrivals, NOW)
    now = NOW
    for attempt in range(1, 7):
        await asyncio.wait_for(daemon(config, clock=partial(int, now)).run(drain=True), DEADLINE)
        state, attempts = rows(
            tmp_path / "feedback.db", "SELECT state, attempts FROM feedback WHERE external_id = 'bad'"
        )[0]
        assert len(sent(tmp_path)) == 5
        assert (state, attempts) == ("dead" if attempt >= 5 else "received", min(attempt, 5))
        now += 600_000


BLOCKING = RECORDER.replace(
    "        with LOG.open", "        import time\n        time.sleep(1.2)\n        with LOG.open"
)


async def test_a_plugin_that_blocks_the_loop_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Within a second the log says which task and which line hold everything up."""
    config = business(tmp_path, plugin=BLOCKING)
    await add(tmp_path / "feedback.db", chatters(1), NOW)
    with caplog.at_level(logging.ERROR):
        await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    (record,) = [one for one in caplog.records if one.message == "the event loop is blocked"]
    assert "delivery-chat" in record.__dict__["task"]
    assert "chat.py" in record.__dict__["at"]


async def test_a_slow_channel_does_not_delay_another(tmp_path: Path) -> None:
    """While one channel hangs, the other's messages leave."""
    config = business(tmp_path, plugin=HANGING, config='[daemon]\ngrace = "50ms"\n')
    other = RECORDER.replace('channel = "chat"', 'channel = "quick"')
    (tmp_path / "plugins" / "quick.py").write_text(other)
    slow = [incoming(f"s{n}", customer="c1", contact=CHATTY) for n in range(40)]
    quick = Customer(id="c2", preferred_channels=("quick",))
    fast = [incoming(f"q{n}", customer="c2", contact=quick) for n in range(40)]
    await add(tmp_path / "feedback.db", [*slow, *fast], NOW)
    async with running(daemon(config)):
        await until(lambda: len(sent(tmp_path)) == 40)
