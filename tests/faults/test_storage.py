"""Disks that fail: full ones heal by themselves, I/O errors end the program."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from feedback_app.model import Customer
from feedback_app.store import ratings
from feedback_app.store.failures import StorageFull
from feedback_app.store.store import Store
from tests.faults.needs import need_strace
from tests.making import NOW, incoming
from tests.running import add, business, rows, sent


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:  # no package mends that, so it is no failure even where everything must run
        pytest.skip("a small file system cannot be mounted: that needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_refuses_and_heals_without_losing_what_was_acknowledged(small_disk: Path) -> None:
    """Until space is made each write is refused as a whole; then the same open ledger goes on."""
    filler = small_disk / "filler"
    acknowledged: set[str] = set()
    async with Store(small_disk / "feedback.db") as store:
        room = shutil.disk_usage(small_disk).free - 300_000
        filler.write_bytes(b"x" * room)
        with pytest.raises(StorageFull, match="no space left on the disk; nothing was stored"):
            await _write_until_refused(store, acknowledged)
        assert acknowledged
        filler.unlink()
        await store.write(partial(ratings.take_in, arrivals=[incoming("later")], now=NOW))
        assert store.failed is None
    stored = {
        external_id for (external_id,) in rows(small_disk / "feedback.db", "SELECT external_id FROM feedback")
    }
    assert stored == acknowledged | {"later"}
    assert rows(small_disk / "feedback.db", "PRAGMA integrity_check") == [("ok",)]


async def _write_until_refused(store: Store, acknowledged: set[str]) -> None:
    for number in itertools.count():
        one = incoming(f"r{number}", comment="full " * 400)
        await store.write(partial(ratings.take_in, arrivals=[one], now=NOW))
        acknowledged.add(f"r{number}")


@pytest.mark.parametrize("nth", [3, 5, 8])
def test_an_io_error_ends_the_program_and_the_next_start_goes_on(tmp_path: Path, nth: int) -> None:
    """SQLite itself would let later commits succeed after a failed fsync; the daemon stops with 74."""
    need_strace()
    config = business(tmp_path, config="[delivery]\nworkers = 2\n")
    chatty = Customer(id="c1", preferred_channels=("chat",))
    asyncio.run(add(tmp_path / "feedback.db", [incoming(f"r{n}", contact=chatty) for n in range(60)], NOW))
    command = [sys.executable, "-m", "feedback_app", "--config", str(config), "run", "--drain"]
    inject = [
        "strace",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
        "-e",
        f"inject=fdatasync:error=EIO:when={nth}",
    ]
    broken = subprocess.run([*inject, *command], capture_output=True, text=True, timeout=60, check=False)
    assert broken.returncode == 74, broken.stderr
    assert "stopped, because what reached the disk is unknown" in broken.stderr
    assert "Traceback" not in broken.stderr
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 0, again.stderr
    assert len(set(sent(tmp_path))) == 60
    ledger = sqlite3.connect(tmp_path / "feedback.db")
    states = ledger.execute("SELECT state, count(*) FROM message GROUP BY state").fetchall()
    doubles = len(sent(tmp_path)) - 60
    marked = ledger.execute("SELECT count(*) FROM message WHERE maybe_sent_at IS NOT NULL").fetchone()[0]
    ledger.close()
    assert states == [("sent", 60)]
    assert doubles <= marked
