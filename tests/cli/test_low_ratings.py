"""`low-ratings`: what people do with cases."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from feedback_app.model import Customer
from feedback_app.store import low_ratings
from feedback_app.store.low_ratings import Step
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Ledger


@pytest.fixture
def case(cli: Cli, ledger: Ledger) -> int:
    """Keep one low rating and return its number."""
    contact = Customer(id="c1", name="Ada")
    ledger.processed([incoming(rating=2, comment="wet\nagain", contact=contact)], now=NOW // 2)
    return 1


def shown(cli: Cli) -> dict[str, object]:
    """Return the case as programs see it."""
    data: dict[str, object] = cli.ok("low-ratings", "show", "1", "--json").json
    return data


def test_a_case_is_listed_with_its_rating_and_its_customer(cli: Cli, case: int) -> None:
    """The keys that others build on, and a whole rating without a point."""
    (one,) = cli.ok("low-ratings", "list", "--json").json

    assert one == shown(cli)
    assert one == {
        "id": case,
        "feedback_id": 1,
        "rating": 2,
        "item": "umbrella",
        "customer": "c1",
        "customer_name": "Ada",
        "comment": "wet\nagain",
        "state": "open",
        "owner": None,
        "given_at": None,
        "received_at": "1998-07-09T16:00:00.000Z",
        "stored_at": "1998-07-09T16:00:00.000Z",
        "acknowledged_at": None,
        "resolved_at": None,
        "source": "test",
        "external_id": "r1",
        "notes": [],
        "analysis": {},
    }
    assert '"rating": 2,' in cli.ok("low-ratings", "list", "--json").out


def test_a_case_goes_from_open_to_acknowledged_to_resolved(cli: Cli, case: int) -> None:
    """Each step is answered with one line and keeps its time."""
    said = cli.ok("low-ratings", "acknowledge", "1", "--owner", "Bob", "--note", "will call").out
    assert said == "low rating 1: acknowledged\n"
    assert cli.ok("low-ratings", "resolve", "1", "--note", "refunded").out == "low rating 1: resolved\n"

    one = shown(cli)
    notes = one["notes"]
    assert isinstance(notes, list)
    assert (one["state"], one["owner"]) == ("resolved", "Bob")
    assert [note["text"] for note in notes] == ["will call", "refunded"]
    assert None not in (one["acknowledged_at"], one["resolved_at"])


@pytest.mark.parametrize(
    ("verb", "state"), [("acknowledge", "acknowledged"), ("resolve", "resolved"), ("reopen", "open")]
)
def test_a_step_that_was_taken_already_is_no_mistake(cli: Cli, case: int, verb: str, state: str) -> None:
    """It says so and changes nothing."""
    cli.ok("low-ratings", verb, "1")
    before = shown(cli)

    assert cli.ok("low-ratings", verb, "1").out == f"low rating 1: already {state}\n"

    assert shown(cli) == before


def test_a_resolved_case_is_acknowledged_only_after_reopening(cli: Cli, case: int) -> None:
    """The line says how."""
    cli.ok("low-ratings", "resolve", "1")

    result = cli("low-ratings", "acknowledge", "1", "--note", "not kept")

    assert result.code == 1
    assert result.err == "feedback-app: low rating 1 is resolved; `low-ratings reopen 1` first\n"
    assert shown(cli)["notes"] == []


def test_reopening_starts_anew_and_leaves_a_note(cli: Cli, case: int) -> None:
    """The times of the first round are gone, that there was one is not."""
    cli.ok("low-ratings", "resolve", "1")

    assert cli.ok("low-ratings", "reopen", "1").out == "low rating 1: open\n"

    one = shown(cli)
    assert (one["state"], one["resolved_at"]) == ("open", None)
    assert [note["text"] for note in one["notes"]] == ["reopened, was resolved"]  # type: ignore[attr-defined]


def test_assigning_and_noting_leave_the_state(cli: Cli, case: int) -> None:
    """A case may have an owner before anybody looks at it."""
    assert cli.ok("low-ratings", "assign", "1", " Bob ").out == "low rating 1: assigned to Bob\n"
    assert cli.ok("low-ratings", "note", "1", "rang twice").out == "low rating 1: noted\n"

    one = shown(cli)
    assert (one["state"], one["owner"]) == ("open", "Bob")


def test_people_see_the_comment_in_its_lines_and_the_notes(cli: Cli, case: int) -> None:
    """Facts first, then the customer's words, then what was noted."""
    cli.ok("low-ratings", "note", "1", "rang twice")

    lines = cli.ok("low-ratings", "show", "1").out.splitlines()

    assert "rating         2" in lines
    assert lines[lines.index("wet") + 1] == "again"
    assert lines[-1].endswith(": rang twice")


def test_states_filter_the_list(cli: Cli, ledger: Ledger) -> None:
    """By default all are listed, also for people as tab-separated lines."""
    ledger.processed([incoming(f"r{number}", rating=1) for number in range(3)])
    cli.ok("low-ratings", "acknowledge", "2")
    cli.ok("low-ratings", "resolve", "3")

    def numbers(*options: str) -> list[int]:
        return [one["id"] for one in cli.ok("low-ratings", "list", "--json", *options).json]

    assert numbers() == numbers("--state", "all") == [1, 2, 3]
    assert [numbers("--state", state) for state in ("open", "acknowledged", "resolved")] == [[1], [2], [3]]
    assert numbers("--limit", "1") == [1]
    assert cli.ok("low-ratings", "list", "--state", "resolved").out.splitlines() == [
        "id\tstored\trating\tstate\towner\titem\tcustomer\tanalysis\tcomment",
        "3\t2027-01-15T08:00:00.000Z\t1\tresolved\t\tumbrella\tc1\t\t",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("show", "7"), 1, "no low rating 7; `low-ratings list` shows them"),
        (("resolve", "7"), 1, "no low rating 7; `low-ratings list` shows them"),
        (
            ("show", "x1"),
            2,
            "Invalid value for 'ID': 'x1' is no number of a low rating; `low-ratings list` shows them",
        ),
        (
            ("show", "0"),
            2,
            "Invalid value for 'ID': '0' is no number of a low rating; `low-ratings list` shows them",
        ),
        (("note", "1", " "), 65, "note must have 1 to 10,000 characters, got 0"),
        (("note", "1", "a\nb"), 65, "note must be one line without control characters"),
        (("assign", "1", " "), 65, "owner is blank"),
    ],
)
def test_a_step_that_cannot_be_is_one_clear_line(
    cli: Cli, ledger: Ledger, case: int, arguments: tuple[str, ...], code: int, line: str
) -> None:
    """And the case stays as it was."""
    before = ledger.rows("SELECT * FROM low_rating")

    result = cli("low-ratings", *arguments)

    assert (code, f"feedback-app: {line}") == (result.code, result.said[0])
    assert ledger.rows("SELECT * FROM low_rating") == before


def test_of_many_at_once_one_is_the_first(ledger: Ledger, case: int) -> None:
    """Two writers on one ledger: one of them finds the case open, all others find it resolved; no note is lost."""

    async def race() -> list[str]:
        step = Step(by="ann", to="resolved", note="mine")
        async with SqliteStore(ledger.path) as one, SqliteStore(ledger.path) as other:
            wishes = [
                store.write(partial(low_ratings.take, number=case, step=step, now=NOW))
                for store in (one, other)
                for _ in range(10)
            ]
            return list(await asyncio.gather(*wishes))

    assert sorted(asyncio.run(race())) == ["open"] + ["resolved"] * 19
    assert ledger.rows("SELECT json_array_length(notes) FROM low_rating") == [(20,)]
