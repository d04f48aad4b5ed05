"""A plugin that breaks a promise fails the check of that promise, in words that name the fault and its place."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from feedback_app import Notifier
from feedback_app.testing import FarSide, check_notifier, failures
from tests.testing import bad_notifiers as bad

RECEIPT = "a message ends in a Receipt"
ODD = "unusual messages are taken, or refused for good"
CANCELLED = "a send that is cancelled ends, the next one works"
CLOSE = "close does no harm before open, after a failed one, twice"
LEFT = "close leaves no task and no thread"
SECRETS = "its secrets are shown nowhere"
CHECKED = "check ends in time and sends nothing"
ADDRESS = "every customer has an address or None"

CASES: list[tuple[type[Notifier], str, str]] = [
    (bad.Nothing, RECEIPT, "send returned NoneType"),
    (bad.Text, RECEIPT, "send returned str"),
    (bad.Number, RECEIPT, "a text or None as the receipt's provider_id; got int"),
    (bad.Closed, RECEIPT, "wanted open to get ready; it raised OutcomeUnknown: perhaps"),
    (bad.Shouting, "it is made as the contract says", "Shouting.channel is 'CHAT!'"),
    (bad.Synchronous, "it is made as the contract says", "Synchronous.send must be a coroutine function"),
    (bad.Ascii, ODD, "a message with emoji, or PermanentFailure; it raised UnicodeEncodeError"),
    (
        bad.Nameless,
        ODD,
        "a message with empty optional fields, or PermanentFailure; it raised AssertionError",
    ),
    (
        bad.Short,
        ODD,
        "a message with 10,000 letters, or PermanentFailure; it raised TemporaryFailure: too long",
    ),
    (bad.Deaf, CANCELLED, "a call that is cancelled to end; it did not end within 1 s of being cancelled"),
    (bad.Locked, CANCELLED, "a message after others were cancelled; it did not end in time"),
    (bad.OneAtATime, "20 messages at once", "it raised RuntimeError: I am busy"),
    (bad.Blocking, "it does not block the event loop", "it was blocked for 0."),
    (bad.Littering, LEFT, "no task to be left; 5 left, such as Littering._pump"),
    (bad.Threaded, LEFT, "1 left, such as 'pump'"),
    (bad.Loud, SECRETS, "one stands in what it logs or prints"),
    (bad.Shown, SECRETS, "one stands in its repr"),
    (bad.Telling, SECRETS, "one stands in an error"),
    (bad.Lost, ADDRESS, "address returned int"),
    (bad.Picky, ADDRESS, "a customer of whom only the id is known; it raised AssertionError"),
    (
        bad.Endless,
        CHECKED,
        "wanted check to say what it reached, or to raise as send does; it did not end in time",
    ),
    (bad.Counting, CHECKED, "wanted a text or None; check returned int"),
    (bad.Once, CLOSE, "close to do no harm before open; it raised AttributeError"),
    (bad.NotTwice, "it works again after a new start", "it raised RuntimeError: there can be only one"),
]


@pytest.mark.parametrize(
    ("kind", "check", "words"), [pytest.param(*case, id=case[0].__name__) for case in CASES]
)
async def test_a_bad_one_fails_and_its_fault_is_named(kind: type[Notifier], check: str, words: str) -> None:
    """In the check for it, with what was wanted and what happened."""
    (finding,) = await check_notifier(kind, secrets=[bad.TOKEN], patience=1.0, only=[check])
    assert finding.state == "fails", finding
    assert words in str(finding)
    assert finding.promise in str(finding)
    assert bad.TOKEN not in str(finding)


@pytest.mark.parametrize("kind", [bad.Ascii, bad.OneAtATime, bad.Blocking, bad.Littering, bad.Picky])
async def test_the_place_in_the_plugin_is_told(kind: type[Notifier]) -> None:
    """By file and line, between the first and the last line of the class."""
    check = next(check for one, check, _ in CASES if one is kind)
    (finding,) = await check_notifier(kind, patience=1.0, only=[check])
    assert finding.where is not None
    file, _, line = finding.where.rpartition(":")
    lines, first = inspect.getsourcelines(kind)
    assert Path(file).name == "bad_notifiers.py"
    assert first <= int(line) < first + len(lines)


async def test_a_good_one_passes_and_what_could_not_be_tested_is_said() -> None:
    """Without a far side whose faults can be provoked, five checks have no means."""
    findings = await check_notifier(bad.Good, secrets=[bad.TOKEN], patience=1.0)
    assert failures(findings) == []
    untested = {finding.check: finding.happened for finding in findings if finding.state == "not tested"}
    assert len(untested) == 5
    assert all("nobody said how to provoke it" in why for why in untested.values())


async def test_a_check_that_sends_fails() -> None:
    """The far side has got something."""
    arrived: list[str] = []
    far_side = FarSide()
    far_side.received = lambda: arrived  # type: ignore[method-assign]
    (finding,) = await check_notifier(lambda: bad.Trying(arrived), far_side, only=[CHECKED])
    assert (finding.state, finding.expected, finding.happened) == (
        "fails",
        "check to send nothing",
        "1 arrived",
    )


async def test_an_unknown_check_is_refused() -> None:
    """A slip must not pass as a check that holds."""
    with pytest.raises(ValueError, match="there is no check 'bloks'"):
        await check_notifier(bad.Good, only=["bloks"])
