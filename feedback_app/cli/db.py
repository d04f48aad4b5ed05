"""`feedback-app db`: the ledger's schema."""

from __future__ import annotations

import click

from feedback_app.cli.context import Program, echo_json, json_option
from feedback_app.errors import NotFound


@click.group()
def group() -> None:
    """Look after the ledger."""


@group.command()
@click.pass_obj
def upgrade(program: Program) -> None:
    """Bring the ledger to the schema of this program, after a copy was put beside it."""
    from feedback_app.store import migrate, place
    from feedback_app.store.lock import LedgerLock

    path = program.settings().store_path
    if not place.is_there(path):
        migrate.create(path)
        click.echo(f"{path}: created with schema {migrate.HEAD}")
        return
    migrate.check(path)
    lock = LedgerLock(path)
    if not lock.try_acquire("command"):
        raise lock.refused()
    try:
        before, after = migrate.upgrade(path)
    finally:
        lock.release()
    if before == after:
        click.echo(f"{path}: schema {after}, nothing to do")
    else:
        click.echo(f"{path}: upgraded from schema {before} to {after}")


@group.command()
@json_option
@click.pass_obj
def current(program: Program, *, as_json: bool) -> None:
    """Show the ledger's schema and the one that this program wants."""
    from feedback_app.store import migrate, place

    path = program.settings().store_path
    if not place.is_there(path):
        raise NotFound(f"{path}: no ledger yet; the first command that needs one creates it")
    found = migrate.check(path)
    if as_json:
        echo_json({"ledger": str(path), "current": found, "wanted": migrate.HEAD})
    else:
        click.echo(f"{path}: schema {found}" + ("" if found == migrate.HEAD else f", wanted {migrate.HEAD}"))
