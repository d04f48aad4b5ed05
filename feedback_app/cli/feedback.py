"""`feedback-app feedback`: take ratings in, list them, tell the story of one, replay them."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from feedback_app.cli import completing
from feedback_app.cli.contact import contact_options, contact_rules, customer_of, judged, warn_of_unserved
from feedback_app.cli.context import echo_json, iso, json_option, limit_option, shortened
from feedback_app.cli.importing import STANDARD_INPUT, Kind, Request, import_options, run_import
from feedback_app.cli.paging import Form, print_rows
from feedback_app.cli.replay import replay
from feedback_app.cli.typed import NAME, number_in, plain
from feedback_app.errors import BadData, NotFound, UsageError
from feedback_app.model import FEEDBACK_STATES, Feedback

if TYPE_CHECKING:
    from collections.abc import Callable

    from feedback_app.cli.context import Program
    from feedback_app.intake.importing import Tally
    from feedback_app.intake.records import Incoming
    from feedback_app.intake.scale import Scale
    from feedback_app.model import Customer, Milliseconds
    from feedback_app.store.rating_queries import StoredRating
    from feedback_app.store.store import Store


@click.group()
def group() -> None:
    """Take ratings in and look at them."""


group.add_command(replay)


@group.command()
@click.option("--id", help="The rating's own id; the same id again adds nothing. Default: a random one.")
@click.option("--customer", help="The customer's id; without it there is nobody to thank.")
@click.option("--item", help="What was rated.")
@click.option("--rating", required=True, help="On the configured scale.")
@click.option("--comment", help="The customer's words; - reads them from standard input.")
@click.option("--given-at", metavar="TIME", help="ISO 8601, without a zone UTC, or epoch seconds.")
@click.option("--source", default="cli", show_default=True, help="Which system it came from.")
@click.option("--no-thanks", is_flag=True, help="Take it in as history: nobody is thanked.")
@contact_options
@json_option
@click.pass_obj
def add(program: Program, /, *, no_thanks: bool, as_json: bool, **given: str | None) -> None:
    """Add one rating, with its customer's contact data if there is any."""
    from feedback_app import assembly
    from feedback_app.clock import now_ms
    from feedback_app.intake.submission import checked, conflict
    from feedback_app.store import ratings
    from feedback_app.store.ratings import Taken

    if given["comment"] == STANDARD_INPUT:
        given["comment"] = _typed_comment()
    scale, now = assembly.scale_of(program.settings()), now_ms()
    kept = judged(given, _rules(scale, now))
    contact = _contact(kept)
    arrival = checked(_feedback(kept, thank=not no_thanks), scale=scale, now=now, contact=contact)
    taken, number = program.with_store(
        lambda store: store.write(partial(ratings.take_one, arrival=arrival, now=now))
    )
    one = arrival.feedback
    if taken is Taken.CONFLICT:
        raise conflict(one)
    if as_json:
        echo_json({"result": taken.value, "id": number, "source": one.source, "external_id": one.id})
    else:
        click.echo(f"{taken} {number}")
    if contact is not None:
        warn_of_unserved(program, contact.preferred_channels)


def _typed_comment() -> str:
    """Read the comment, less the line end that every pipe adds. Raises BadData."""
    if sys.stdin is None:
        raise UsageError("--comment -: standard input is closed")
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as problem:
        raise BadData(f"comment: standard input is not UTF-8 at byte {problem.start + 1}") from None
    return text.removesuffix("\n").removesuffix("\r")


def _rules(scale: Scale, now: Milliseconds) -> dict[str, Callable[[object], object]]:
    from feedback_app.intake import fields

    return {
        "id": partial(fields.identifier, "id"),
        "customer": partial(fields.identifier, "customer"),
        "source": partial(_named, example="cli"),
        **contact_rules(),
        "item": fields.item,
        "rating": scale.parse,
        "comment": fields.comment,
        "given_at": partial(fields.given_at, now=now),
    }


def _contact(kept: dict[str, Any]) -> Customer | None:
    """Return what is said of the customer, None when it is nothing. Raises UsageError when nobody is named."""
    said = customer_of(kept.get("customer") or "", kept)
    if said == customer_of(said.id, {}):
        return None
    if not said.id:
        raise UsageError("contact data belongs to a customer: give --customer ID as well")
    return said


def _feedback(kept: dict[str, Any], *, thank: bool) -> Feedback:
    return Feedback(
        rating=kept["rating"],
        id=kept.get("id") or "",
        source=kept["source"],
        customer=kept.get("customer"),
        item=kept.get("item"),
        comment=kept.get("comment", ""),
        given_at=kept.get("given_at"),
        thank=thank,
    )


