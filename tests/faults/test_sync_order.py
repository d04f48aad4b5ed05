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

_CALLS = "pwrite64,ftruncate,fdatasync,fsync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,write"
_WRITES, _SYNCS = ("pwrite64", "ftruncate"), ("fdatasync", "fsync")
_ON_FILE = re.compile(r"^\d+ +(\w+)\(\d+<([^>]*)>.* = (-?\d+)")
_REMOVED = re.compile(r'^\d+ +unlink\w*\(.*?"([^"]+)"')
_END = '0 write(1<pipe:[0]>, "", 0) = 0'
_NAMED = re.compile(r'^\d+ +(link|rename)\w*\(.*?"([^"]+)".*?"([^"]+)".* = 0$')


def missing(lines: Iterable[str], folder: Path) -> list[str]:
    """Return what was relied on before it was synced, of calls as strace tells them."""
    unsynced: set[str] = set()
    unsaid, found = "", list[str]()
    for line in (*lines, _END):
        assert "unfinished" not in line, line
        if named := _NAMED.match(line):
            _, old, new = named.groups()
            if unsaid:
                found.append(f"{unsaid}: the folder was not synced before {new}")
            if old in unsynced:
                found.append(f"{new}: named before it was synced")
            unsaid = new
        elif removed := _REMOVED.match(line):
            unsynced.discard(removed[1])
        elif on_file := _ON_FILE.match(line):
            call, name, result = on_file.groups()
            if call in _WRITES:
                unsynced.add(name)
            elif call in _SYNCS and result == "0":
                unsynced.discard(name)
                unsaid = "" if name == str(folder) else unsaid
            elif call == "write" and "pipe:" in name:
                found += [f"{unsaid}: told before the folder was synced"] if unsaid else []
                found += [
                    f"{one}: told before it was synced" for one in unsynced if Path(one).parent == folder
                ]
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
    # What is shared while programs run is made anew by whoever opens the ledger.
    lines = [line for line in log.read_text().splitlines() if "-shm" not in line and "-lock" not in line]
    assert any(_NAMED.match(line) for line in lines)
    assert missing(lines, folder) == []


def test_what_is_not_synced_is_found() -> None:
    """A file that gets its name too early, a name that counts too early."""
    lines = [
        '1 pwrite64(4</f/.a.new>, "x", 1, 0) = 1',
        '1 link("/f/.a.new", "/f/a") = 0',
        '1 rename("/f/.b.new", "/f/b") = 0',
        '1 write(1<pipe:[7]>, "made", 4) = 4',
        '1 pwrite64(6</f/c>, "x", 1, 0) = 1',
        "1 fsync(6</f/c>) = -1 EIO (Input/output error)",
        '1 link("/f/c", "/f/d") = 0',
    ]
    assert missing(lines, Path("/f")) == [
        "/f/a: named before it was synced",
        "/f/a: the folder was not synced before /f/b",
        "/f/b: told before the folder was synced",
        "/f/.a.new: told before it was synced",
        "/f/d: named before it was synced",
        "/f/d: told before the folder was synced",
        "/f/c: told before it was synced",
    ]
    synced = [lines[0], "1 fsync(4</f/.a.new>) = 0", lines[1], "1 fsync(5</f>) = 0", lines[3]]
    assert missing(synced, Path("/f")) == []
