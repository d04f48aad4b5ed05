"""Faults that are really planted: a plant makes of a folder with a fresh installation one that has the fault."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

Plant = Callable[[Path], AbstractContextManager[object]]
Planted = tuple[Plant, str, str, str]  # the fault, how grave, what is found, what mends it


def simple(plant: Callable[[Path], object]) -> Plant:
    """Plant what needs no undoing."""

    @contextlib.contextmanager
    def entered(folder: Path) -> Iterator[None]:
        plant(folder)
        yield

    return entered


def config(text: str, mode: int = 0o600) -> Plant:
    """Write the configuration."""

    def plant(folder: Path) -> None:
        file = folder / "config.toml"
        file.write_text(text)
        file.chmod(mode)

    return simple(plant)


def mail_at(host: str, port: int, more: str = "") -> str:
    """Write the settings of a mail server."""
    return f'[plugins.email_notifier]\ntransport = "smtp"\nhost = "{host}"\nport = {port}\n{more}\n'


def file(name: str, text: str) -> Plant:
    """Write a file into the installation."""
    return simple(lambda folder: (folder / name).write_text(text))