@group.command(name="import")
@click.option("--source", metavar="NAME", help="Keeps the ids of different systems apart. Default: import.")
@click.option("--no-thanks", is_flag=True, help="Take it in as history: nobody is thanked.")
@click.option("--scale", metavar="MIN..MAX[/STEP]", help="What is valid here; ratings are never rescaled.")
@import_options
@click.pass_obj
def import_(
    program: Program, request: Request, *, source: str | None, no_thanks: bool, scale: str | None
) -> int:
    """Take ratings in from a CSV, TSV or JSON lines FILE; - is standard input.

    Fields are id, customer, item, rating, comment, given_at, and the customer's name, email, phone,
    preferred_channel, locale and timezone; a column with a field's name is that field, others need --map. The
    same file again adds nothing twice. Refused rows do not stop the others; the exit code is then 65.
    """
    from feedback_app import assembly
    from feedback_app.clock import now_ms
    from feedback_app.intake.importing import import_ratings
    from feedback_app.intake.ratings import RATINGS, read_ratings
    from feedback_app.intake.scale import Scale

    valid = Scale.from_text(scale) if scale is not None else assembly.scale_of(program.settings())
    kind: Kind[Incoming] = Kind(
        wanted=RATINGS,
        read=partial(
            read_ratings, scale=valid, now=now_ms(), source=_source(request, source), thank=not no_thanks
        ),
        store=import_ratings,
        contact=lambda record: record.contact,
        counts=_counts,
    )
    return run_import(program, request, kind)


def _source(request: Request, given: str | None) -> str:
    if given is None:
        if request.file == STANDARD_INPUT:
            raise UsageError(
                "standard input has no file name to make ids of: give --source NAME, the same one for the same data"
            )
        return "import"
    try:
        return _named(given, example="import")
    except ValueError as problem:
        raise UsageError(f"--{problem}") from None


def _named(source: object, *, example: str) -> str:
    from feedback_app.intake import fields

    found = fields.identifier("source", source)
    if found is None:
        raise ValueError(f"source is blank; give a name such as {example}")
    return found


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "accepted": tally.accepted,
        "duplicates": tally.duplicates,
        "conflicts": tally.conflicts,
        "rejected": tally.rejected,
        "warnings": tally.warnings,
    }


@group.command(name="list")
@click.option("--state", type=click.Choice(FEEDBACK_STATES), help="Only ratings in this state.")
@click.option("--customer", metavar="ID", type=NAME, help="Only ratings of this customer.")
@click.option(
    "--source",
    metavar="NAME",
    type=NAME,
    shell_complete=completing.sources,
    help="Only ratings of this source.",
)
@limit_option
@json_option
@click.pass_obj
def list_(program: Program, /, *, limit: int | None, as_json: bool, **wanted: str | None) -> None:
    """List ratings by number, the oldest first."""
    from feedback_app.store import rating_queries

    query = partial(rating_queries.page, wanted=rating_queries.RatingFilter(**wanted))
    program.with_store(lambda store: print_rows(store, query, _FORM, as_json=as_json, limit=limit))


@group.command()
@click.argument("rating", metavar="ID", type=NAME)
@json_option
@click.pass_obj
def explain(program: Program, rating: str, *, as_json: bool) -> None:
    """Tell the story of one rating with all times; ID is its number or SOURCE:EXTERNAL_ID."""
    from feedback_app.cli import story

    async def work(store: Store) -> story.Story:
        number = await _number_of(store, rating)
        return await store.read(partial(story.read, number=number))

    told = program.with_store(work)
    if as_json:
        echo_json({"feedback": rating_data(told.rating), **story.data(told)})
        return
    for line in story.lines(told):
        click.echo(line)


async def _number_of(store: Store, rating: str) -> int:
    from feedback_app.store import rating_queries

    if (number := number_in(rating)) is not None:
        return number
    if ":" not in rating:
        raise UsageError(f"{rating[:40]!r}: a rating's number or SOURCE:EXTERNAL_ID is wanted")
    found = await store.read(partial(rating_queries.number_of, name=rating))
    if found is None:
        raise NotFound(f"no rating {rating[:80]!r}; `feedback list` shows them")
    return found


def rating_data(one: StoredRating) -> dict[str, Any]:
    """Return a rating in JSON's own types."""
    return {
        "id": one.id,
        "source": one.source,
        "external_id": one.external_id,
        "customer": one.customer_id,
        "item": one.item,
        "rating": plain(one.rating),
        "comment": one.comment,
        "given_at": iso(one.given_at),
        "received_at": iso(one.received_at),
        "thank": one.thank,
        "state": one.state,
        "ended": one.ended,
        "analysis": one.analysis,
        "processed_at": iso(one.processed_at),
        "failed_attempts": one.attempts,
        "retry_at": iso(one.retry_at),
        "error": one.error,
    }


def _cells(one: StoredRating) -> tuple[object, ...]:
    ended = one.ended or one.state
    return (
        one.id,
        iso(one.received_at),
        plain(one.rating),
        one.customer_id,
        one.item,
        ended,
        shortened(one.comment),
    )


_FORM = Form(
    data=rating_data,
    header=("id", "received", "rating", "customer", "item", "ended", "comment"),
    cells=_cells,
)
