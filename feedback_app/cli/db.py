"""`feedback-app db`: the ledger's schema, its backups, what it forgets, and its move to another database."""

from __future__ import annotations

import click

from feedback_app.cli.backup import backup, restore
from feedback_app.cli.context import Program, echo_json, json_option
from feedback_app.cli.copying import copy
from feedback_app.cli.looking import check, size
from feedback_app.cli.trimming import trim
from feedback_app.errors import NotFound


@click.group()
def group() -> None:
    """Look after the ledger."""


group.add_command(backup)
group.add_command(restore)
group.add_command(check)
group.add_command(size)
group.add_command(copy)
group.add_command(trim)


@group.command()
@click.pass_obj
def upgrade(program: Program) -> None:
    """Make the ledger, or bring it to the schema of this program; a SQLite file is copied before."""
    from feedback_app.store.ledger import ledger_of

    ledger = ledger_of(program.settings())
    before, after = ledger.upgrade()
    if before is None:
        click.echo(f"{ledger.name}: created with schema {after}")
    elif before == after:
        click.echo(f"{ledger.name}: schema {after}, nothing to do")
    else:
        click.echo(f"{ledger.name}: upgraded from schema {before} to {after}")


@group.command()
@json_option
@click.pass_obj
def current(program: Program, *, as_json: bool) -> None:
    """Show the ledger's schema and the one that this program wants."""
    from feedback_app.store.ledger import ledger_of
    from feedback_app.store.migrate import HEAD

    ledger = ledger_of(program.settings())
    found = ledger.revision()
    if found is None:
        raise NotFound(f"{ledger.name}: no ledger yet; `feedback-app db upgrade` makes it")
    if as_json:
        echo_json({"ledger": ledger.name, "current": found, "wanted": HEAD})
    else:
        click.echo(f"{ledger.name}: schema {found}" + ("" if found >= HEAD else f", wanted {HEAD}"))
