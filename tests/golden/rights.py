"""The operating system says no; root is nobody here, for nothing is forbidden to root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.golden.registry import Setup

NOBODY = 65534


@contextmanager
def _as_nobody(folder: Path, *closed: Path) -> Iterator[None]:
    """Close files and folders to everybody, and be a user to whom that applies."""
    for one in (folder, *folder.rglob("*")):
        one.chmod(0o777 if one.is_dir() else 0o666)
    for one in closed:
        one.chmod(0o555 if one == folder else 0)
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was == 0:
            os.seteuid(was)
        for one in closed:
            one.chmod(0o700)


def _closing(*names: str) -> Setup:
    return lambda folder: _as_nobody(folder, *(folder / name for name in names))


@contextmanager
def _closed_lock(folder: Path) -> Iterator[None]:
    """Leave the lock file of a daemon that another user ran."""
    (folder / "feedback.db-lock").touch()
    with _as_nobody(folder, folder / "feedback.db-lock"):
        yield


@contextmanager
def _readable_ledger(folder: Path) -> Iterator[None]:
    """Let everybody read the ledger and nobody write it."""
    with _as_nobody(folder, folder / "feedback.db"):
        was = os.geteuid()
        if os.getuid() == 0:
            os.seteuid(0)
        (folder / "feedback.db").chmod(0o444)
        os.seteuid(was)
        yield


@contextmanager
def _closed_log(folder: Path) -> Iterator[None]:
    """Leave what another user's process has committed and not folded back."""
    (folder / "feedback.db-wal").touch()
    with _as_nobody(folder, folder / "feedback.db-wal"):
        yield


SETUPS: dict[str, Setup] = {
    "closed_folder": _closing(""),
    "closed_subfolder": _closing("sub"),
    "closed_config": _closing("config.toml"),
    "closed_password": _closing("password"),
    "closed_template": _closing("templates/thanks.txt"),
    "closed_input": _closing("r.csv"),
    "closed_ledger": _closing("feedback.db"),
    "closed_lock": _closed_lock,
    "closed_log": _closed_log,
    "readable_ledger": _readable_ledger,
}
