"""`feedback-app messages`: the outbox, looked at and put right by people."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, get_args

import click

from feedback_app.cli import completing
from feedback_app.cli.context import echo_json, iso, json_option, limit_option, shortened
from feedback_app.cli.paging import PAGE, Form, echo_facts, echo_text, print_rows
from feedback_app.cli.receipts import bounces, receipts
from feedback_app.cli.typed import NAME, number_in
from feedback_app.errors import FeedbackAppError, NotFound, UsageError
from feedback_app.model import MESSAGE_STATES, Purpose

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedback_app.cli.context import Program
    from feedback_app.model import Milliseconds
    from feedback_app.store.message_queries import Change, Detail, Revivable, StoredMessage
    from feedback_app.store.store import Store


@click.group()
def group() -> None:
    """Look at messages, retry and cancel them."""


@group.command(name="list")
@click.option("--state", type=click.Choice(MESSAGE_STATES), help="Only messages in this state.")
@click.option(
    "--channel",
    metavar="NAME",
    type=NAME,
    shell_complete=completing.channels,
    help="Only messages by this channel.",
)
@click.option("--purpose", type=click.Choice(get_args(Purpose)), help="Only messages of this kind.")
@limit_option
@json_option
@click.pass_obj
def list_(program: Program, /, *, limit: int | None, as_json: bool, **wanted: str | None) -> None:
    """List messages by number, the oldest first."""
    from feedback_app.store import message_queries

    query = partial(message_queries.page, wanted=message_queries.MessageFilter(**wanted))
    program.with_store(lambda store: print_rows(store, query, _FORM, as_json=as_json, limit=limit))


@group.command()
@click.argument("message", metavar="ID", type=NAME)
@json_option
@click.pass_obj
def show(program: Program, message: str, *, as_json: bool) -> None:
    """Show one message with its text and every delivery attempt; ID is its number or its message id."""
    from feedback_app.store import message_queries

    async def work(store: Store) -> Detail | None:
        number = await _number_of(store, message)
        return await store.read(partial(message_queries.get, number=number))

    detail = program.with_store(work)
    if detail is None:
        raise _unknown(message)
    if as_json:
        echo_json(detail_data(detail))
    else:
        _print(detail)


@group.command()
@click.argument("messages", metavar="ID...", type=NAME, nargs=-1)
@click.option("--all-dead", "state", flag_value="dead", help="Retry every dead letter.")
@click.option(
    "--all-held", "state", flag_value="held", help="Retry all that may have left; they may arrive twice."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def retry(program: Program, messages: tuple[str, ...], state: Revivable | None, *, yes: bool) -> None:
    """Make messages due now with all their attempts before them; ID is a number or a message id."""
    from feedback_app.store import message_queries

    if bool(messages) == bool(state):
        raise UsageError("give the IDs of messages, or --all-dead, or --all-held")
    if state is None:
        _change_each(program, messages, message_queries.retry, "queued again")
        return
    _confirm(program, state, yes=yes)
    click.echo(f"queued again: {program.with_store(partial(_retry_all, state=state)):,}")


@group.command()
@click.argument("messages", metavar="ID...", type=NAME, nargs=-1, required=True)
@click.pass_obj
def cancel(program: Program, messages: tuple[str, ...]) -> None:
    """Suppress messages that wait or are held; ID is a number or a message id."""
    from feedback_app.store import message_queries

    _change_each(program, messages, message_queries.cancel, "cancelled")


group.add_command(bounces)
group.add_command(receipts)


class Unit(Protocol):
    """Changes one message: `message_queries.retry` or `cancel`."""

    def __call__(self, connection: Connection, number: int, now: Milliseconds) -> Change:
        """Run in the transaction of the ledger's writer."""


def _change_each(program: Program, messages: tuple[str, ...], unit: Unit, done: str) -> None:
    """Change each message in a short transaction; those that cannot be changed do not stop the others.

    Raises FeedbackAppError with a line for each that was not changed.
    """
    from feedback_app.clock import now_ms

    async def work(store: Store) -> list[str]:
        refused = []
        for message in messages:
            try:
                number = await _number_of(store, message)
            except NotFound as error:
                refused.append(str(error))
                continue
            change = await store.write(partial(unit, number=number, now=now_ms()))
            if change.done:
                click.echo(f"message {number}: {done}")
                _warn_of_double(change, number, done)
            else:
                runs = await store.running_daemon() is not None
                refused.append(_refusal(message, number, change, daemon_runs=runs))
        return refused

    refused = program.with_store(work)
    if refused:
        raise FeedbackAppError("\n".join(refused))


