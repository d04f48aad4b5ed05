"""`feedback-app init` and `feedback-app demo`: the first minutes."""

from __future__ import annotations

import contextlib
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from feedback_app.errors import CannotCreate

if TYPE_CHECKING:
    from feedback_app.cli.context import Program

_SAMPLE = files("feedback_app") / "sample"
_DEMO_CONFIG = """# Written by `feedback-app demo`.
# Nothing leaves this folder: mails go to mail/, text messages to sms.jsonl.

[business]
name = "Example Furniture"

[plugins.email_notifier]
transport = "maildir"
maildir = "mail"
sender = "Example Furniture <hello@example.com>"

[plugins.sms_notifier]
gateway = "file"
file = "sms.jsonl"

[reports.daily]
to = ["team@example.com"]
"""
_PLUGINS_README = """Drop notifier plugins here: one Python file each, see docs/plugins.md of feedback_app.
Files whose names begin with _ are helpers and not loaded.
"""
_TEMPLATES_README = """Put your own wording here, under the names of the shipped templates:

  thanks.subject.txt   thanks.txt    thanks.email.html    thanks.sms.txt
  apology.subject.txt  apology.txt   apology.email.html   apology.sms.txt

A language goes in front of the ending: thanks.sms.de.txt. Known names inside a template:
name, item, rating, lowest, highest, comment, business.
"""


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), default=Path())
def init(directory: Path) -> None:
    """Write a config.toml, plugins/ and templates/ to start from; what is there already stays."""
    _make_folder(directory)
    written = [
        path
        for path, content in (
            (directory / "config.toml", (_SAMPLE / "config.toml").read_text(encoding="utf-8")),
            (directory / "plugins" / "README.txt", _PLUGINS_README),
            (directory / "templates" / "README.txt", _TEMPLATES_README),
        )
        if _write_new(path, content)
    ]
    for path in written:
        click.echo(f"wrote {path}")
    if not written:
        click.echo("everything is there already, nothing was written")
    click.echo("next: edit config.toml, then `feedback-app config check` and `feedback-app run`", err=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)  # never writable for all: plugins stand in it
    except (FileExistsError, NotADirectoryError):
        raise CannotCreate(f"{folder}: there is a file in the way; name another folder") from None
    except OSError as error:
        raise CannotCreate(f"{folder}: cannot be made: {error.strerror}") from None


def _write_new(path: Path, content: str) -> bool:
    """Write a file that does not exist yet, readable by its owner only; False when it does."""
    _make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise CannotCreate(f"{path}: cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    return True


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), default=Path("feedback-demo"))
@click.pass_obj
def demo(program: Program, directory: Path) -> None:
    """Take sample ratings down the whole road, in seconds; nothing leaves DIRECTORY."""
    from feedback_app.cli.demo import show

    _make_folder(directory)
    config = directory / "config.toml"
    if not _write_new(config, _DEMO_CONFIG) and not _is_ours(config):
        raise CannotCreate(
            f"{config} is not the demo's own and was not touched; run `feedback-app demo DIR` with another folder"
        )
    for name in ("customers.csv", "ratings.csv"):
        _write_new(directory / name, (_SAMPLE / name).read_text(encoding="utf-8"))
    show(directory)


def _is_ours(config: Path) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return config.read_text(encoding="utf-8") == _DEMO_CONFIG
    return False
