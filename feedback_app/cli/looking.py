"""`feedback-app db check` and `db size`: what is wrong with the ledger, and what of it takes how much room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from feedback_app.cli.context import Program, echo_json, echo_table, json_option, shown
from feedback_app.errors import BadData

if TYPE_CHECKING:
    from feedback_app.store.checks import Checked
    from feedback_app.store.sizes import Size


@click.command()
@json_option
@click.pass_obj
def check(program: Program, *, as_json: bool) -> None:
    """Look through the whole ledger for damage, and for rows that break the program's rules; exit 65 if there are any.

    Nothing is changed, and the daemon may run. On PostgreSQL the pages themselves are for pg_amcheck.
    """
    from feedback_app.store.ledger import ledger_of

    ledger = ledger_of(program.settings())
    checked = ledger.check()
    if as_json:
        echo_json(_checked_data(ledger.name, checked))
    else:
        rows = [("broken" if one.problem else "ok", one.check, one.problem) for one in checked.findings]
        echo_table(("", "check", "found"), rows)
    if checked.problems:
        mend = (
            "nothing is damaged, but the schema is not this program's"
            if checked.is_whole
            else "keep a copy of it as it is, then restore a backup"
        )
        raise BadData(
            f"{ledger.name}: {len(checked.problems)} of {len(checked.findings)} checks failed; {mend}"
        )


def _checked_data(name: str, checked: Checked) -> dict[str, Any]:
    return {
        "ledger": name,
        "schema": checked.schema,
        "ok": not checked.problems,
        "checks": [
            {"check": one.check, "ok": not one.problem, "found": one.problem or None}
            for one in checked.findings
        ],
    }


@click.command()
@json_option
@click.pass_obj
def size(program: Program, *, as_json: bool) -> None:
    """Show what of the ledger takes how much room: rows and bytes of each table, the largest first.

    It reads the whole ledger; nothing is changed, and the daemon may run.
    """
    from feedback_app.store.ledger import ledger_of

    ledger = ledger_of(program.settings())
    found = ledger.size()
    if as_json:
        echo_json(_size_data(ledger.name, found))
    else:
        _print_size(ledger.name, found)


def _size_data(name: str, found: Size) -> dict[str, Any]:
    return {
        "ledger": name,
        "exact": found.exact,
        "total_bytes": found.total,
        "free_bytes": found.free,
        "file_bytes": found.file,
        "log_bytes": found.log,
        "tables": {
            one.name: {
                "rows": one.rows,
                "bytes": one.total,
                "table_bytes": one.table,
                "index_bytes": one.indices,
            }
            for one in found.tables
        },
    }


def _print_size(name: str, found: Size) -> None:
    def share(part: int) -> str:
        return f"{100 * part / found.total:.1f} %" if found.total else ""

    rows: list[tuple[object, ...]] = [
        (one.name, f"{one.rows:,}", f"{one.table:,}", f"{one.indices:,}", f"{one.total:,}", share(one.total))
        for one in found.tables
    ]
    if found.free is not None:
        rows.append(("(free)", "", "", "", f"{found.free:,}", share(found.free)))
    echo_table(("table", "rows", "bytes", "index bytes", "together", "share"), rows)
    click.echo(shown(f"{name}: {found.total:,} bytes"))
    if found.file is not None:
        click.echo(f"its file: {found.file:,} bytes, the log beside it: {found.log:,} bytes")
    if not found.exact:
        click.echo(
            "estimated by the newest rows: this SQLite cannot measure tables, and indices are left out"
        )
