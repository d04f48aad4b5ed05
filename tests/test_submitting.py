"""Ratings given to a daemon by its own program, from any thread and at any time."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from feedback_app import Feedback
from feedback_app.concurrency import CoroutineThread
from feedback_app.errors import BadConfig, BadData, Unavailable
from tests.chatting import NEVER_OPEN
from tests.running import DEADLINE, business, daemon, rows, running, until


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
