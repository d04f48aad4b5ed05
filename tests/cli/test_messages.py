"""`messages`: list, show, retry, cancel, while a daemon may be sending."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from feedback_app.store import message_queries
from feedback_app.store.outbox import Attempt
from feedback_app.store.sqlite.lock import LedgerLock
from tests.making import NOW, incoming, message

if TYPE_CHECKING:
    from feedback_app.store.outbox import AttemptOutcome, NextState
    from tests.cli.conftest import Cli, Ledger

STATES = ("queued", "sending", "sent", "held", "suppressed", "dead")


def ended(number: int, state: NextState, outcome: AttemptOutcome, error: str | None = None) -> Attempt:
    """Return how a send of the message with this number ended."""
    return Attempt(
        number=number,
        outcome=outcome,
        state=state,
        provider="mail",
        owner="boot",
        started_at=NOW,
        ended_at=NOW,
        error=error,
    )


@pytest.fixture
def outbox(cli: Cli, ledger: Ledger) -> Ledger:
    """Fill the outbox with a message in each state, numbered as in STATES."""
    ledger.enqueue(*(message(number) for number in range(1, 7)))
    ledger.claim()
    ledger.settle(
        ended(3, "sent", "sent"),
        ended(4, "held", "unknown", "connection lost"),
        ended(6, "dead", "permanent", "550 no"),
    )
    ledger.write(
        lambda connection: connection.exec_driver_sql(
            "UPDATE message SET state = 'queued', lease_owner = NULL, lease_until = NULL WHERE id IN (1, 5)"
        )
    )
    assert cli.ok("messages", "cancel", "5").out == "message 5: cancelled\n"
    return ledger


def states(ledger: Ledger) -> list[str]:
    """Return the state of every message in the order of their numbers."""
    return [state for (state,) in ledger.rows("SELECT state FROM message ORDER BY id")]


def test_messages_are_listed_by_number_and_filtered(cli: Cli, outbox: Ledger) -> None:
    """State, channel and purpose narrow the list."""

    def numbers(*options: str) -> list[int]:
        return [one["id"] for one in cli.ok("messages", "list", "--json", *options).json]

    assert numbers() == [1, 2, 3, 4, 5, 6]
    assert [numbers("--state", state) for state in STATES] == [[1], [2], [3], [4], [5], [6]]
    assert numbers("--channel", "email", "--limit", "2") == [1, 2]
    assert numbers("--channel", "sms") == []
    assert numbers("--purpose", "report") == []


def test_a_message_is_shown_to_programs_with_its_history(cli: Cli, outbox: Ledger) -> None:
    """What the list says, the text, and every try."""
    shown = cli.ok("messages", "show", "6", "--json").json

    assert shown["delivery_attempts"] == [
        {"started_at": "2027-01-15T08:00:00.000Z", "ended_at": "2027-01-15T08:00:00.000Z", "provider": "mail",
         "outcome": "permanent", "provider_id": None, "error": "550 no", "detail": None}
    ]  # fmt: skip
    assert (shown["text"], shown["html"]) == ("Thank you.", "")
    (listed,) = cli.ok("messages", "list", "--json", "--state", "dead").json
    assert listed.items() <= shown.items()
    assert listed == {
        "id": 6,
        "message_id": "thanks.6.ledger",
        "feedback_id": None,
        "purpose": "thanks",
        "channel": "email",
        "recipient": "ada@example.com",
        "customer": "c1",
        "subject": "",
        "state": "dead",
        "attempts": 1,
        "created_at": "2027-01-15T08:00:00.000Z",
        "next_attempt_at": None,
        "maybe_sent_at": None,
        "settled_at": "2027-01-15T08:00:00.000Z",
        "provider": "mail",
        "provider_id": None,
        "error": "550 no",
        "receipt": None,
        "receipt_at": None,
        "receipt_detail": None,
    }


def test_a_message_is_shown_to_people_with_its_text(cli: Cli, outbox: Ledger) -> None:
    """Facts, tries, then the text."""
    lines = cli.ok("messages", "show", "6").out.splitlines()

    assert "state       dead" in lines
    assert lines[-3:] == ["try 1  2027-01-15T08:00:00.000Z  mail: permanent  550 no", "", "Thank you."]


@pytest.mark.parametrize("name", ["thanks.1.ledger", "<thanks.1.ledger@example.org>"])
def test_a_message_is_found_by_the_id_that_a_mail_shows(cli: Cli, ledger: Ledger, name: str) -> None:
    """Also with the brackets and the domain of a Message-ID."""
    ledger.processed([incoming()], ended="thanked", messages=[message(1, feedback=1)[1]])

    assert cli.ok("messages", "show", name, "--json").json["id"] == 1


def test_a_message_without_a_rating_is_found_by_its_id(cli: Cli, outbox: Ledger) -> None:
    """As reports are."""
    assert cli.ok("messages", "show", "thanks.3.ledger", "--json").json["id"] == 3


def test_retry_makes_due_what_waits_is_held_suppressed_or_dead(cli: Cli, outbox: Ledger) -> None:
    """With all its attempts before it; what left or is leaving stays."""
    result = cli("messages", "retry", "1", "2", "3", "4", "5", "6")

    assert result.code == 1
    assert result.out.splitlines() == [f"message {number}: queued again" for number in (1, 4, 5, 6)]
    assert result.said == [
        "message 4 was held because it may have left: it may arrive twice",
        "feedback-app: message 2 was being sent when the daemon ended; its next `run` decides what follows",
        "feedback-app: message 3 is sent; it stays as it is",
    ]
    assert states(outbox) == ["queued", "sending", "sent", "queued", "queued", "queued"]
    facts = outbox.rows(
        "SELECT DISTINCT attempts, settled_at, error, next_attempt_at < created_at FROM message WHERE state = 'queued'"
    )
    assert facts == [(0, None, None, 1)]


def test_a_retried_message_is_sent_once_more(cli: Cli, outbox: Ledger) -> None:
    """The dispatcher claims it like a new one."""
    cli.ok("messages", "retry", "6")

    assert 6 in outbox.claim()


def test_cancel_suppresses_what_waits_or_is_held(cli: Cli, outbox: Ledger) -> None:
    """The reason is kept; what has ended or is leaving stays."""
    result = cli("messages", "cancel", "1", "2", "3", "4", "5", "6")

    assert result.code == 1
    assert result.out.splitlines() == ["message 1: cancelled", "message 4: cancelled"]
    assert [line.removeprefix("feedback-app: ") for line in result.said] == [
        "message 2 was being sent when the daemon ended; its next `run` decides what follows",
        "message 3 is sent; it stays as it is",
        "message 5 is suppressed; it stays as it is",
        "message 6 is dead; it stays as it is",
    ]
    assert states(outbox) == ["suppressed", "sending", "sent", "suppressed", "suppressed", "dead"]
    shown = cli.ok("messages", "show", "1", "--json").json
    assert shown["error"] == "cancelled by the operator"
    assert shown["settled_at"] is not None


def test_a_cancelled_message_is_not_claimed(cli: Cli, ledger: Ledger) -> None:
    """Not even by a daemon that runs beside."""
    ledger.enqueue(message(1), message(2))
    cli.ok("messages", "cancel", "1")

    assert ledger.claim() == [2]


@pytest.mark.parametrize(("option", "number"), [("--all-dead", 6), ("--all-held", 4)])
def test_all_of_a_state_are_retried_at_once(cli: Cli, outbox: Ledger, option: str, number: int) -> None:
    """Only those."""
    before = states(outbox)

    assert cli.ok("messages", "retry", option, "--yes").out == "queued again: 1\n"

    before[number - 1] = "queued"
    assert states(outbox) == before


def test_more_than_a_page_is_retried_too(cli: Cli, ledger: Ledger) -> None:
    """In several short transactions."""
    ledger.enqueue(*(message(number) for number in range(2500)))
    ledger.write(
        lambda connection: connection.exec_driver_sql("UPDATE message SET state = 'dead', settled_at = 1")
    )

    assert cli.ok("messages", "retry", "--all-dead", "--yes").out == "queued again: 2,500\n"
    assert ledger.rows("SELECT DISTINCT state FROM message") == [("queued",)]


def test_one_that_dies_again_meanwhile_is_not_retried_for_ever(ledger: Ledger) -> None:
    """The pieces go upwards, each behind the last one's end."""
    ledger.enqueue(*(message(number) for number in range(4)))
    ledger.write(lambda connection: connection.exec_driver_sql("UPDATE message SET state = 'dead'"))

    retried = ledger.write(partial(message_queries.retry_some, state="dead", after=2, limit=9, now=NOW))

    assert retried == (2, 4)
    assert states(ledger) == ["dead", "dead", "queued", "queued"]


