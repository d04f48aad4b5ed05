"""The decisions of the main road."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from feedback_app import Analyser, Customer, Feedback, Message, Notifier, Receipt
from feedback_app.pipeline import Composer, Pipeline, Policy


class _Channel(Notifier):
    def __init__(self, channel: str) -> None:
        self.channel = channel

    async def send(self, message: Message) -> Receipt:
        raise AssertionError("the pipeline never sends")

    def address(self, customer: Customer) -> str | None:
        return {"email": customer.email, "sms": customer.phone}.get(self.channel, customer.id)


ADA = Customer(
    id="c1", name="Ada", email="ada@example.com", phone="+4915112345678", preferred_channels=("sms",)
)


def _pipeline(
    tmp_path: Path, *, analysers: tuple[Analyser, ...] = (), astray: Notifier | None = None, **policy: Any
) -> Pipeline:
    return Pipeline(
        policy=Policy(**policy),
        composer=Composer(tmp_path, business="The Shop"),
        notifiers={"email": _Channel("email"), "sms": _Channel("sms"), "chat": astray or _Channel("chat")},
        analysers=analysers,
        ledger_id="0123abcd",
    )


def _rated(rating: float, **changes: Any) -> Feedback:
    return Feedback(rating=rating, number=7, customer="c1", item="umbrella", **changes)


@pytest.mark.parametrize(
    ("rating", "low"), [(1, True), (2, True), (2.5, True), (3, False), (3.5, False), (5, False)]
)
async def test_a_rating_below_three_is_kept_and_not_thanked(
    tmp_path: Path, rating: float, *, low: bool
) -> None:
    """Exactly 3 is not low; a low one makes no message."""
    outcome = await _pipeline(tmp_path)(_rated(rating), ADA)
    assert outcome.keep_low is low
    assert outcome.ended == ("low" if low else "thanked")
    assert len(outcome.messages) == (0 if low else 1)


async def test_the_message_goes_by_the_channel_that_the_customer_prefers(tmp_path: Path) -> None:
    """One message, to that channel's address, with a stable id."""
    (message,) = (await _pipeline(tmp_path)(_rated(5), ADA)).messages
    (again,) = (await _pipeline(tmp_path)(_rated(5), ADA)).messages
    assert (message.channel, message.recipient) == ("sms", "+4915112345678")
    assert message.id == "thanks.7.0123abcd"
    assert again == message


@pytest.mark.parametrize(
    ("preferred", "email", "phone", "wanted"),
    [
        (("sms", "email"), "a@example.com", None, "email"),
        (("fax", "chat"), None, None, "chat"),
        (("fax",), "a@example.com", None, None),
        (("sms",), "a@example.com", None, None),
        ((), "a@example.com", "+4915112345678", "email"),
        ((), None, "+4915112345678", "sms"),
        ((), None, None, None),
    ],
)
async def test_the_first_preferred_channel_that_reaches_the_customer_is_taken(
    tmp_path: Path, preferred: tuple[str, ...], email: str | None, phone: str | None, wanted: str | None
) -> None:
    """In the customer's order; who never said gets the default order; nobody is written to by another channel."""
    customer = Customer(id="c1", email=email, phone=phone, preferred_channels=preferred)
    outcome = await _pipeline(tmp_path)(_rated(5), customer)
    assert [one.channel for one in outcome.messages] == ([wanted] if wanted else [])
    assert outcome.ended == ("thanked" if wanted else "no_channel")


async def test_every_end_of_the_road_has_its_name(tmp_path: Path) -> None:
    """Nobody to thank, nobody known, opted out, history: each is told apart, none makes a message."""
    pipeline = _pipeline(tmp_path)
    out = Customer(id="c1", email="a@example.com", opted_out=True)
    ends = [
        await pipeline(Feedback(rating=4, number=1), None),
        await pipeline(_rated(4), None),
        await pipeline(_rated(4), out),
        await pipeline(_rated(4, thank=False), ADA),
        await pipeline(_rated(2, thank=False), ADA),
    ]
    assert [one.ended for one in ends] == ["no_customer", "unknown_customer", "opted_out", "history", "low"]
    assert all(one.messages == () for one in ends)
    assert [one.keep_low for one in ends] == [False, False, False, False, True]


