"""`feedback-app plugins`: which plugins there are, a new one to start from, and whether one keeps its contract."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from feedback_app.cli import completing
from feedback_app.cli.context import echo_json, echo_table, json_option, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.cli.context import Program
    from feedback_app.plugin_host import PluginInfo
    from feedback_app.store.store import Store
    from feedback_app.testing import Finding


@click.group()
def plugins() -> None:
    """See which plugins there are, make a new one, test one."""


@plugins.command(name="list")
@json_option
@click.pass_obj
def list_plugins(program: Program, *, as_json: bool) -> None:
    """List the plugins in the order of their loading, with what is wrong with them.

    active: serves something; suspended: the daemon that runs has stopped to use it, because it keeps failing; idle: not
    configured; disabled: by [plugins] disabled; broken: left out.
    """
    from feedback_app.plugin_host import PluginHost

    host = PluginHost.load(program.settings())
    listed = _as_the_daemon_finds_them(program, host.plugins)
    if as_json:
        echo_json([asdict(plugin) for plugin in listed])
    else:
        header = ("name", "state", "channels", "sources", "hooks", "version", "origin", "error")
        rows = (
            (
                plugin.name,
                plugin.state,
                ", ".join(plugin.channels),
                ", ".join(plugin.sources),
                ", ".join(plugin.hooks),
                plugin.version,
                plugin.origin,
                plugin.error,
            )
            for plugin in listed
        )
        echo_table(header, rows)
    for problem in host.problems:
        click.echo(f"problem: {problem}", err=True)
    for warning in host.warnings:
        click.echo(f"warning: {warning}", err=True)


def _as_the_daemon_finds_them(program: Program, listed: Sequence[PluginInfo]) -> list[PluginInfo]:
    """Return the plugins with those suspended that a running daemon has suspended."""
    suspended = _suspended(program)
    return [
        replace(plugin, state="suspended", error=suspended[plugin.name])
        if plugin.name in suspended
        else plugin
        for plugin in listed
    ]


def _suspended(program: Program) -> dict[str, str]:
    """Return plugin → why the daemons that run have suspended it; nothing where there is no ledger to ask."""
    from feedback_app.errors import FeedbackAppError
    from feedback_app.store import daemons
    from feedback_app.store.ledger import ledger_of

    async def ask(store: Store) -> dict[str, str]:
        if await store.running_daemon() is None:
            return {}
        running = await store.read(daemons.running)
        return {
            plugin: f"channel {channel}: {one['reason']}"
            for daemon in running
            for channel, trouble in daemon["channels"].items()
            for plugin, one in trouble.get("providers", {}).items()  # older daemons tell less
            if one.get("suspended")
        }

    try:
        if ledger_of(program.settings()).revision() is None:  # listing makes no ledger
            return {}
        return program.with_store(ask)
    except FeedbackAppError as error:
        click.echo(f"warning: what a running daemon thinks of them is not known: {error}", err=True)
        return {}


@plugins.command(name="test")
@click.argument("name", shell_complete=completing.plugins)
@click.option("--live", is_flag=True, help="Let it reach other machines: some sixty messages to nobody.")
@json_option
@click.pass_context
def test_plugin(context: click.Context, name: str, *, live: bool, as_json: bool) -> None:
    """Hold the plugin NAME, with its settings as they are, to each promise of its contract.

    Nobody gets a message: recipients are reserved ones (example.com, +1 202 555 01xx), and what would leave this
    machine is refused and listed as not tested, unless --live is given. No rating is taken from a source.

    A line a check: ok, fails, or not tested and why. Exit code 1 when one fails.
    """
    from feedback_app.testing.plugin import check_plugin

    program: Program = context.obj
    findings = check_plugin(name, program.settings(), live=live)
    if as_json:
        echo_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(shown(finding))
        click.echo(_summary(name, findings), err=True)
    if any(finding.state == "fails" for finding in findings):
        context.exit(1)


def _summary(name: str, findings: Sequence[Finding]) -> str:
    states = [finding.state for finding in findings]
    return f"{name}: {states.count('ok')} ok, {states.count('fails')} failed, {states.count('not tested')} not tested"


@plugins.command()
@click.argument("name")
@click.option(
    "--kind", type=click.Choice(("notifier", "source", "analyser")), default="notifier", show_default=True
)
@click.option(
    "--with-test", is_flag=True, help="Also write a test for pytest, into tests/ beside the folder."
)
@click.option(
    "--package",
    type=click.Path(path_type=Path),
    is_flag=False,
    flag_value=Path(),
    metavar="[DIR]",
    help="Write a project that pip installs, into DIR (here), instead of a file.",
)
@click.pass_obj
def new(program: Program, name: str, kind: str, with_test: bool, package: Path | None) -> None:
    """Write a plugin NAME to start from: a file in the plugin folder, or a project with --package.

    What is there already is never overwritten.
    """
    from feedback_app.cli.scaffold import write_file, write_package

    if package is None:
        written = write_file(name, kind, program.settings(), with_test=with_test)
        hint = f"edit it where it says EDIT, then `feedback-app plugins test {name}`"
    else:
        written = write_package(name, kind, package)
        hint = f"run its tests: pip install -e '{written[0].parent}[test]' && pytest {written[0].parent}"
    for path in written:
        click.echo(f"wrote {path}")
    click.echo(f"next: {hint}", err=True)
