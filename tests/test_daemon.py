"""The daemon as a whole: noticing, draining, stopping, submitting, recovering."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from feedback_app import Feedback
from feedback_app.concurrency import CoroutineThread
from feedback_app.daemon import Daemon
from feedback_app.errors import BadConfig, BadData, Busy, Unavailable
from feedback_app.intake.records import Incoming
from feedback_app.model import Customer
from tests.making import NOW, incoming
from tests.running import DEADLINE, RECORDER, add, business, daemon, rows, running, sent, until

CHATTY = Customer(id="c1", name="Ada", preferred_channels=("chat",))


def _ratings(count: int, *, first: int = 1, rating: float = 5) -> list[Incoming]:
    return [incoming(f"r{number}", rating=rating, contact=CHATTY) for number in range(first, first + count)]


async def test_a_drain_takes_everything_to_its_end(tmp_path: Path) -> None:
    """Good ratings are thanked, low ones kept, and the run says how many."""
    config = business(tmp_path)
    await add(tmp_path / "feedback.db", [*_ratings(30), *_ratings(12, first=100, rating=1)], NOW)
    figures = await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    assert figures.processed == 42
    assert figures.tries == {"sent": 30}
    assert len(sent(tmp_path)) == len(set(sent(tmp_path))) == 30
    assert rows(tmp_path / "feedback.db", "SELECT count(*) FROM low_rating") == [(12,)]


async def test_draining_again_does_nothing(tmp_path: Path) -> None:
    """What is done is done."""
    config = business(tmp_path)
    await add(tmp_path / "feedback.db", _ratings(3), NOW)
    await daemon(config).run(drain=True)
    figures = await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    assert (figures.processed, figures.tries) == (0, {})
    assert len(sent(tmp_path)) == 3


async def test_a_running_daemon_notices_ratings_of_other_processes_at_once(tmp_path: Path) -> None:
    """By the bell: well within a second, though polling would take an hour."""
    config = business(tmp_path, config='[intake]\npoll_interval = "1h"\n')
    async with running(daemon(config)):
        begun = time.monotonic()
        await add(tmp_path / "feedback.db", _ratings(1), NOW)
        await until(lambda: sent(tmp_path))
        assert time.monotonic() - begun < 1.0


async def test_polling_finds_what_the_bell_missed(tmp_path: Path) -> None:
    """With the bell taken away, the ledger's version still tells."""
    config = business(tmp_path, config='[intake]\npoll_interval = "100ms"\n')
    async with running(daemon(config)):
        (tmp_path / "feedback.db-bell").unlink()
        await add(tmp_path / "feedback.db", _ratings(1), NOW)
        await until(lambda: sent(tmp_path))


async def test_submit_stores_and_processes_from_any_thread(tmp_path: Path) -> None:
    """The future holds the ledger's number; the same id again gives the same number."""
    config = business(tmp_path)
    one = daemon(config)
    async with running(one):
        first = await asyncio.to_thread(lambda: one.submit(Feedback(rating=2, id="a")).result(DEADLINE))
        again = await asyncio.wrap_future(one.submit(Feedback(rating=2, id="a")))
        other = await asyncio.wrap_future(one.submit(Feedback(rating=5)))
        assert (first, again) == (1, 1)
        assert other != first
        with pytest.raises(BadData, match="other content"):
            await asyncio.wrap_future(one.submit(Feedback(rating=1, id="a")))
        with pytest.raises(BadData, match="rating must be a whole number from 1 to 5, got 6"):
            one.submit(Feedback(rating=6))
        await until(lambda: rows(tmp_path / "feedback.db", "SELECT 1 FROM low_rating"))


async def test_submitting_before_the_start_waits_for_it(tmp_path: Path) -> None:
    """Early ratings are stored when the daemon stands; after its end they are refused."""
    one = daemon(business(tmp_path))
    early = one.submit(Feedback(rating=4, id="early"))
    assert not early.done()
    async with running(one):
        assert await asyncio.wrap_future(early) == 1
    with pytest.raises(Unavailable, match="the daemon"):
        one.submit(Feedback(rating=4)).result(DEADLINE)


