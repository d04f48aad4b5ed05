"""`feedback-app low-ratings`: low ratings as cases, followed up by people."""

from __future__ import annotations

import getpass
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from feedback_app.cli.context import echo_json, iso, json_option, limit_option, shortened, shown
from feedback_app.cli.facts import by_analyser, short
from feedback_app.cli.paging import Form, echo_facts, echo_text, print_rows
from feedback_app.cli.typed import RowNumber, plain
from feedback_app.errors import BadData, NotFound
from feedback_app.model import LOW_RATING_STATES

if TYPE_CHECKING:
    from feedback_app.cli.context import Program
    from feedback_app.cli.low_rating_export import FileFormat
    from feedback_app.store.low_ratings import Case, State

_NOTE_LIMIT = 10_000  # characters

_number = click.argument("number", metavar="ID", type=RowNumber("low rating", "low-ratings list"))
_note_option = click.option("--note", metavar="TEXT", help="Write this down as well.")
_state_option = click.option(
    "--state", type=click.Choice([*LOW_RATING_STATES, "all"]), default="all", show_default=True
)


@click.group()
def group() -> None:
    """Follow low ratings up: open, acknowledged, resolved."""


@group.command(name="list")
@_state_option
@limit_option
@json_option
@click.pass_obj
def list_(program: Program, *, state: str, limit: int | None, as_json: bool) -> None:
    """List low ratings by number, the oldest first."""
    from feedback_app.store import low_ratings

    query = partial(low_ratings.page, state=_state(state))
    program.with_store(lambda store: print_rows(store, query, _FORM, as_json=as_json, limit=limit))


@group.command()
@_number
@json_option
@click.pass_obj
def show(program: Program, number: int, *, as_json: bool) -> None:
    """Show one low rating."""
    from feedback_app.store import low_ratings

    case = program.with_store(lambda store: store.read(partial(low_ratings.get, number=number)))
    if case is None:
        raise NotFound(f"no low rating {number}; `low-ratings list` shows them")
    if as_json:
        echo_json(case_data(case))
        return
    facts = {f"analysis, {name}": said for name, said in by_analyser(case.analysis)}
    echo_facts({**case_data(case), "comment": None, "notes": None, "analysis": None, **facts})
    if case.comment:
        click.echo()
        echo_text(case.comment)
    if case.notes:
        click.echo()
    for note in case.notes:
        echo_text(f"{iso(note.at)} {note.by}: {note.text}")


@group.command()
@_number
@click.option("--owner", metavar="NAME", help="Who takes care of it.")
@_note_option
@click.pass_obj
def acknowledge(program: Program, number: int, owner: str | None, note: str | None) -> None:
    """Say that somebody looks after it."""
    _take(program, number, to="acknowledged", owner=_owner(owner), note=_note(note))


@group.command()
@_number
@click.argument("owner")
@click.pass_obj
def assign(program: Program, number: int, owner: str) -> None:
    """Give it to somebody; its state stays."""
    name = _owner(owner)
    _take(program, number, owner=name, done=f"assigned to {name}")


@group.command()
@_number
@_note_option
@click.pass_obj
def resolve(program: Program, number: int, note: str | None) -> None:
    """Close it."""
    _take(program, number, to="resolved", note=_note(note))


@group.command()
@_number
@_note_option
@click.pass_obj
def reopen(program: Program, number: int, note: str | None) -> None:
    """Open it again."""
    _take(program, number, to="open", note=_note(note))


@group.command(name="note")
@_number
@click.argument("text")
@click.pass_obj
def note_(program: Program, number: int, text: str) -> None:
    """Write something down about it."""
    _take(program, number, note=_note(text), done="noted")


@group.command()
@click.option(
    "--format", "file_format", type=click.Choice(["csv", "json", "jsonl"]), default="csv", show_default=True
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead.")
@click.option(
    "--raw", is_flag=True, help="CSV: texts as they are, also those that a spreadsheet would calculate."
)
@_state_option
@click.pass_obj
def export(program: Program, file_format: FileFormat, output: Path | None, *, raw: bool, state: str) -> None:
    """Write low ratings for a spreadsheet or a program."""
    from feedback_app.cli import low_rating_export as files
    from feedback_app.store import low_ratings

    query = partial(low_ratings.page, state=_state(state))

    def write(out: TextIO) -> int:
        return program.with_store(
            lambda store: files.write(store, query, out, file_format=file_format, raw=raw)
        )

    if output is None:
        write(sys.stdout)
        return
    with files.replacing(output) as file:
        count = write(file)
    click.echo(f"{output}: {count:,} written", err=True)


def _state(given: str) -> State | None:
    return None if given == "all" else given  # type: ignore[return-value]  # click has checked it


def _take(
    program: Program,
    number: int,
    *,
    to: State | None = None,
    owner: str | None = None,
    note: str | None = None,
    done: str = "",
) -> None:
    """Take a step and say what it did; `done` says it for steps that leave the state."""
    from feedback_app.clock import now_ms
    from feedback_app.store import low_ratings

    step = low_ratings.Step(by=_me(), to=to, owner=owner, note=note)
    before = program.with_store(
        lambda store: store.write(partial(low_ratings.take, number=number, step=step, now=now_ms()))
    )
    already = "already " if to == before else ""
    click.echo(f"low rating {number}: {done or f'{already}{to}'}")


def _me() -> str:
    """Return the login of whoever types."""
    try:
        return shown(getpass.getuser())
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.geteuid()}"


def _owner(given: str | None) -> str | None:
    """Return the name on one line. Raises BadData."""
    from feedback_app.intake import fields

    if given is None:
        return None
    try:
        owner = fields.identifier("owner", given)
    except ValueError as problem:
        raise BadData(str(problem)) from None
    if owner is None:
        raise BadData("owner is blank")
    return owner


def _note(given: str | None) -> str | None:
    """Return what is to be written down, on one line. Raises BadData."""
    from feedback_app.intake import fields

    if given is None:
        return None
    text = given.strip()
    try:
        fields.refuse_controls("note", text)
    except ValueError as problem:
        raise BadData(str(problem)) from None
    if not text or len(text) > _NOTE_LIMIT:
        raise BadData(f"note must have 1 to {_NOTE_LIMIT:,} characters, got {len(text):,}")
    return text


def case_data(case: Case) -> dict[str, Any]:
    """Return a low rating in JSON's own types."""
    return {
        "id": case.id,
        "feedback_id": case.feedback_id,
        "rating": plain(case.rating),
        "item": case.item,
        "customer": case.customer_id,
        "customer_name": case.customer_name,
        "comment": case.comment,
        "state": case.state,
        "owner": case.owner,
        "given_at": iso(case.given_at),
        "received_at": iso(case.received_at),
        "stored_at": iso(case.stored_at),
        "acknowledged_at": iso(case.acknowledged_at),
        "resolved_at": iso(case.resolved_at),
        "source": case.source,
        "external_id": case.external_id,
        "notes": [{"at": iso(note.at), "by": note.by, "text": note.text} for note in case.notes],
        "analysis": case.analysis,
    }


def _cells(case: Case) -> tuple[object, ...]:
    who = case.customer_name or case.customer_id
    said, comment = shortened(short(case.analysis)), shortened(case.comment)
    return (
        case.id,
        iso(case.stored_at),
        plain(case.rating),
        case.state,
        case.owner,
        case.item,
        who,
        said,
        comment,
    )


_FORM = Form(
    data=case_data,
    header=("id", "stored", "rating", "state", "owner", "item", "customer", "analysis", "comment"),
    cells=_cells,
)
