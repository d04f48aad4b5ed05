"""`feedback-app db backup` and `db restore`: a ledger in a file, copied while it is in use, and put back."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from feedback_app.cli.context import Program, echo_json, json_option, shown
from feedback_app.clock import now_ms
from feedback_app.errors import UsageError

if TYPE_CHECKING:
    from feedback_app.settings import Settings
    from feedback_app.store.sqlite.restore import Restored
    from feedback_app.store.sqlite.snapshot import Contents


class _BackupFile(click.ParamType[Path]):
    """A file's name; what may be wrong with the file is said by whoever opens or makes it."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path, or refuse what stands for a stream."""
        if str(value) in ("", "-"):
            self.fail("a backup is a file, name one", param, ctx)
        return Path(value)


_FILE = _BackupFile()
# What a restore takes over from the old ledger, by its field of `Since`: how JSON calls it, and how a warning does.
_TAKEN_OVER = {
    "opted_out": ("customers_opted_out_since", "who opted out"),
    "suppressed": ("addresses_suppressed_since", "which addresses were suppressed"),
    "ended": ("messages_ended_since", "which messages ended"),
    "thanked": ("ratings_thanked_since", "who was thanked"),
}


@click.command()
@click.argument("file", metavar="FILE", type=_FILE)
@json_option
@click.pass_obj
def backup(program: Program, file: Path, *, as_json: bool) -> None:
    """Copy the ledger into a new FILE, as of one moment, and verify the copy.

    The daemon may run and goes on meanwhile. FILE appears when it is whole, readable by its owner only; one that is
    there already is not overwritten. For a ledger on PostgreSQL use pg_dump: docs/operations.md.
    """
    from feedback_app.store.sqlite.backup import Backup

    settings = _of_sqlite(program, "pg_dump")
    begun = time.monotonic()
    contents = Backup(settings.store_path, file).make()
    seconds = time.monotonic() - begun
    if as_json:
        echo_json({"file": str(file), **contents_data(contents), "seconds": round(seconds, 3)})
    else:
        click.echo(
            shown(f"{file}: {_summary(contents)}, {contents.size:,} bytes in {seconds:,.1f} s; verified")
        )


@click.command()
@click.argument("file", metavar="FILE", type=_FILE)
@click.option(
    "--resend", is_flag=True, help="Leave what waits in FILE due; what has left since arrives twice."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def restore(program: Program, file: Path, *, resend: bool, yes: bool, as_json: bool) -> None:
    """Put the ledger back from FILE, which `db backup` made, while no daemon runs.

    FILE is verified before anything is touched, and stays as it is. The old ledger is kept beside the new one. Messages
    that were waiting when FILE was made may have left since: they are held until `messages retry` or `messages cancel`
    says what is to become of them.
    """
    from feedback_app.store.sqlite.restore import restoring

    ledger = _of_sqlite(program, "pg_restore").store_path
    with restoring(ledger, file) as ready:
        _confirm(ledger, file, ready.contents, yes=yes)
        now = now_ms()
        stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y-%m-%dT%H%M%SZ")
        done = ready.finish(resend=resend, stamp=stamp, now=now)
    if as_json:
        echo_json(_restored_data(ledger, file, ready.contents, done))
    else:
        click.echo(shown(f"{ledger}: restored from {file}: {_summary(ready.contents)}"))
        _say(done)


def _of_sqlite(program: Program, instead: str) -> Settings:
    settings = program.settings()
    if not settings.store.is_sqlite:
        raise UsageError(
            f"the ledger is on PostgreSQL: use {instead}, as docs/operations.md shows under 'Back up and restore'"
        )
    return settings


def _confirm(ledger: Path, file: Path, contents: Contents, *, yes: bool) -> None:
    if yes:
        return
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{file} is a sound backup; to put it in the place of {ledger} say --yes")
    click.confirm(
        shown(f"{file} is sound: {_summary(contents)}. Put it in the place of {ledger}?"),
        abort=True,
        err=True,
    )


def _say(done: Restored) -> None:
    since = done.since
    if done.kept:
        click.echo(shown(f"the old ledger is kept as {done.kept}"))
        if since.lost is None:
            click.echo("what it had beyond the backup is not known: it cannot be read")
        else:
            click.echo(
                f"it has {_some(since.lost, 'rating') if since.lost else 'no rating'} that the backup lacks"
            )
        if since.same is False:
            click.echo("warning: the backup is not one of it, but of another ledger", err=True)
        if since.unread:
            unread = ", ".join(_TAKEN_OVER[name][1] for name in since.unread)
            click.echo(
                f"warning: it is damaged; not taken over, or not wholly: {unread}; docs/operations.md shows under"
                " 'Back up and restore' what to do before the next `run`",
                err=True,
            )
    if since.opted_out or since.suppressed:
        click.echo(
            f"since the backup {_some(since.opted_out, 'customer')} opted out and"
            f" {since.suppressed:,} addresses were suppressed: that was taken over"
        )
    if since.ended:
        click.echo(
            f"{_some(since.ended, 'message')} waited in the backup and ended since: taken over from the old ledger"
        )
    if since.held:
        click.echo(
            f"{_some(since.held, 'message')} waited in the backup and may have left since: held;"
            " see `messages list --state held`, then `messages retry` or `messages cancel`"
        )
    if since.left:
        click.echo(f"{_some(since.left, 'message')} waited in the backup and will be sent by the next `run`")
    if since.unprocessed:
        thanked = (
            f"; of {since.thanked:,} the thank-you has left and is not sent again" if since.thanked else ""
        )
        click.echo(f"{_some(since.unprocessed, 'rating')} will be processed by the next `run`{thanked}")


def contents_data(contents: Contents) -> dict[str, Any]:
    """Return what a ledger holds in JSON's own types."""
    return {
        "schema": contents.schema,
        "ratings": contents.ratings,
        "messages": contents.messages,
        "tables": dict(contents.rows),
        "bytes": contents.size,
    }


def _restored_data(ledger: Path, file: Path, contents: Contents, done: Restored) -> dict[str, Any]:
    return {
        "ledger": str(ledger),
        "from": str(file),
        **contents_data(contents),
        "kept": str(done.kept) if done.kept else None,
        "messages_held": done.since.held,
        "messages_due": done.since.left,
        "ratings_to_process": done.since.unprocessed,
        **{key: getattr(done.since, name) for name, (key, _) in _TAKEN_OVER.items()},
        "not_taken_over": [_TAKEN_OVER[name][0] for name in done.since.unread] if done.kept else [],
        "ratings_lost": done.since.lost,
        "same_ledger": done.since.same,
    }


def _summary(contents: Contents) -> str:
    return f"{_some(contents.ratings, 'rating')}, {_some(contents.messages, 'message')}, schema {contents.schema}"


def _some(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
