"""The ticker: no drift, no overlap, no end by an exception, an end at once when asked."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from feedback_app.concurrency import Cron, Every, Ticker
from tests.concurrency.virtual_time import VirtualClock, VirtualTimeLoop, run_virtual
from tests.concurrency.waiting import eventually

DEADLINE = 5.0  # seconds of real time
START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = 86400.0


class Diary:
    """A callback that writes down when it was called, and may take its time."""

    def __init__(self, *lengths: float) -> None:
        self.clock = VirtualClock(START)
        self.lengths = list(lengths)
        self.seconds: list[float] = []
        self.moments: list[str] = []
        self.at_once = 0

    async def __call__(self) -> None:
        """Write the moment down."""
        assert self.at_once == 0, "two ticks overlap"
        self.at_once += 1
        self.seconds.append(round(self.clock.monotonic(), 3))
        self.moments.append(self.clock.now().strftime("%d %H:%M:%S"))
        if self.lengths:
            await asyncio.sleep(self.lengths.pop(0))
        self.at_once -= 1


async def run_for(ticker: Ticker, seconds: float) -> None:
    """Run the ticker and stop it after that much of the loop's time."""
    asyncio.get_running_loop().call_later(seconds, ticker.stop)
    await ticker.run()


def test_every_tick_comes_a_whole_number_of_periods_after_the_start() -> None:
    """The time that the callback takes is not added up."""
    diary = Diary(*[0.7] * 100)
    run_virtual(run_for(Ticker(Every(seconds=3), diary, clock=diary.clock), 301))
    assert diary.seconds == [3.0 * k for k in range(1, 101)]


def test_ticks_missed_by_an_overrun_are_made_up_for_by_one() -> None:
    """The policy "coalesce": one call as soon as possible, then the grid again; never two at once."""
    diary = Diary(10.0)
    run_virtual(run_for(Ticker(Every(seconds=3), diary, clock=diary.clock), 20))
    assert diary.seconds == [3, 13, 15, 18]


def test_ticks_missed_by_an_overrun_may_be_skipped() -> None:
    """The policy "skip": nothing is made up for."""
    diary = Diary(10.0)
    run_virtual(run_for(Ticker(Every(seconds=3), diary, missed="skip", clock=diary.clock), 20))
    assert diary.seconds == [3, 15, 18]


def test_a_cron_line_is_served_on_the_wall_clock() -> None:
    """Each day at eight."""
    diary = Diary()
    run_virtual(run_for(Ticker(Cron("0 8 * * *", "UTC"), diary, clock=diary.clock), 3 * DAY))
    assert diary.moments == ["01 08:00:00", "02 08:00:00", "03 08:00:00"]


def test_a_suspended_machine_delays_a_tick_by_at_most_half_a_minute() -> None:
    """The wall clock jumps over the due time while timers stood still; the tick is late but comes, once."""

    async def scenario() -> None:
        asyncio.get_running_loop().call_later(7 * 3600, diary.clock.jump, timedelta(hours=3))
        await run_for(Ticker(Cron("0 8 * * *", "UTC"), diary, clock=diary.clock), DAY)

    diary = Diary()
    run_virtual(scenario())
    assert len(diary.moments) == 1
    assert "01 10:00:00" <= diary.moments[0] <= "01 10:00:30"


def test_a_tick_that_is_hours_late_may_be_skipped() -> None:
    """The policy "skip" again: late by more than 30 s is missed."""

    async def scenario() -> None:
        asyncio.get_running_loop().call_later(7 * 3600, diary.clock.jump, timedelta(hours=3))
        await run_for(Ticker(Cron("0 8 * * *", "UTC"), diary, missed="skip", clock=diary.clock), 2 * DAY)

    diary = Diary()
    run_virtual(scenario())
    assert diary.moments == ["02 08:00:00"]


def test_three_days_of_suspend_are_one_tick_or_none() -> None:
    """Missed days are coalesced into one tick, or skipped."""

    async def hours_of_ticks(missed: Literal["coalesce", "skip"]) -> list[str]:
        diary = Diary()
        asyncio.get_running_loop().call_later(3600, diary.clock.jump, timedelta(days=3))
        await run_for(Ticker(Cron("0 8 * * *", "UTC"), diary, missed=missed, clock=diary.clock), DAY)
        return [moment[:5] for moment in diary.moments]

    assert run_virtual(hours_of_ticks("coalesce")) == ["04 01", "04 08"]
    assert run_virtual(hours_of_ticks("skip")) == ["04 08"]


def test_a_clock_that_is_put_right_does_not_repeat_a_tick() -> None:
    """Eight o'clock comes again when the clock goes back by ten minutes, the tick does not."""

    async def scenario() -> None:
        asyncio.get_running_loop().call_later(8 * 3600 + 60, diary.clock.jump, timedelta(minutes=-10))
        await run_for(Ticker(Cron("0 8 * * *", "UTC"), diary, clock=diary.clock), DAY)

    diary = Diary()
    run_virtual(scenario())
    assert diary.moments == ["01 08:00:00"]