def test_many_are_not_retried_by_a_slip(cli: Cli, outbox: Ledger) -> None:
    """Where nobody can be asked, --yes must be said."""
    result = cli("messages", "retry", "--all-dead")

    assert result.code == 2
    assert result.said == ["feedback-app: --all-dead may send many messages: say --yes"]
    assert states(outbox)[5] == "dead"


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("show", "7"), 1, "no message '7'; `messages list` shows them"),
        (("show", "thanks.9.x"), 1, "no message 'thanks.9.x'; `messages list` shows them"),
        (("show", "x"), 2, "'x': a message's number or message id is wanted; `messages list` shows them"),
        (("retry", "7"), 1, "no message '7'; `messages list` shows them"),
        (("cancel", "thanks.9.x"), 1, "no message 'thanks.9.x'; `messages list` shows them"),
        (("retry",), 2, "give the IDs of messages, or --all-dead, or --all-held"),
        (("retry", "1", "--all-dead"), 2, "give the IDs of messages, or --all-dead, or --all-held"),
        (
            ("list", "--purpose", "x"),
            2,
            "Invalid value for '--purpose': 'x' is not one of 'thanks', 'apology', 'report', 'test'.",
        ),
    ],
)
def test_what_cannot_be_is_one_clear_line(cli: Cli, arguments: tuple[str, ...], code: int, line: str) -> None:
    """Whether it is not there or no name of anything."""
    result = cli("messages", *arguments)

    assert (code, f"feedback-app: {line}") == (result.code, result.said[0])


def test_what_a_running_daemon_is_sending_is_left_to_it(cli: Cli, outbox: Ledger) -> None:
    """While somebody holds the ledger's lock, the operator is told to look again."""
    lock = LedgerLock(outbox.path)
    assert lock.try_acquire("daemon")
    try:
        result = cli("messages", "retry", "2")
    finally:
        lock.release()
    assert (result.code, result.said) == (
        1,
        ["feedback-app: message 2 is being sent; look again in a minute"],
    )