async def test_giving_up_waiting_for_an_answer_harms_nobody(tmp_path: Path) -> None:
    """A cancelled future takes neither its rating back nor the answers of others away."""
    one = daemon(business(tmp_path, plugin=NEVER_OPEN))
    given_up, other = (one.submit(Feedback(rating=4, id=name)) for name in "ab")
    given_up.cancel()
    with pytest.raises(BadConfig, match="channel chat' failed: no"):
        await one.run()
    with pytest.raises(Unavailable):
        other.result(DEADLINE)


def test_whenever_the_daemon_ends_submitting_gives_a_future(tmp_path: Path) -> None:
    """Also when it is cancelled: a rating is taken, or refused as unavailable, and nothing else is raised."""
    one = daemon(business(tmp_path))
    thread = CoroutineThread(one.run)
    thread.start()
    assert one.ready.wait(DEADLINE)
    answers = [one.submit(Feedback(rating=5))]
    stopper = threading.Thread(target=thread.stop)
    stopper.start()
    while not isinstance(answers[-1].exception(DEADLINE), Unavailable):
        answers.append(one.submit(Feedback(rating=5)))
    stopper.join()
    numbers = [answer.result() for answer in answers[:-1]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert rows(tmp_path / "feedback.db", "SELECT count(*) FROM feedback") == [(len(numbers),)]


@pytest.mark.parametrize("given_at", [1.5, "yesterday", -(2**70), 2**70])
async def test_a_moment_that_cannot_be_is_refused(tmp_path: Path, given_at: Any) -> None:
    """At the call, not by the database."""
    with pytest.raises(BadData, match="given_at"):
        daemon(business(tmp_path)).submit(Feedback(rating=4, given_at=given_at))


def test_a_synchronous_program_can_hold_a_daemon(tmp_path: Path) -> None:
    """In a thread of its own: no signal handlers, submit, drain by stop, no thread left."""
    before = threading.active_count()
    one = daemon(business(tmp_path))
    thread = CoroutineThread(one.run)
    thread.start()
    assert one.ready.wait(DEADLINE)
    assert one.submit(Feedback(rating=1, comment="cold")).result(DEADLINE) == 1
    asyncio.run(until(lambda: rows(tmp_path / "feedback.db", "SELECT 1 FROM low_rating")))
    one.stop()
    figures = thread.result(DEADLINE)
    thread.stop()
    assert figures.processed == 1
    assert threading.active_count() == before


async def test_stopping_before_the_start_ends_at_once(tmp_path: Path) -> None:
    """Stop is allowed at any time and remembered."""
    one = daemon(business(tmp_path))
    one.stop()
    one.stop()
    await asyncio.wait_for(one.run(), DEADLINE)


SLOW = RECORDER.replace(
    "        with LOG.open", "        await asyncio.sleep(message.attempt and 0.2)\n        with LOG.open"
)


async def test_stopping_finishes_what_is_in_flight(tmp_path: Path) -> None:
    """Within the grace time every send that had begun ends as sent, and nothing is doubled later."""
    config = business(tmp_path, plugin=SLOW)
    await add(tmp_path / "feedback.db", _ratings(8), NOW)
    async with running(daemon(config)):
        await until(lambda: rows(tmp_path / "feedback.db", "SELECT 1 FROM message WHERE state = 'sending'"))
    assert rows(tmp_path / "feedback.db", "SELECT count(*) FROM message WHERE state = 'sending'") == [(0,)]
    await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    assert len(sent(tmp_path)) == len(set(sent(tmp_path))) == 8


HANGING = RECORDER.replace(
    "        with LOG.open", "        await asyncio.Event().wait()\n        with LOG.open"
)


async def test_after_the_grace_time_the_rest_is_given_up_without_loss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A send that hangs does not keep the daemon; the message is due again at the next start."""
    config = business(tmp_path, plugin=HANGING, config='[daemon]\ngrace = "100ms"\n')
    await add(tmp_path / "feedback.db", _ratings(40), NOW)
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


async def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    """It names the pid of the first, which is not disturbed."""
    config = business(tmp_path)
    async with running(daemon(config)):
        with pytest.raises(Busy, match=f"a daemon with pid {os.getpid()}"):
            await daemon(config).run(drain=True)


NEVER_OPEN = RECORDER.replace(
    "    async def send", "    async def open(self):\n        raise SystemExit('no')\n\n    async def send"
)
NEVER_CLOSED = RECORDER.replace(
    "    async def send",
    "    async def close(self):\n        await asyncio.Event().wait()\n\n    async def send",
)


async def test_a_plugin_that_exits_while_opening_fails_the_start_by_name(tmp_path: Path) -> None:
    """An exit of a plugin is a failure of the plugin, not a success of the program."""
    with pytest.raises(BadConfig, match="plugin chat, channel chat' failed: no"):
        await daemon(business(tmp_path, plugin=NEVER_OPEN)).run()


async def test_a_plugin_that_does_not_close_does_not_keep_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named, and the ledger is closed all the same."""
    monkeypatch.setattr("feedback_app.assembly._CLOSE_LIMIT", 0.05)
    await asyncio.wait_for(daemon(business(tmp_path, plugin=NEVER_CLOSED)).run(drain=True), DEADLINE)
    (record,) = [one for one in caplog.records if one.message == "plugin did not close"]
    assert record.__dict__["plugin"] == "chat"


async def test_a_plugin_that_cannot_open_fails_the_start_by_name(tmp_path: Path) -> None:
    """Ready is told only when every part stands."""
    plugin = (
        RECORDER + "\n\nasync def _open(self):\n    raise OSError('no route')\n\n\nRecorder.open = _open\n"
    )
    one = daemon(business(tmp_path, plugin=plugin))
    with pytest.raises(BadConfig, match=r"plugin chat, channel chat.*no route"):
        await asyncio.wait_for(one.run(), DEADLINE)
    assert not one.ready.is_set()


async def test_a_bad_template_fails_the_start(tmp_path: Path) -> None:
    """Found at the door, not at the first rating."""
    config = business(tmp_path)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "thanks.txt").write_text("{{ nmae }}")
    with pytest.raises(BadConfig, match=r"thanks\.txt line 1: 'nmae' is undefined"):
        await daemon(config).run()


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
    arrivals = [*_ratings(5), incoming("bad", customer="c2", contact=poison)]
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
    await add(tmp_path / "feedback.db", _ratings(1), NOW)
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