def _warn_of_double(change: Change, number: int, done: str) -> None:
    if change.before == "held" and done != "cancelled":
        click.echo(f"message {number} was held because it may have left: it may arrive twice", err=True)


def _refusal(message: str, number: int, change: Change, *, daemon_runs: bool) -> str:
    match change.before:
        case None:
            return str(_unknown(message))
        case "sending" if daemon_runs:
            return f"message {number} is being sent; look again in a minute"
        case "sending":
            return (
                f"message {number} was being sent when the daemon ended; its next `run` decides what follows"
            )
        case _:
            return f"message {number} is {change.before}; it stays as it is"


def _confirm(program: Program, state: Revivable, *, yes: bool) -> None:
    from feedback_app.store import message_queries

    if yes:
        return
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"--all-{state} may send many messages: say --yes")
    count = program.with_store(lambda store: store.read(partial(message_queries.count, state=state)))
    click.confirm(f"Retry {count:,} {state} messages?", abort=True, err=True)


async def _retry_all(store: Store, state: Revivable) -> int:
    from feedback_app.clock import now_ms
    from feedback_app.store import message_queries

    done = 0
    after: int | None = 0
    while after is not None:
        retried, after = await store.write(
            partial(message_queries.retry_some, state=state, after=after, limit=PAGE, now=now_ms())
        )
        done += retried
    return done


async def _number_of(store: Store, message: str) -> int:
    """Return the number of a message named by its number or its message id. Raises UsageError and NotFound."""
    from feedback_app.store import message_queries

    if (number := number_in(message)) is not None:
        return number
    if "." not in message:
        raise UsageError(
            f"{message[:40]!r}: a message's number or message id is wanted; `messages list` shows them"
        )
    found = await store.read(partial(message_queries.find, name=message))
    if found is None:
        raise _unknown(message)
    return found


def _unknown(message: str) -> NotFound:
    return NotFound(f"no message {message[:80]!r}; `messages list` shows them")


def message_data(one: StoredMessage) -> dict[str, Any]:
    """Return a message in JSON's own types."""
    return {
        "id": one.id,
        "message_id": one.message_id,
        "feedback_id": one.feedback_id,
        "purpose": one.purpose,
        "channel": one.channel,
        "recipient": one.recipient,
        "customer": one.customer_id,
        "subject": one.subject,
        "state": one.state,
        "attempts": one.attempts,
        "created_at": iso(one.created_at),
        "next_attempt_at": iso(one.next_attempt_at) if one.state == "queued" else None,
        "maybe_sent_at": iso(one.maybe_sent_at),
        "settled_at": iso(one.settled_at),
        "provider": one.provider,
        "provider_id": one.provider_id,
        "error": one.error,
        "receipt": one.receipt,
        "receipt_at": iso(one.receipt_at),
        "receipt_detail": one.receipt_detail,
    }


def detail_data(detail: Detail) -> dict[str, Any]:
    """Return a message with its text and history in JSON's own types."""
    tries = [
        {
            "started_at": iso(one.started_at),
            "ended_at": iso(one.ended_at),
            "provider": one.provider,
            "outcome": one.outcome,
            "provider_id": one.provider_id,
            "error": one.error,
            "detail": one.detail,
        }
        for one in detail.tries
    ]
    return {
        **message_data(detail.message),
        "text": detail.text,
        "html": detail.html,
        "delivery_attempts": tries,
    }


def _print(detail: Detail) -> None:
    echo_facts(message_data(detail.message))
    for number, one in enumerate(detail.tries, 1):
        said = one.error or one.detail or one.provider_id or ""
        echo_text(f"try {number}  {iso(one.ended_at)}  {one.provider}: {one.outcome}  {said}".rstrip())
    click.echo()
    echo_text(detail.text)


def _cells(one: StoredMessage) -> tuple[object, ...]:
    error = shortened(one.error or "")
    return (
        one.id,
        iso(one.created_at),
        one.purpose,
        one.channel,
        one.recipient,
        one.state,
        one.attempts,
        error,
    )


_FORM = Form(
    data=message_data,
    header=("id", "created", "purpose", "channel", "recipient", "state", "attempts", "error"),
    cells=_cells,
)
