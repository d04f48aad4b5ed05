"""The command line: noun, then verb. Data on stdout, talk on stderr, never a traceback unless --debug."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

from feedback_app import __version__, failpoints
from feedback_app.cli.context import Program, silence
from feedback_app.cli.lazy import LazyGroup
from feedback_app.errors import FeedbackAppError, NotPermitted, StorageFailed, fault_site, what_ended

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "feedback-app"
_BUG = 70

_COMMANDS = {
    "init": ("feedback_app.cli.start:init", "Write a config.toml, plugins/ and templates/ to start from."),
    "demo": ("feedback_app.cli.start:demo", "Take sample ratings down the whole road, in seconds."),
    "run": ("feedback_app.cli.daemon:run", "Run the daemon."),
    "status": ("feedback_app.cli.status:status", "Show what waits, what is done and what is wrong."),
    "doctor": ("feedback_app.cli.doctor:doctor", "Check everything, and say how to mend what is found."),
    "feedback": ("feedback_app.cli.feedback:group", "Ratings: add, import, list, explain, replay."),
    "customers": ("feedback_app.cli.customers:group", "Customers: add, import, list, show, opt out and in."),
    "low-ratings": ("feedback_app.cli.low_ratings:group", "Low ratings: list, show, follow up, export."),
    "messages": (
        "feedback_app.cli.messages:group",
        "Messages: list, show, retry, cancel; bounces, receipts.",
    ),
    "report": ("feedback_app.cli.report:report", "The daily report: build, send, list."),
    "suppressions": (
        "feedback_app.cli.suppressions:group",
        "Addresses that nothing is sent to: list, add, remove.",
    ),
    "sources": ("feedback_app.cli.sources:group", "Sources: list, pause, resume, dead letters."),
    "plugins": ("feedback_app.cli.plugins:plugins", "Plugins: list, new, test."),
    "templates": ("feedback_app.cli.templates:group", "Templates: list, preview, check."),
    "notify": ("feedback_app.cli.notify:group", "Send a test message down the real path."),
    "completion": ("feedback_app.cli.completing:completion", "Completion by Tab: for bash, zsh, fish."),
    "config": ("feedback_app.cli.config:config", "Settings: check, show, schema."),
    "db": ("feedback_app.cli.db:group", "The ledger: backup, restore, check, size, trim, upgrade, copy."),
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
@click.option(
    "--config",
    "files",
    type=click.Path(path_type=Path, readable=False),  # whether it can be read is said with all else about it
    multiple=True,
    metavar="FILE",
    help="Settings; may be given several times, later files win. Default: $FEEDBACK_APP_CONFIG, ./config.toml, …",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def cli(context: click.Context, files: tuple[Path, ...], debug: bool) -> None:
    """Process customers' ratings: keep the low ones, thank for the others, report once a day."""
    failpoints.arm(os.environ)
    context.obj = Program(files=files, debug=debug)


def run_command_line(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; errors become one line each on stderr."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if os.environ.get("_FEEDBACK_APP_COMPLETE"):
        from feedback_app.cli.completing import answer

        return answer(cli)
    # Names and comments of any script are printed, also where the locale is C.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        result = cli.main(args=list(arguments), prog_name=NAME, standalone_mode=False)
        if sys.stdout is not None:  # None: whoever started us has closed it
            sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BaseException as error:  # noqa: BLE001 - whatever it is becomes a line and an exit code
        if "--debug" in arguments and not isinstance(error, (click.exceptions.Exit, SystemExit)):
            traceback.print_exc()
        return _explain(error)


def _explain(error: BaseException) -> int:
    """Say what went wrong in a line (several for several problems) and return the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            _say_usage(error)
            return error.exit_code
        case FeedbackAppError():
            for line in str(error).splitlines():
                _say(line)
            return error.exit_code
        case KeyboardInterrupt() | click.Abort():
            _say("interrupted")
            return 130
        case BrokenPipeError() | SystemExit():  # click makes the latter of a broken pipe, and of nothing else
            silence(1, 2)
            return 0
        case OSError() if error.filename or error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
            _say(f"{error.filename or 'output'}: {error.strerror}")
            return NotPermitted.exit_code if isinstance(error, PermissionError) else StorageFailed.exit_code
        case _:
            # Without the error's text, which may quote a customer: this may be a daemon's log.
            _say(f"a bug in the program: {fault_site(what_ended(error))}; run again with --debug to see more")
            return _BUG


def _say_usage(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _write(error.format_message())
        return
    _say(_no_command(error) if isinstance(error, click.exceptions.NoSuchCommand) else error.format_message())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        _write(f"try `{error.ctx.command_path} --help`")


def _no_command(error: click.exceptions.NoSuchCommand) -> str:
    """Name the nearest command, or else all there are."""
    group, name = error.ctx and error.ctx.command, error.command_name
    known = group.list_commands(error.ctx) if isinstance(group, click.Group) and error.ctx else []
    near = difflib.get_close_matches(name, known, n=1)
    return f"no command {name!r}; " + (
        f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
    )


def _say(line: str) -> None:
    # A file's name may hold what moves a terminal's cursor.
    visible = (
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in line
    )
    _write(f"{NAME}: {''.join(visible)}")


def _write(text: str) -> None:
    with contextlib.suppress(OSError):
        click.echo(text, err=True)
