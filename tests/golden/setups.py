"""What a file of text cannot say of inputs, configurations, plugins and templates, made in a case's folder."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from tests.golden.registry import Setup, registering

SETUPS: dict[str, Setup] = {}
_setup = registering(SETUPS)


# --- inputs


@_setup
def _fifo_input(folder: Path) -> None:
    os.mkfifo(folder / "r.csv")


@_setup
def _folder_input(folder: Path) -> None:
    (folder / "r.csv").mkdir()


@_setup
def _line_of_11_megabytes(folder: Path) -> None:
    long = json.dumps({"rating": 5, "comment": "x" * 11_000_000})
    (folder / "r.jsonl").write_text(f'{long}\n{{"rating": 4}}\n')


@_setup
def _deep_json(folder: Path) -> None:
    (folder / "r.jsonl").write_text('{"rating": 5, "x": ' + "[" * 100_000 + '\n{"rating": 4}\n')


@_setup
def _long_number(folder: Path) -> None:
    (folder / "r.jsonl").write_text('{"rating": ' + "5" * 5000 + '}\n{"rating": 4}\n')


@_setup
def _million_columns(folder: Path) -> None:
    names = ",".join(f"c{number}" for number in range(1_000_000))
    (folder / "r.csv").write_text(f"rating,{names}\n5{',' * 1_000_000}\n")


@_setup
def _long_comment(folder: Path) -> None:
    with (folder / "r.csv").open("a") as file:
        file.write(f"4,{'x' * 120_000}\n")


@contextmanager
def _folder_gone(folder: Path) -> Iterator[None]:
    """Be in a folder that somebody removes."""
    lost = folder / "lost"
    lost.mkdir()
    with chdir(lost):
        lost.rmdir()
        yield


# --- configurations


@_setup
def _folder_for_config(folder: Path) -> None:
    (folder / "config.toml").mkdir()


@_setup
def _fifo_for_config(folder: Path) -> None:
    os.mkfifo(folder / "config.toml")


@_setup
def _config_that_links_to_itself(folder: Path) -> None:
    (folder / "config.toml").symlink_to("config.toml")


@_setup
def _exposed_config(folder: Path) -> None:
    (folder / "config.toml").chmod(0o644)


@_setup
def _fifo_for_password(folder: Path) -> None:
    os.mkfifo(folder / "password")


# --- plugins and templates


@_setup
def _fifo_for_plugin(folder: Path) -> None:
    os.mkfifo(folder / "plugins" / "mine.py")


@_setup
def _plugin_that_links_nowhere(folder: Path) -> None:
    (folder / "plugins" / "mine.py").symlink_to("gone.py")


@_setup
def _fifo_for_template(folder: Path) -> None:
    os.mkfifo(folder / "templates" / "thanks.txt")


@_setup
def _template_that_links_nowhere(folder: Path) -> None:
    (folder / "templates" / "thanks.txt").symlink_to("gone.txt")


@_setup
def _world_writable_plugin(folder: Path) -> None:
    (folder / "plugins" / "mine.py").chmod(0o666)


@_setup
def _group_writable_plugins(folder: Path) -> None:
    (folder / "plugins").chmod(0o775)


@_setup
def _plugin_that_links_out(folder: Path) -> None:
    (folder / "plugins").mkdir(mode=0o755)
    (folder / "outside.py").write_text("x = 1\n")
    (folder / "plugins" / "mine.py").symlink_to("../outside.py")


@_setup
def _folder_for_template(folder: Path) -> None:
    (folder / "templates" / "thanks.txt").mkdir(parents=True)


@contextmanager
def _two_distributions_for_one_name(folder: Path) -> Iterator[None]:
    """Install two distributions whose entry points have one name."""
    for name in ("one", "other"):
        info = folder / "site" / f"feedback_app_notify_{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: feedback-app-notify-{name}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text("[feedback_app]\nchat = chat_of_nobody\n")
    sys.path.append(str(folder / "site"))
    try:
        yield
    finally:
        sys.path.remove(str(folder / "site"))


SETUPS |= {
    "folder_gone": _folder_gone,
    "two_distributions_for_one_name": _two_distributions_for_one_name,
}
