"""`feedback-app db trim`: what is past its time goes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from feedback_app.cli.context import echo_json, echo_table, json_option, sparing_what_stands

if TYPE_CHECKING:
    from collections import Counter

    from feedback_app.cli.context import Program
    from feedback_app.store.store import Store
    from feedback_app.trimming import Trimmed

_UNASKED = ("daemons", "tries")  # starts, and what `per_day` counts, have no setting: kept for 30 days


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@json_option
@click.pass_obj
def trim(program: Program, *, dry_run: bool, as_json: bool) -> None:
    """Delete what [retention] keeps no longer, and say what went.

    A running daemon does the same every ten minutes. Reports over the past show the same counts and averages as before.
    """
    from feedback_app.clock import now_ms
    from feedback_app.settings.retention import shown
    from feedback_app.trimming import Trimmer

    retention = program.settings().retention
    kept = {name: shown(period) for name, period in retention}

    async def work(store: Store) -> tuple[Counter[str], Trimmed | None]:
        trimmer = Trimmer(store, retention, clock=now_ms)
        if dry_run:
            return await trimmer.look(), None
        with sparing_what_stands():  # a search for garbage within a step holds the ledger as long
            done = await trimmer.run()
        return done.deleted, done

    counts, done = program.with_store(work)
    rows = {name: counts[name] for name in (*kept, *_UNASKED)}
    if as_json:
        figures = {} if done is None else {"steps": done.steps, "slowest_ms": round(done.slowest * 1000, 3)}
        complete = {} if done is None else {"complete": done.is_whole}
        echo_json({"dry_run": dry_run, "deleted": rows, **complete, **figures})
        return
    echo_table(
        ("class", "kept", "would be deleted" if dry_run else "deleted"),
        [(name, kept.get(name, "30d"), f"{count:,}") for name, count in rows.items()],
    )
    _say(done)


def _say(done: Trimmed | None) -> None:
    if done is None:
        click.echo("dry run: nothing was deleted", err=True)
        return
    if done.steps:
        click.echo(
            f"{done.steps:,} steps, the slowest held the ledger for {done.slowest * 1000:.1f} ms", err=True
        )
    if not done.is_whole:
        click.echo("another process is deleting: it does the rest", err=True)