def test_a_clock_that_was_far_ahead_does_not_silence_the_ticker(caplog: pytest.LogCaptureFixture) -> None:
    """Started in 2106 by a machine without a battery, it goes on from the right time, and says so."""

    async def scenario() -> None:
        asyncio.get_running_loop().call_later(60, diary.clock.jump, -timedelta(days=80 * 365))
        await run_for(Ticker(Cron("0 8 * * *", "UTC"), diary, name="daily", clock=diary.clock), DAY)

    diary = Diary()
    diary.clock.jump(timedelta(days=80 * 365))
    run_virtual(scenario())
    assert diary.moments == ["01 08:00:00"]
    assert "ticker daily: the clock was set back" in caplog.text


@pytest.mark.parametrize(
    "error",
    [ValueError("no figures"), SystemExit(1), asyncio.CancelledError()],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_failing_callback_is_logged_and_the_next_tick_comes(
    error: BaseException, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises, the log names the ticker."""
    calls: list[str] = []

    def fail() -> None:
        calls.append(kind)
        raise error

    async def fail_later() -> None:
        await asyncio.sleep(0.1)
        fail()

    ticker = Ticker(
        Every(seconds=1), fail if kind == "sync" else fail_later, name="daily", clock=VirtualClock()
    )
    with caplog.at_level(logging.ERROR):
        run_virtual(run_for(ticker, 3.5))
    assert len(calls) == 3
    assert caplog.text.count("ticker daily: the callback failed") == 3
    assert type(error).__name__ in caplog.text


def test_the_callback_gets_its_keyword_arguments() -> None:
    """All but the three names that are the ticker's own, so `schedule` and `callback` as well."""
    got: list[dict[str, object]] = []
    ticker = Ticker(
        Every(seconds=1),
        lambda **kwargs: got.append(kwargs),
        clock=VirtualClock(),
        schedule=1,
        callback=2,
        to="x",
    )
    run_virtual(run_for(ticker, 1.5))
    assert got == [{"schedule": 1, "callback": 2, "to": "x"}]


@pytest.mark.parametrize("schedule", [Every(seconds=DAY), Cron("0 0 1 1 *", "UTC")])
def test_stop_ends_a_day_long_wait_within_100_ms(schedule: Every | Cron) -> None:
    """Called from another thread, on the machine's own clocks."""
    ticker = Ticker(schedule, lambda: None)
    taken: list[float] = []

    def stop() -> None:
        taken.append(time.perf_counter())
        ticker.stop()
        ticker.stop()

    async def scenario() -> None:
        run = asyncio.create_task(ticker.run())
        await eventually(lambda: ticker._wakeup._waiters)
        threading.Thread(target=stop).start()
        async with asyncio.timeout(DEADLINE):
            await run

    asyncio.run(scenario())
    assert time.perf_counter() - taken[0] < 0.1


def test_stopped_before_it_runs_it_returns_at_once() -> None:
    """And ever after."""
    calls: list[int] = []
    ticker = Ticker(Every(seconds=0.001), lambda: calls.append(1))
    ticker.stop()
    asyncio.run(asyncio.wait_for(ticker.run(), DEADLINE))
    asyncio.run(asyncio.wait_for(ticker.run(), DEADLINE))
    assert calls == []


def test_stop_lets_a_callback_finish_and_cancelling_the_run_does_not() -> None:
    """Both kinds of ending can be had."""
    diary = Diary(10.0)
    run_virtual(run_for(Ticker(Every(seconds=1), diary, clock=diary.clock), 2))
    assert diary.at_once == 0
    diary = Diary(10.0)
    with pytest.raises(TimeoutError):
        run_virtual(asyncio.wait_for(Ticker(Every(seconds=1), diary, clock=diary.clock).run(), 2))
    assert diary.at_once == 1


def test_a_long_period_is_slept_through_in_one_go() -> None:
    """A stop-watch schedule does not look at the clock every half minute; a wall-clock schedule does."""

    async def turns(schedule: Every | Cron) -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        await run_for(Ticker(schedule, lambda: None, clock=VirtualClock()), DAY / 2)
        return loop.turns

    assert run_virtual(turns(Every(seconds=DAY))) < 10
    assert run_virtual(turns(Cron("0 0 1 1 *", "UTC"))) > DAY / 2 / 30


def test_misuse_is_refused_with_a_sentence() -> None:
    """Each mistake is named where it is made."""
    with pytest.raises(ValueError, match="allowed are 'coalesce' and 'skip'"):
        Ticker(Every(seconds=1), print, missed="all")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"schedule is 3: pass Every\(seconds=\.\.\.\) or Cron"):
        Ticker(3, print)  # type: ignore[arg-type]

    async def twice() -> None:
        ticker = Ticker(Every(seconds=60), print, name="daily")
        first = asyncio.create_task(ticker.run())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="'daily' is already running"):
            await ticker.run()
        ticker.stop()
        await first

    asyncio.run(twice())
