"""Whatever an analyser does, the rating goes on, and soon."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress

import pytest

from feedback_app import Analyser, Feedback
from feedback_app.pipeline.analysing import Asked, ask_all
from tests.concurrency.virtual_time import run_virtual

RATED = Feedback(rating=5, number=7, customer="c1", comment="my secret words")


class _Scripted(Analyser):
    name = "scripted"
    timeout = 10.0

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.asked = 0

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return {"length": len(feedback.comment)}


class _Deaf(_Scripted):
    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        self.asked += 1
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("my secret words"),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        BaseException("odd"),
        StopIteration(),
        StopAsyncIteration(),
        asyncio.CancelledError(),
        ExceptionGroup("both", [ValueError()]),
        BaseExceptionGroup("both", [SystemExit()]),
    ],
    ids=repr,
)
async def test_whatever_an_analyser_raises_is_noted_and_the_rating_goes_on(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """With its kind and place, without the customer's words."""
    one = _Scripted()
    one.error = error
    with caplog.at_level(logging.WARNING):
        facts = await Asked(one).facts(RATED)
    assert set(facts) == {"failed"}
    (record,) = caplog.records
    assert record.__dict__["analyser"] == "scripted"
    assert "secret" not in str(record.__dict__)


def test_an_analyser_that_fails_again_and_again_is_not_asked_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Five failures in a row; then one rating a minute asks, until it answers."""

    async def scenario() -> None:
        one = _Scripted()
        asked = Asked(one)
        one.error = ValueError()
        for _ in range(4):
            await asked.facts(RATED)
        one.error = None
        await asked.facts(RATED)  # so the four were not in a row with what follows
        one.error = ValueError()
        for _ in range(100):
            await asked.facts(RATED)
        assert one.asked == 4 + 1 + 5
        assert await asked.facts(RATED) == {"failed": "suspended"}

        await asyncio.sleep(61)
        assert [await asked.facts(RATED) for _ in range(2)] == [
            {"failed": "ValueError"},
            {"failed": "suspended"},
        ]
        one.error = None
        await asyncio.sleep(61)
        assert [await asked.facts(RATED) for _ in range(3)] == [{"length": 15}] * 3

    with caplog.at_level(logging.INFO):
        run_virtual(scenario())
    assert [one.message for one in caplog.records].count("analysis left out") == 10
    assert caplog.records[-1].message == "analyser works again"


def test_while_one_rating_asks_a_suspended_analyser_the_others_go_on() -> None:
    """One that hangs for its whole time holds up one rating a minute and no more."""

    async def scenario() -> None:
        one = _Deaf()
        asked = Asked(one)
        await asyncio.gather(*(asked.facts(RATED) for _ in range(5)))
        assert one.asked == 5
        await asyncio.sleep(61)
        begun = asyncio.get_running_loop().time()
        probe = asyncio.create_task(asked.facts(RATED))
        await asyncio.sleep(0)
        assert [await asked.facts(RATED) for _ in range(50)] == [{"failed": "suspended"}] * 50
        assert asyncio.get_running_loop().time() == begun
        assert await probe == {"failed": "Abandoned"}
        assert asyncio.get_running_loop().time() == pytest.approx(begun + 11)

    run_virtual(scenario())


def test_the_end_of_the_daemon_is_no_failure_of_an_analyser() -> None:
    """The rating counts as never seen."""

    async def scenario() -> None:
        asked = Asked(_Deaf())
        for _ in range(5):
            caller = asyncio.create_task(asked.facts(RATED))
            await asyncio.sleep(1)
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
        caller = asyncio.create_task(asked.facts(RATED))
        assert await caller == {"failed": "Abandoned"}

    run_virtual(scenario())


class _Remote(Analyser):
    """Asks a service that takes its time."""

    def __init__(self, name: str, seconds: float, **facts: object) -> None:
        self.name = name
        self.timeout = 1.0
        self._seconds = seconds
        self._facts = facts

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        await asyncio.sleep(self._seconds)
        return self._facts


def _analysed(*analysers: Analyser) -> tuple[dict[str, Mapping[str, object]], float]:
    """Return what they say of one rating, and the seconds that it took."""

    async def scenario() -> tuple[dict[str, Mapping[str, object]], float]:
        facts = await ask_all([Asked(one) for one in analysers], RATED)
        return facts, asyncio.get_running_loop().time()

    return run_virtual(scenario())


def test_three_services_are_asked_side_by_side() -> None:
    """A rating waits for the slowest, not for the sum; the facts stand in the order of the analysers."""
    facts, seconds = _analysed(*(_Remote(name, 0.2, of=name) for name in ("one", "two", "three")))

    assert seconds == pytest.approx(0.2)
    assert list(facts.items()) == [(name, {"of": name}) for name in ("one", "two", "three")]


def test_each_is_timed_out_on_its_own() -> None:
    """One that hangs and one that fails cost the others nothing."""
    broken = _Scripted()
    broken.error = ValueError()
    facts, seconds = _analysed(_Remote("hangs", 3600), broken, _Remote("quick", 0.2, mood="good"))

    assert seconds == pytest.approx(1.0)
    assert facts == {
        "hangs": {"failed": "TimeoutError"},
        "scripted": {"failed": "ValueError"},
        "quick": {"mood": "good"},
    }


@pytest.mark.parametrize("count", [0, 1, 2])
def test_who_has_nothing_to_say_leaves_nothing(count: int) -> None:
    """Its name is not in the analysis."""
    assert _analysed(*(_Remote(f"silent{number}", 0.1) for number in range(count)))[0] == {}


def test_the_end_of_the_daemon_ends_all_of_them() -> None:
    """No task is left behind."""

    async def scenario() -> None:
        asked = [Asked(_Remote(name, 3600)) for name in ("one", "two")]
        caller = asyncio.create_task(ask_all(asked, RATED))
        await asyncio.sleep(0.1)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(scenario())


@pytest.mark.parametrize("text", ["half a pair: \ud83d", "NUL: \x00"])
def test_facts_that_a_database_would_refuse_are_a_failure(text: str) -> None:
    """PostgreSQL's JSON knows neither."""
    facts, _ = _analysed(_Remote("odd", 0, said=text), _Remote("fine", 0, said="\\u0000, \U0001f600"))

    assert set(facts["odd"]) == {"failed"}
    assert facts["fine"] == {"said": "\\u0000, \U0001f600"}
