"""`feedback-app config`: checks and shows the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from feedback_app.settings import Settings


class Root(Protocol):
    """What the root command hands down."""

    def settings(self) -> Settings:
        """Load the settings; raises BadConfig."""


@click.group()
def config() -> None:
    """Check and show the configuration."""


@config.command()
@click.pass_obj
def check(root: Root) -> None:
    """Say what is wrong with the configuration, all at once; nothing is started."""
    settings = root.settings()
    for file in settings.files:
        click.echo(f"{_nearby(file)}: ok")
    if not settings.files:
        click.echo("no configuration file, the defaults hold: ok")
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of TOML.")
@click.pass_obj
def show(root: Root, *, as_json: bool) -> None:
    """Print the configuration in force and where each value comes from; secrets are hidden."""
    settings = root.settings()
    if as_json:
        click.echo(json.dumps(settings.redacted(), indent=2, ensure_ascii=False))
        return
    from feedback_app.settings.render import render

    for line in render(settings.redacted(), settings.origins):
        click.echo(line)


def _nearby(file: Path) -> Path:
    """Write a file below the working directory without it."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
