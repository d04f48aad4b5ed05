"""What a far side says of itself: addresses that only it knows, and whether it remembers what was acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from feedback_app import Batch, Customer, Received, Source
from feedback_app.testing import FarSide, check_notifier, check_source, failures
from tests.testing import bad_notifiers as bad


class Choosy(bad.Good):
    """Reaches only whoever has an address with a scheme."""

    def address(self, customer: Customer) -> str | None:
        """Return that address."""
        stored = customer.addresses.get(self.channel, "")
        return stored if "://" in stored else None


class Chat(FarSide):
    """Takes messages at one address."""

    def address(self) -> str:
        """Return it."""
        return "chat://somebody"


async def test_an_address_that_only_the_far_side_knows_is_asked_for() -> None:
    """Without one nothing is sent, and that is said; what needs no address is looked at all the same."""
    assert failures(await check_notifier(Choosy, Chat(), patience=1.0)) == []
    findings = await check_notifier(Choosy, patience=1.0)
    assert failures(findings) == []
    said = {one.check: one.happened for one in findings if one.state == "not tested"}
    assert "(FarSide.address)" in said["a message ends in a Receipt"]
    assert "every customer has an address or None" not in said


class Book(FarSide):
    """Pages, of which nobody notes which were read."""

    remembers = False

    def __init__(self) -> None:
        self.pages: list[bytes] = []

    def put(self, payloads: Sequence[bytes]) -> bool:
        """Add pages."""
        self.pages += payloads
        return True


class Reader(Source):
    """Goes on at the last page that was read, which may come again."""

    name = "reader"

    def __init__(self, book: Book) -> None:
        self.book = book

    async def open(self, position: str | None) -> None:
        """Open the book there."""
        self.at = max(0, int(position or 0) - 1)

    async def receive(self, limit: int) -> Batch:
        """Read on."""
        await asyncio.sleep(0.001)
        found = self.book.pages[self.at : self.at + limit]
        numbers = range(self.at, self.at + len(found))
        self.at += len(found)
        received = [
            Received(payload=page, id=self.id_of(at)) for at, page in zip(numbers, found, strict=True)
        ]
        return Batch(received=received, position=str(self.at))

    def id_of(self, at: int) -> str:
        """Return a page's id."""
        return f"p{at}"

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """Do nothing."""


class Renumbering(Reader):
    """Counts the pages from where it opened the book."""

    async def open(self, position: str | None) -> None:
        """Open the book there."""
        await super().open(position)
        self.opened_at = position

    def id_of(self, at: int) -> str:
        """Return another id at each start."""
        return f"{self.opened_at}-{at}"


class Hasty(Reader):
    """Goes on behind pages that were not there yet."""

    async def open(self, position: str | None) -> None:
        """Open the book too far on."""
        self.at = int(position) + 5 if position else 0


async def test_where_only_the_position_tells_some_may_come_again() -> None:
    """By their ids; of a far side that says that it remembers they must not."""
    book = Book()
    assert failures(await check_source(lambda: Reader(book), book, patience=1.0)) == []
    book = Book()
    book.remembers = True
    (finding,) = failures(await check_source(lambda: Reader(book), book, patience=1.0))
    assert "'p2' did (where only the position tells, say so: FarSide.remembers)" in str(finding)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Renumbering, "what comes again after the position to have its id; '3-2' is new"),
        (Hasty, "a rating that is put there after a new start to come; it did not"),
    ],
)
async def test_a_position_that_is_no_use_is_told(kind: type[Reader], words: str) -> None:
    """Doubles that nobody knows for doubles, and ratings that are passed over."""
    book = Book()
    (finding,) = failures(await check_source(lambda: kind(book), book, patience=1.0))
    assert words in str(finding)