async def test_what_is_wrong_with_plugins_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken plugin, and a channel that customers prefer with nobody to serve it, are named; the others go on."""
    config = business(tmp_path)
    (tmp_path / "plugins" / "fax.py").write_text("import no_such_module_at_all\n")
    faxer = Customer(id="c2", preferred_channels=("fax",))
    await add(tmp_path / "feedback.db", [*_ratings(1), incoming("f", customer="c2", contact=faxer)], NOW)
    with caplog.at_level(logging.WARNING):
        await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    said = {record.message: record.__dict__ for record in caplog.records}
    assert said["plugin left out"]["plugin"] == "fax"
    assert "needs 'no_such_module_at_all', which is not installed here" in said["plugin left out"]["reason"]
    assert said["customers prefer a channel that no plugin serves"]["channel"] == "fax"
    assert len(sent(tmp_path)) == 1


async def test_a_hook_that_refuses_its_settings_fails_the_start(tmp_path: Path) -> None:
    """So that ratings do not end as not thanked for want of a password file."""
    plugin = RECORDER.replace("    return Recorder()", "    raise ValueError('password_file: cannot read x')")
    with pytest.raises(BadConfig, match=r"\[plugins.chat\]: password_file: cannot read x"):
        await daemon(business(tmp_path, plugin=plugin)).run()


async def test_who_asked_is_told_once_when_every_part_stands(tmp_path: Path) -> None:
    """`on_ready` is called when `ready` is set."""
    seen: list[bool] = []
    one: Daemon = daemon(business(tmp_path), on_ready=lambda: seen.append(one.ready.is_set()))
    async with running(one):
        assert seen == [True]
