"""`feedback-app plugins`: which plugins there are and what became of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from feedback_app.cli.context import echo_json, echo_table, json_option

if TYPE_CHECKING:
    from feedback_app.cli.context import Program


@click.group()
def plugins() -> None:
    """See which plugins there are."""


@plugins.command(name="list")
@json_option
@click.pass_obj
def list_plugins(program: Program, *, as_json: bool) -> None:
    """List the plugins in the order of their loading, with what is wrong with them.

    active: serves something; idle: not configured; disabled: by [plugins] disabled; broken: left out.
    """
    from feedback_app.plugin_host import PluginHost

    host = PluginHost.load(program.settings())
    if as_json:
        echo_json([asdict(plugin) for plugin in host.plugins])
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
            for plugin in host.plugins
        )
        echo_table(header, rows)
    for problem in host.problems:
        click.echo(f"problem: {problem}", err=True)
    for warning in host.warnings:
        click.echo(f"warning: {warning}", err=True)
