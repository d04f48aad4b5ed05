"""`feedback-app doctor`: what is well, what is not, and how to mend it."""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from feedback_app.cli.context import echo_json, json_option, shown
from feedback_app.clock import now_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.cli.context import Program
    from feedback_app.doctor import Finding

_STATES = ("problem", "warning", "not checked", "ok")  # in the order in which they are shown
_FIRST = max(map(len, _STATES))
_COLOURS = {"problem": "red", "warning": "yellow", "not checked": "cyan", "ok": "green"}


@click.command()
@click.option("--offline", is_flag=True, help="Reach no mail server, no gateway and no source.")
@click.option("--full", is_flag=True, help="Look through all of the ledger, however long that takes.")
@json_option
@click.pass_context
def doctor(context: click.Context, *, offline: bool, full: bool, as_json: bool) -> None:
    """Check everything that can be checked, and say how to mend what is found.

    Nothing is written and nothing is sent: it may run at any time, also beside the daemon. Run it as the daemon's user:
    what another one may read and reach is another question. Exit code 1 when there is a problem.
    """
    from feedback_app.doctor import Patient, examine
    from feedback_app.settings import read_settings

    program: Program = context.obj
    patient = Patient(reading=read_settings(*program.files), clock=now_ms, full=full, offline=offline)
    findings = program.run(lambda: examine(patient))
    if as_json:
        echo_json([asdict(finding) for finding in findings])
    else:
        _show(findings)
    if any(finding.state == "problem" for finding in findings):
        context.exit(1)


def _show(findings: Sequence[Finding]) -> None:
    """Print what is wrong first; the columns are as wide as they must be."""
    width = max(len(finding.about) for finding in findings)
    for finding in sorted(findings, key=lambda one: _STATES.index(one.state)):
        state = click.style(f"{finding.state:<{_FIRST}}", fg=_COLOURS[finding.state])
        found, *more = _lines(shown(finding.found), _FIRST + width)
        click.echo(f"{state}  {finding.about:<{width}}  {found}")
        if finding.mend:
            more += _lines(f"→ {shown(finding.mend)}", _FIRST + width)
        for line in more:
            click.echo(f"{'':<{_FIRST + width + 4}}{line}")
    states: list[str] = [finding.state for finding in findings]
    click.echo(", ".join(_counted(states.count(one), one) for one in _STATES), err=True)


def _counted(count: int, state: str) -> str:
    return f"{count} {state}s" if state in ("problem", "warning") and count != 1 else f"{count} {state}"


def _lines(text: str, taken: int) -> list[str]:
    """Break a text for the terminal's width, of which so many columns are taken; elsewhere it stays one line."""
    if not sys.stdout.isatty():
        return [text]
    room = shutil.get_terminal_size().columns - taken - 4
    return textwrap.wrap(text, max(room, 30), break_long_words=False, break_on_hyphens=False) or [""]
