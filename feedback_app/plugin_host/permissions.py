"""Whoever can write a plugin folder runs code as the daemon: like sshd and logrotate, look before loading."""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether a plugin folder may be loaded from."""

    refusal: str | None = None  # why not
    warnings: tuple[str, ...] = ()


def judge(folder: Path, files: Iterable[Path]) -> Verdict:
    """Refuse what everybody can write, warn about what a group can write or somebody else owns.

    The sticky bit excuses a parent such as /tmp, where only the owner can replace an entry. It does not
    excuse the folder itself, where anybody could still add a file.
    """
    folder = folder.absolute()
    files = [*files, *folder.glob("__pycache__"), *folder.glob("__pycache__/*.pyc")]
    inside = {folder, *files} | {file.resolve() for file in files}
    parents = {parent for path in inside for parent in path.parents} - inside
    modes = {path: mode for path in sorted(inside | parents) if (mode := _mode(path)) is not None}
    loose = [path for path, mode in modes.items() if path in inside or not mode & stat.S_ISVTX]
    for path in loose:
        if modes[path] & stat.S_IWOTH:
            return Verdict(
                refusal=f"{path} is world-writable, so that anybody on this machine could run code here; "
                f"run: chmod o-w {shlex.quote(str(path))}"
            )
    by_group = [path for path in loose if modes[path] & stat.S_IWGRP]
    return Verdict(
        warnings=(
            *_group_writable(by_group),
            *_owned_by_others(inside & modes.keys()),
            *_below_others(parents & modes.keys()),
        )
    )


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except OSError:  # gone, or a link to nowhere: loading it will say so
        return None


def _group_writable(paths: list[Path]) -> tuple[str, ...]:
    if not paths:
        return ()
    names = shlex.join(str(path) for path in paths)
    return (
        f"{_first(paths)} is group-writable, so that its group can run code here; run: chmod g-w {names}",
    )


def _owned_by_others(paths: set[Path]) -> tuple[str, ...]:
    foreign = _foreign(paths)
    if not foreign:
        return ()
    chown = f"chown {os.geteuid()} {shlex.join(str(path) for path in foreign)}"
    return (f"{_first(foreign)} belongs to {_owner(foreign[0])}, who can so run code here; run: {chown}",)


def _below_others(parents: set[Path]) -> tuple[str, ...]:
    foreign = _foreign(parents)
    if not foreign:
        return ()
    danger = "who can so put another folder in the place of the plugins"
    return (
        f"{_first(foreign)} belongs to {_owner(foreign[0])}, {danger}; move them below folders of this user",
    )


def _foreign(paths: set[Path]) -> list[Path]:
    """Return those that belong neither to root nor to this user."""
    trusted = {0, os.geteuid()}
    return sorted(path for path in paths if path.stat().st_uid not in trusted)


def _owner(path: Path) -> str:
    return f"user {path.stat().st_uid}"


def _first(paths: list[Path]) -> str:
    return f"{paths[0]} (and {len(paths) - 1} more)" if paths[1:] else str(paths[0])
