"""`feedback add`, `list` and `explain`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from feedback_app.model import Customer
from feedback_app.store import ratings
from feedback_app.store.outbox import Attempt
from tests.making import NOW, incoming, message

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Ledger


def test_adding_is_answered_with_the_number_and_again_with_the_same_one(cli: Cli) -> None:
    """A script may repeat itself."""
    rating = (
        "feedback",
        "add",
        "--id",
        "r1",
        "--rating",
        "4",
        "--customer",
        "c1",
        "--given-at",
        "2026-01-31",
    )

    assert cli.ok(*rating).out == "accepted 1\n"
    assert cli.ok(*rating).out == "duplicate 1\n"


def test_the_same_id_with_other_content_is_a_conflict(cli: Cli) -> None:
    """The first one stays."""
    cli.ok("feedback", "add", "--id", "r1", "--rating", "4")

    result = cli("feedback", "add", "--id", "r1", "--rating", "5")

    assert (result.code, result.out) == (65, "")
    assert result.err == (
        "feedback-app: id 'r1' of source 'cli' is in the ledger with other content; the first one stays. "
        "Give another rating another id\n"
    )
    assert [one["rating"] for one in cli.ok("feedback", "list", "--json").json] == [4]


def test_a_rating_may_bring_its_customer(cli: Cli) -> None:
    """Both are stored in one transaction."""
    cli.ok(
        "feedback", "add", "--rating", "5", "--customer", "c1", "--email", "ada@example.org", "--name", "Ada"
    )

    shown = cli.ok("customers", "show", "c1", "--json").json
    assert (shown["name"], shown["email"]) == ("Ada", "ada@example.org")


def test_contact_data_without_a_customer_is_refused(cli: Cli) -> None:
    """There is nobody whose address it would be."""
    result = cli("feedback", "add", "--rating", "5", "--email", "ada@example.org")

    assert result.code == 2
    assert result.said == ["feedback-app: contact data belongs to a customer: give --customer ID as well"]


def test_all_bad_values_of_a_rating_are_said_at_once(cli: Cli) -> None:
    """Nothing is stored."""
    result = cli(
        "feedback", "add", "--rating", "4,5", "--given-at", "yesterday", "--email", "x", "--customer", "c"
    )

    assert result.code == 65
    assert result.said == [
        "feedback-app: rating must be a whole number from 1 to 5, got '4,5' (use a point, not a comma)",
        "feedback-app: given_at must be ISO 8601 such as 2026-01-31T14:30:00+01:00, or epoch seconds, got 'yesterday'",
        "feedback-app: email must be one plain address such as ann@example.org",
    ]
    assert cli.ok("feedback", "list", "--json").json == []


def test_a_comment_is_read_from_standard_input_verbatim(cli: Cli) -> None:
    """Only the line end that the pipe adds is left out."""
    cli.ok("feedback", "add", "--rating", "5", "--comment", "-", stdin="  Größe\r\npasst\n\n".encode())

    assert cli.ok("feedback", "list", "--json").json[0]["comment"] == "  Größe\r\npasst\n"


def test_a_comment_that_is_no_text_is_refused(cli: Cli) -> None:
    """The line says where it begins to be none."""
    result = cli("feedback", "add", "--rating", "5", "--comment", "-", stdin=b"Gr\xf6\xdfe")

    assert (result.code, result.err) == (65, "feedback-app: comment: standard input is not UTF-8 at byte 3\n")


def test_adding_for_programs_tells_the_random_id(cli: Cli) -> None:
    """Whoever wants to repeat a rating must know how it is called."""
    added = cli.ok("feedback", "add", "--rating", "5", "--source", "shop", "--json").json

    assert {"result": "accepted", "id": 1, "source": "shop"}.items() <= added.items()
    assert len(added["external_id"]) == 32


def test_history_is_not_thanked(cli: Cli) -> None:
    """--no-thanks is kept with the rating."""
    cli.ok("feedback", "add", "--rating", "5", "--no-thanks")

    assert cli.ok("feedback", "list", "--json").json[0]["thank"] is False


def test_ratings_are_listed_by_number_and_filtered(cli: Cli, ledger: Ledger) -> None:
    """State, customer and source narrow the list; the limit counts from the oldest."""
    ledger.processed([incoming("r1"), incoming("r2", customer="c2")], ended="history")
    ledger.take_in(incoming("r3", source="shop"))

    def numbers(*options: str) -> list[int]:
        return [one["id"] for one in cli.ok("feedback", "list", "--json", *options).json]

    assert numbers() == [1, 2, 3]
    assert numbers("--state", "received") == [3]
    assert numbers("--state", "processed", "--customer", "c1") == [1]
    assert numbers("--source", "shop") == [3]
    assert numbers("--limit", "2") == [1, 2]
    assert numbers("--customer", "' OR 1=1 --") == []


def test_a_list_with_nothing_in_it_says_so_to_people_only(cli: Cli) -> None:
    """A program gets an empty array."""
    assert cli.ok("feedback", "list").err == "nothing to list\n"
    assert cli.ok("feedback", "list", "--json").out == "[]\n"


def test_an_unknown_state_is_refused_with_the_known_ones(cli: Cli) -> None:
    """Usage errors exit with 2."""
    result = cli("feedback", "list", "--state", "lost")

    assert result.code == 2
    assert "'lost' is not one of 'received', 'processed', 'dead'" in result.err


def test_explain_tells_a_thanked_rating_from_its_arrival_to_the_last_try(cli: Cli, ledger: Ledger) -> None:
    """Every line begins with its time, and the lines are in the order of time."""
    one = message(1, feedback=1)[1]
    rating = incoming("r1", comment="so\nnice")
    rating = structs.replace(rating, feedback=structs.replace(rating.feedback, given_at=NOW - 60_000))
    ledger.processed([rating], ended="thanked", messages=[one])
    ledger.claim()
    ledger.settle(
        Attempt(number=1, outcome="temporary", state="queued", provider="mail", owner="boot", started_at=NOW + 1000,
                ended_at=NOW + 2000, next_attempt_at=NOW + 9000, error="450 later")
    )  # fmt: skip
    ledger.claim()
    ledger.settle(
        Attempt(number=1, outcome="sent", state="sent", provider="mail", owner="boot", started_at=NOW + 9000,
                ended_at=NOW + 10_000, provider_id="Q1")
    )  # fmt: skip

    assert cli.ok("feedback", "explain", "1").out.splitlines() == [
        "2027-01-15T07:59:00.000Z  given by customer c1",
        "2027-01-15T08:00:00.000Z  received as rating 1: 5 of umbrella by customer c1, source test, external id r1",
        "2027-01-15T08:00:00.000Z  comment: so nice",
        "2027-01-15T08:00:00.000Z  processed, ended as thanked: a thank-you was formed",
        "2027-01-15T08:00:00.000Z  message 1 (thanks) queued for email to ada@example.com, id thanks.1.ledger",
        "2027-01-15T08:00:02.000Z  message 1, try 1 by mail: temporary, 450 later",
        "2027-01-15T08:00:10.000Z  message 1, try 2 by mail: sent, provider's id Q1",
    ]


def test_explain_tells_a_low_rating_and_what_people_did(cli: Cli, ledger: Ledger) -> None:
    """Notes and steps are part of the story, in the order of time among messages."""
    ledger.processed([incoming(rating=1)], messages=[message(1, feedback=1)[1]], now=NOW // 2)
    cli.ok("low-ratings", "acknowledge", "1", "--owner", "Bob", "--note", "will call")

    told = cli.ok("feedback", "explain", "test:r1", "--json").json

    assert told["feedback"]["ended"] == "low"
    assert told["low_rating"]["owner"] == "Bob"
    assert [one["text"] for one in told["messages"]] == ["Thank you."]
    events = [one["event"] for one in told["story"]]
    assert events[1:4] == [
        "processed, ended as low: it is a low rating",
        "kept as low rating 1, now acknowledged, owner Bob",
        "message 1 (thanks) queued for email to ada@example.com, id thanks.1.ledger",
    ]
    assert events[4].endswith("noted: will call")
    assert events[5:] == [
        "low rating 1 acknowledged",
        "message 1 waits for its next try, due 1998-07-09T16:00:00.000Z",
    ]


@pytest.mark.parametrize(
    ("retry_at", "end"),
    [
        (NOW, "processing failed once, last with KeyError: 'x', tried again from 2027-01-15T08:00:00.000Z"),
        (None, "given up: it will not be processed"),
    ],
)
def test_explain_tells_of_failed_attempts(cli: Cli, ledger: Ledger, retry_at: int | None, end: str) -> None:
    """Their times are not kept, so the line says that."""
    ledger.take_in(incoming())
    ledger.write(partial(ratings.record_failure, number=1, error="KeyError: 'x'", retry_at=retry_at))

    assert cli.ok("feedback", "explain", "1").out.splitlines()[-1] == f"(no time kept)            {end}"


def test_explain_finds_a_rating_whose_source_and_id_hold_colons(cli: Cli, ledger: Ledger) -> None:
    """`SOURCE:EXTERNAL_ID` is read at every colon."""
    ledger.take_in(incoming("r:1", source="shop:eu"))

    assert cli.ok("feedback", "explain", "shop:eu:r:1", "--json").json["feedback"]["id"] == 1


@pytest.mark.parametrize(
    ("name", "code", "line"),
    [
        ("7", 1, "no rating 7; `feedback list` shows them"),
        ("cli:r7", 1, "no rating 'cli:r7'; `feedback list` shows them"),
        ("r7", 2, "'r7': a rating's number or SOURCE:EXTERNAL_ID is wanted"),
        (
            "99999999999999999999",
            2,
            "'99999999999999999999': a rating's number or SOURCE:EXTERNAL_ID is wanted",
        ),
    ],
)
def test_explaining_what_is_not_there_is_one_clear_line(cli: Cli, name: str, code: int, line: str) -> None:
    """A name that cannot be one is a usage error, one that is not there is not."""
    result = cli("feedback", "explain", name)

    assert (code, f"feedback-app: {line}\n") == (result.code, result.err)


def test_who_opted_out_is_named_as_the_reason(cli: Cli, ledger: Ledger) -> None:
    """Where a road ended is said in words."""
    ledger.processed([incoming(contact=Customer(id="c1"))], ended="opted_out")

    assert (
        "ended as opted_out: nobody thanked: the customer had opted out"
        in cli.ok("feedback", "explain", "1").out
    )
