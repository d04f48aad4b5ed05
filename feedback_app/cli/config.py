"""`feedback-app config`: checks and shows the configuration, and prints its schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from feedback_app.errors import BadConfig

if TYPE_CHECKING:
    from feedback_app.cli.context import Program


@click.group()
def config() -> None:
    """Check and show the configuration, print its schema."""


@config.command()
@click.pass_obj
def check(program: Program) -> None:
    """Say what is wrong with settings, plugins, templates and the ledger's place, all at once."""
    from feedback_app import assembly
    from feedback_app.settings import read_settings

    reading = read_settings(*program.files)
    problems, settings = list(reading.problems), reading.settings
    if settings is not None:
        found, warnings = assembly.examine(settings)
        problems += found
        for warning in warnings:
            click.echo(f"warning: {warning}", err=True)
    if problems:
        raise BadConfig(*problems)
    assert settings is not None
    for file in settings.files:
        click.echo(f"{_nearby(file)}: ok")
    if not settings.files:
        click.echo("no configuration file, the defaults hold: ok")


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of TOML.")
@click.pass_obj
def show(program: Program, *, as_json: bool) -> None:
    """Print the configuration in force and where each value comes from; secrets are hidden."""
    settings = program.settings()
    if as_json:
        click.echo(json.dumps(settings.redacted(), indent=2, ensure_ascii=False))
        return
    from feedback_app.settings.render import render

    for line in render(settings.redacted(), settings.origins):
        click.echo(line)


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, by which editors complete and check it.

    A plugin's own table is any table in it: `config check` checks those.
    """
    from feedback_app.settings import Settings

    click.echo(json.dumps(Settings.json_schema(), indent=2, ensure_ascii=False))


def _nearby(file: Path) -> Path:
    """Write a file below the working directory without it."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