class _Astray(_Channel):
    def __init__(self, answer: object) -> None:
        super().__init__("chat")
        self._answer = answer

    def address(self, customer: Customer) -> str | None:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer  # type: ignore[return-value] # a plugin may


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (SystemExit(3), "address raised SystemExit"),
        (KeyboardInterrupt(), "address raised KeyboardInterrupt"),
        (GeneratorExit(), "address raised GeneratorExit"),
        (asyncio.CancelledError(), "address raised CancelledError"),
        (LookupError("nobody"), "nobody"),
        (["a@example.com"], "address returned list, want a str or None"),
        (b"a@example.com", "address returned bytes, want a str or None"),
        ("a\0@example.com", "address returned text that the ledger cannot hold"),
        ("a\ud800@example.com", "address returned text that the ledger cannot hold"),
    ],
    ids=repr,
)
async def test_an_address_that_is_none_is_the_failure_of_this_rating(
    tmp_path: Path, answer: object, reason: str
) -> None:
    """Not the end of the worker, nor of the program."""
    pipeline = _pipeline(tmp_path, astray=_Astray(answer))
    with pytest.raises(Exception, match=reason):
        await pipeline(_rated(5), Customer(id="c2", preferred_channels=("chat",)))


async def test_low_ratings_get_the_apology_when_configured(tmp_path: Path) -> None:
    """Kept as a low rating all the same; the wording is another one; history still gets nothing."""
    pipeline = _pipeline(tmp_path, thank_low_ratings=True)
    outcome = await pipeline(_rated(1), ADA)
    (message,) = outcome.messages
    assert (outcome.ended, outcome.keep_low) == ("low", True)
    assert message.purpose == "apology"
    assert "sorry" in message.text
    assert (await pipeline(_rated(1, thank=False), ADA)).messages == ()


class _Words(Analyser):
    name = "words"

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        return {"count": len(feedback.comment.split())}


class _Broken(Analyser):
    name = "broken"

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        raise RuntimeError(f"cannot read {feedback.comment}")


class _Endless(Analyser):
    name = "endless"
    timeout = 0.01

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        await asyncio.Event().wait()
        return {}


class _Odd(Analyser):
    name = "odd"

    def __init__(self, facts: object) -> None:
        self._facts = facts

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        if isinstance(self._facts, BaseException):
            raise self._facts
        return {"facts": self._facts}


@pytest.mark.parametrize("facts", [{1, 2}, float("nan"), SystemExit(3), asyncio.CancelledError()], ids=repr)
async def test_facts_that_cannot_be_stored_are_left_out(tmp_path: Path, facts: object) -> None:
    """What is no JSON, an exit and a cancellation of the analyser's own making are its failures, not the rating's."""
    outcome = await _pipeline(tmp_path, analysers=(_Odd(facts), _Words()))(_rated(5, comment="a b"), ADA)
    assert outcome.ended == "thanked"
    assert set(outcome.analysis["odd"]) == {"failed"}  # type: ignore[call-overload]
    assert outcome.analysis["words"] == {"count": 2}


async def test_cancelling_the_pipeline_is_no_failure_of_an_analyser(tmp_path: Path) -> None:
    """The daemon ends: the rating counts as never seen."""
    endless = _Endless()
    endless.timeout = 60
    task = asyncio.create_task(_pipeline(tmp_path, analysers=(endless,))(_rated(5), ADA))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_analysers_failure_never_loses_the_rating(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Facts of the good one stay, a broken or late one is noted and logged without the customer's words."""
    pipeline = _pipeline(tmp_path, analysers=(_Words(), _Broken(), _Endless()))
    with caplog.at_level(logging.WARNING):
        outcome = await pipeline(_rated(5, comment="my secret words"), ADA)
    assert outcome.ended == "thanked"
    assert outcome.analysis == {
        "words": {"count": 3},
        "broken": {"failed": "RuntimeError"},
        "endless": {"failed": "TimeoutError"},
    }
    assert len(caplog.records) == 2
    assert "secret" not in caplog.text
