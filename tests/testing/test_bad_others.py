"""Analysers and sources that break a promise fail the check of that promise."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from feedback_app import Analyser, Batch, Feedback, Received, Source, SourceDown
from feedback_app.testing import FarSide, check_analyser, check_source, failures

FACTS = "a rating gets facts that JSON can hold"
CAME = "what is acknowledged came, and comes no more"


class Facts(Analyser):
    """Keeps its promises."""

    name = "facts"
    timeout = 0.5

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Count letters."""
        return {"letters": len(feedback.comment)}


class Nothing(Facts):
    """Returns nothing."""

    async def analyse(self, feedback: Feedback) -> Any:
        """Count letters."""


class Sets(Facts):
    """Returns what JSON cannot hold."""

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Collect letters."""
        return {"letters": set(feedback.comment)}


class Endless(Facts):
    """Returns a number that JSON does not know."""

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Divide."""
        return {"share": float("nan")}


class Dividing(Facts):
    """Needs a comment."""

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Divide by its length."""
        return {"share": 1 / len(feedback.comment)}


class Sharing(Facts):
    """Hands out the same facts each time."""

    def __init__(self) -> None:
        self._facts: dict[str, object] = {}

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Count letters."""
        self._facts["letters"] = len(feedback.comment)
        return self._facts


class Blocking(Facts):
    """Thinks too long."""

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Think."""
        if len(feedback.comment) > 100_000:
            time.sleep(0.5)  # noqa: ASYNC251 - that is what is wrong
        return {}


class Slow(Facts):
    """Comes too late."""

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Wait."""
        await asyncio.sleep(2)
        return {}


@pytest.mark.parametrize(
    ("kind", "check", "words"),
    [
        (Nothing, FACTS, "analyse returned NoneType"),
        (Sets, FACTS, "facts about a rating that JSON can hold; Object of type set"),
        (Endless, FACTS, "Out of range float values are not JSON compliant"),
        (Slow, FACTS, "facts about a rating; it did not end in time"),
        (Dividing, "so do unusual ratings", "a rating with no comment; it raised ZeroDivisionError"),
        (Sharing, "each rating has facts of its own", "the second rating changed the first one's facts"),
        (Blocking, "it does not block the event loop", "it was blocked for 0."),
    ],
)
async def test_a_bad_analyser_fails(kind: type[Analyser], check: str, words: str) -> None:
    """In the check for it."""
    (finding,) = await check_analyser(kind, only=[check])
    assert finding.state == "fails", finding
    assert words in str(finding)


async def test_a_good_analyser_passes() -> None:
    """All but what cannot be seen."""
    assert failures(await check_analyser(Facts)) == []


class Shelf(FarSide):
    """Ratings on a shelf, which may be away."""

    def __init__(self) -> None:
        self.there: deque[tuple[str, bytes]] = deque()
        self.away = threading.Lock()
        self._count = 0

    @property
    def faults(self) -> Mapping[Any, Callable[[], Any]]:
        """It may be away."""
        return {"channel_down": lambda: self.away}

    def put(self, payloads: Sequence[bytes]) -> bool:
        """Lay them there."""
        for payload in payloads:
            self._count += 1
            self.there.append((f"r{self._count}", payload))
        return True


class FromShelf(Source):
    """Keeps its promises."""

    name = "shelf"

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    async def open(self, position: str | None) -> None:
        """Go there."""
        if self.shelf.away.locked():
            raise SourceDown("the shelf is away")

    async def receive(self, limit: int) -> Batch:
        """Look what lies there."""
        await asyncio.sleep(0.001)
        found = list(self.shelf.there)[:limit]
        return Batch(received=[Received(payload=payload, id=key) for key, payload in found])

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """Take it away."""
        for one in received:
            self.shelf.there.remove((one.id, one.payload))


class Greedy(FromShelf):
    """Returns more than it was asked for."""

    async def receive(self, limit: int) -> Batch:
        """Return all."""
        return await super().receive(100)


class Forgetful(FromShelf):
    """Acknowledges nothing."""

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """Do nothing."""


class Renaming(FromShelf):
    """Gives a new id each time."""

    async def receive(self, limit: int) -> Batch:
        """Return them by new ids."""
        batch = await super().receive(limit)
        return Batch(received=[Received(payload=one.payload, id=str(id(one))) for one in batch.received])


class Eager(FromShelf):
    """Takes away what nobody has acknowledged."""

    async def receive(self, limit: int) -> Batch:
        """Take it at once."""
        batch = await super().receive(limit)
        await super().acknowledge(batch.received)
        return batch

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """Do nothing."""


class Texts(FromShelf):
    """Hands payloads over as texts."""

    async def receive(self, limit: int) -> Batch:
        """Decode them."""
        batch = await super().receive(limit)
        texts: list[Any] = [one.payload.decode() for one in batch.received]
        return Batch(received=[Received(payload=text) for text in texts])


class Blind(FromShelf):
    """Does not see that the shelf is away."""

    async def open(self, position: str | None) -> None:
        """Go there."""


class Counting(FromShelf):
    """Knows a lag that is none."""

    async def lag(self) -> Any:
        """Return a text."""
        return "many"


class Mapping_(FromShelf):  # noqa: N801
    """Maps a field that no rating has."""

    map = {"stars": "rating"}  # noqa: RUF012


class Deaf(FromShelf):
    """Goes on when it is cancelled."""

    async def receive(self, limit: int) -> Batch:
        """Wait for ever."""
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(5)
        return Batch()


@pytest.mark.parametrize(
    ("kind", "check", "words"),
    [
        (Greedy, CAME, "at most 2 payloads; receive returned 3"),
        (Texts, CAME, "Received(payload=<bytes>, id=<text>) in a batch"),
        (Forgetful, CAME, "nothing that was acknowledged to come again; 'r"),
        (Renaming, "what is not acknowledged comes again, by the same id", "it came by another one"),
        (Eager, "what is not acknowledged comes again, by the same id", "to come again; it did not"),
        (Blind, "a far side that is not there", "SourceDown with the reason; it noticed nothing"),
        (Counting, "it tells how many wait, or None", "lag returned 'many'"),
        (Mapping_, "it is made as the contract says", "fields of a rating in map and set"),
        (
            Deaf,
            "a receive that is cancelled ends, the next one works",
            "did not end within 1 s of being cancelled",
        ),
    ],
)
async def test_a_bad_source_fails(kind: type[FromShelf], check: str, words: str) -> None:
    """In the check for it."""
    shelf = Shelf()
    (finding,) = await check_source(lambda: kind(shelf), shelf, patience=1.0, only=[check])
    assert finding.state == "fails", finding
    assert words in str(finding)


async def test_a_good_source_passes() -> None:
    """All but the secrets that it has not."""
    shelf = Shelf()
    findings = await check_source(lambda: FromShelf(shelf), shelf, patience=1.0)
    assert failures(findings) == []
    assert [one.check for one in findings if one.state == "not tested"] == ["its secrets are shown nowhere"]


async def test_without_ratings_of_its_own_the_kit_takes_nobody_elses() -> None:
    """A source may stand before a queue that is in use."""
    shelf = Shelf()
    shelf.put([b'{"rating": 1}'])
    findings = await check_source(lambda: FromShelf(shelf), patience=1.0)
    assert failures(findings) == []
    assert len(shelf.there) == 1
