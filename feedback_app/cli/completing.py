"""Shell completion: what a shell asks when Tab is pressed, answered from the settings alone.

No plugin's code is run and no ledger is opened: Tab changes nothing, and is quick.
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from feedback_app.settings import Settings

    Completer = Callable[[click.Context, click.Parameter, str], list[str]]

NAME = "feedback-app"
VARIABLE = "_FEEDBACK_APP_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
SOURCES = (
    "cloud_queue",
    "database_table",
    "folder",
    "nats_jetstream",
    "redis_stream",
)  # shipped, called as they are


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes Tab complete commands, options and names in a shell.

    \b
    feedback-app completion bash > ~/.local/share/bash-completion/completions/feedback-app
    feedback-app completion zsh > ~/.zfunc/_feedback-app    (a folder of your fpath)
    feedback-app completion fish > ~/.config/fish/completions/feedback-app.fish
    """  # noqa: D301 - click's sign for lines that are not to be wrapped
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, NAME, VARIABLE).source())


def answer(root: click.Command) -> int:
    """Answer a shell and return the exit code; what goes wrong is not said, for it would stand in the user's prompt."""
    from click.shell_completion import shell_complete

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return shell_complete(root, {}, NAME, VARIABLE, os.environ[VARIABLE])
    except BaseException:  # noqa: BLE001 - Ctrl-C too: whoever presses it wants the prompt back
        return 1


def _completing(names: Callable[[Settings], Iterable[str]]) -> Completer:
    """Return what completes to names that the configuration holds; none where it cannot be read."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        from feedback_app.settings import read_settings

        settings = read_settings(*context.find_root().params.get("files", ())).settings
        found = names(settings) if settings is not None else ()
        return sorted({name for name in found if name.startswith(incomplete)})

    return complete


def _channels(settings: Settings) -> Iterable[str]:
    yield from settings.pipeline.default_channels
    yield from settings.channels
    yield from (report.channel for report in settings.reports.values())


def _plugins(settings: Settings) -> Iterable[str]:
    from importlib.metadata import entry_points

    yield from (one.name for one in entry_points(group="feedback_app"))
    with contextlib.suppress(OSError):
        files = [one for one in settings.plugins_directory.iterdir() if one.suffix == ".py"]
        yield from (one.stem for one in files if not one.name.startswith(("_", ".")))


def _sources(settings: Settings) -> Iterable[str]:
    for plugin, table in settings.plugins.tables.items():
        if plugin in SOURCES or "name" in table:
            yield str(table.get("name", plugin))


def _messages(settings: Settings) -> Iterable[str]:
    from feedback_app.templating import Templates

    for name in ("thanks", "apology"):
        yield name
        yield from (f"{name}.{channel}" for channel in _channels(settings))
    yield "report"
    yield from Templates(settings.templates_directory, longest=0).names()


channels = _completing(_channels)
messages = _completing(_messages)
plugins = _completing(_plugins)
reports = _completing(lambda settings: settings.reports)
sources = _completing(_sources)
