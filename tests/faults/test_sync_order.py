"""Upgrade, backup and restore and the power: a file is on the disk before it gets its name, the name before it counts.

Kills leave what the kernel has; whoever relies on a name that only the kernel knows loses it when the power goes.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.faults import restore, upgrade
from tests.faults.needs import need_strace
from tests.faults.recording import calls

_CALLS = "pwrite64,ftruncate,fdatasync,fsync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,write"
_WRITES, _SYNCS, _NAMES = ("pwrite64", "ftruncate"), ("fdatasync", "fsync"), ("link", "rename")
_FILE = re.compile(r"^\d+<([^>]*)>")
_STRING = re.compile(r'"([^"]+)"')
_SHARED = ("-shm", "-lock")  # while programs run; made anew by whoever opens the ledger

Call = tuple[str, str, int]  # its name, its arguments as strace tells them, its result


def missing(made: Iterable[Call], folder: Path) -> list[str]:
    """Return what was relied on before it was synced."""
    unsynced: set[str] = set()
    unsaid, found = "", list[str]()
    for call, arguments, result in (*made, ("write", "1<pipe:[0]>", 0)):
        on_file, strings = _FILE.match(arguments), _STRING.findall(arguments)
        name = on_file[1] if on_file else ""
        if result < 0 or name.endswith(_SHARED):
            continue
        if call.startswith(_NAMES):
            old, new = strings
            if unsaid:
                found.append(f"{unsaid}: the folder was not synced before {new}")
            if old in unsynced:
                found.append(f"{new}: named before it was synced")
            unsaid = new
        elif call.startswith("unlink"):
            unsynced.discard(strings[0])
        elif call in _WRITES:
            unsynced.add(name)
        elif call in _SYNCS:
            unsynced.discard(name)
            unsaid = "" if name == str(folder) else unsaid
        elif call == "write" and name.startswith("pipe:"):
            found += [f"{unsaid}: told before the folder was synced"] if unsaid else []
            found += [f"{one}: told before it was synced" for one in unsynced if Path(one).parent == folder]
            unsaid, unsynced = "", set()
    return found


def _old_ledger(folder: Path) -> list[str]:
    upgrade.prepare(folder, "0002")
    return ["db", "upgrade"]


def _to_back_up(folder: Path) -> list[str]:
    restore.prepare(folder)
    return ["db", "backup", str(folder / "another.db")]


def _to_restore(folder: Path) -> list[str]:
    restore.prepare(folder)
    return ["db", "restore", "--yes", str(folder / "b.db")]


@pytest.mark.parametrize("prepare", [_old_ledger, _to_back_up, _to_restore])
def test_nothing_counts_before_it_is_on_the_disk(
    tmp_path: Path, prepare: Callable[[Path], list[str]]
) -> None:
    """At least one file got its name so."""
    need_strace()
    log = tmp_path / "calls"
    folder = tmp_path / "shop"
    folder.mkdir()
    arguments = prepare(folder)
    (folder / "config.toml").touch()
    command = [sys.executable, "-m", "feedback_app", "--config", str(folder / "config.toml"), *arguments]
    strace = ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={_CALLS}"]
    ran = subprocess.run([*strace, *command], check=False, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    made = [(call, said, result) for _, call, said, result in calls(log) if result is not None]
    assert any(call.startswith(_NAMES) for call, _, _ in made)
    assert missing(made, folder) == []


def test_what_is_not_synced_is_found() -> None:
    """A file that gets its name too early, a name that counts too early, a sync that failed."""
    write, link = ("pwrite64", '4</f/.a.new>, "x", 1, 0', 1), ("link", '"/f/.a.new", "/f/a"', 0)
    told = ("write", '1<pipe:[7]>, "made", 4', 4)
    made = [
        *(write, link),
        ("rename", '"/f/.b.new", "/f/b"', 0),
        told,
        ("pwrite64", '6</f/c>, "x", 1, 0', 1),
        ("fsync", "6</f/c>", -1),
        ("link", '"/f/c", "/f/d"', 0),
    ]
    assert missing(made, Path("/f")) == [
        "/f/a: named before it was synced",
        "/f/a: the folder was not synced before /f/b",
        "/f/b: told before the folder was synced",
        "/f/.a.new: told before it was synced",
        "/f/d: named before it was synced",
        "/f/d: told before the folder was synced",
        "/f/c: told before it was synced",
    ]
    synced = [write, ("fsync", "4</f/.a.new>", 0), link, ("fsync", "5</f>", 0), told]
    assert missing(synced, Path("/f")) == []
