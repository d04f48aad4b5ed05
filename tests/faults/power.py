"""Power cuts: records every write and sync of the program, then rebuilds the files as of any moment.

What was synced before the cut is there; of the rest, each write is there or not by the toss of a coin, as a disk's
cache may have it. The rebuilt ledger is opened and compared with what had been acknowledged by then. The test of the
test is a part of it: the same program is recorded with `synchronous = NORMAL`, too, and its cuts must show losses.

`python -m tests.faults.power LEDGER LOG COUNT MODE` is the program that is recorded.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from feedback_app.store import ratings
from feedback_app.store.sqlite import engines, file, writer
from feedback_app.store.sqlite.store import SqliteStore
from tests.faults.feeder import arrival

RECORDED = 150  # ratings, a commit each
_NORMAL_CUTS = 300  # of the recording that must show losses
_CALLS = "openat,pwrite64,write,fdatasync,fsync,ftruncate,unlink,rename,close"
_LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)", re.DOTALL)
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Event(NamedTuple):
    """One thing that reached the kernel."""

    kind: str  # write, truncate, sync, remove
    name: str  # of the file, in the program's folder
    offset: int = 0
    data: bytes = b""


@dataclass(kw_only=True)
class Figures:
    """What the cuts found."""

    cuts: int = 0
    acknowledged: int = 0  # summed over the cuts
    lost: int = 0
    corrupt: int = 0
    lost_with_normal: int = 0  # ratings; without any the cuts would show nothing
    broken: list[str] = field(default_factory=list)


async def program(ledger: Path, log: Path, count: int) -> None:
    """Store `count` ratings, a commit each; each is noted in the log when it was acknowledged."""
    chance = random.Random(1)
    with log.open("ab", buffering=0) as acknowledged:
        async with SqliteStore(ledger) as store:
            for number in range(count):
                one = arrival(f"s{number:06d}", chance)
                await store.write(partial(ratings.take_in, arrivals=[one], now=number))
                acknowledged.write(f"{one.feedback.id}\n".encode())


def record(folder: Path, mode: str) -> list[Event]:
    """Run the program under strace in `folder`, on a ledger that exists, and return what it did to its files."""
    file.create(folder / "feedback.db")
    shutil.copy(folder / "feedback.db", folder / "before.db")
    trace = folder / "trace"
    command = [sys.executable, "-m", "tests.faults.power", str(folder / "feedback.db"), str(folder / "log"),
               str(RECORDED), mode]  # fmt: skip
    strace = ["strace", "-f", "-xx", "-s", "10000000", "-e", f"trace={_CALLS}", "-o", str(trace)]
    subprocess.run([*strace, *command], check=True, capture_output=True)
    return list(_events(trace, folder))


def _events(trace: Path, folder: Path) -> Iterator[Event]:
    names: dict[int, str] = {}
    ends: dict[int, int] = {}
    for call, arguments, result in _calls(trace):
        strings = [bytes.fromhex(found.replace("\\x", "")) for found in _STRING.findall(arguments)]
        first = arguments.split(",")[0]
        if call == "openat" and result >= 0:
            path = Path(strings[0].decode())
            names.pop(result, None)
            if path.parent == folder and not path.name.endswith("-shm"):
                names[result] = path.name
                ends[result] = 0
        elif call == "unlink" and result == 0 and Path(strings[0].decode()).parent == folder:
            yield Event("remove", Path(strings[0].decode()).name)
        elif not first.isdigit() or int(first) not in names or result < 0:
            continue
        elif call == "pwrite64":
            yield Event("write", names[int(first)], int(arguments.rsplit(",", 1)[1]), strings[0][:result])
        elif call == "write":
            yield Event("write", names[int(first)], ends[int(first)], strings[0][:result])
            ends[int(first)] += result
        elif call in ("fdatasync", "fsync"):
            yield Event("sync", names[int(first)])
        elif call == "ftruncate":
            yield Event("truncate", names[int(first)], int(arguments.rsplit(",", 1)[1]))
        elif call == "close":
            names.pop(int(first))


def _calls(trace: Path) -> Iterator[tuple[str, str, int]]:
    """Yield (call, arguments, result) in the order of their ends; strace splits what threads interrupt."""
    begun: dict[str, str] = {}
    with trace.open(encoding="ascii") as lines:
        for line in lines:
            text = line.rstrip("\n")
            if text.endswith("<unfinished ...>"):
                begun[text.split(" ", 1)[0]] = text.removesuffix("<unfinished ...>").rstrip()
                continue
            if resumed := _RESUMED.match(text):
                text = begun.pop(resumed.group(1)) + resumed.group(3)
            if found := _LINE.match(text):
                yield found.group(1), found.group(2), int(found.group(3))


class _Disk:
    """What is surely on the disk, and what may be."""

    def __init__(self, before: bytes) -> None:
        self.safe: dict[str, bytearray] = {"feedback.db": bytearray(before)}
        self.unsure: dict[str, list[Event]] = {}

    def take(self, event: Event) -> None:
        if event.kind == "remove":
            self.safe.pop(event.name, None)
            self.unsure.pop(event.name, None)
        elif event.kind == "sync":
            for earlier in self.unsure.pop(event.name, []):
                _apply(self.safe.setdefault(event.name, bytearray()), earlier)
        else:
            self.unsure.setdefault(event.name, []).append(event)

    def after_a_cut(self, chance: random.Random) -> dict[str, bytes]:
        """Return the files as they may be found."""
        found = {name: bytearray(content) for name, content in self.safe.items()}
        for name, events in self.unsure.items():
            for event in events:
                if chance.random() < 0.5:
                    _apply(found.setdefault(name, bytearray()), event)
        return {name: bytes(content) for name, content in found.items()}


def _apply(content: bytearray, event: Event) -> None:
    if event.kind == "truncate":
        del content[event.offset :]
        content.extend(b"\0" * (event.offset - len(content)))
        return
    if len(content) < event.offset:
        content.extend(b"\0" * (event.offset - len(content)))
    content[event.offset : event.offset + len(event.data)] = event.data


def run(first_seed: int, cuts: int) -> Figures:
    """Cut `cuts` times; then see that cuts of a program that syncs less are found to lose something."""
    figures = cut(first_seed, cuts)
    figures.lost_with_normal = cut(first_seed, _NORMAL_CUTS, "NORMAL").lost
    if not figures.lost_with_normal:
        figures.broken.append(
            "power: no loss was found with synchronous = NORMAL, so these cuts show nothing"
        )
    return figures


def cut(first_seed: int, cuts: int, mode: str = "FULL") -> Figures:
    """Record once, then cut `cuts` times at random moments."""
    chance = random.Random(first_seed)
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="feedback-power-") as name:
        folder = Path(name)
        events = record(folder, mode)
        moments = sorted(chance.randrange(len(events) + 1) for _ in range(cuts))
        disk = _Disk((folder / "before.db").read_bytes())
        acknowledged = b""
        done = 0
        for moment in moments:
            for event in events[done:moment]:
                if event.name == "log":
                    acknowledged += event.data
                else:
                    disk.take(event)
            done = max(done, moment)
            look(folder / "after", disk.after_a_cut(chance), set(acknowledged.decode().split()), figures)
    return figures


def look(folder: Path, files: dict[str, bytes], acknowledged: set[str], figures: Figures) -> None:
    """Open the files as they were found after a cut, in a new `folder`, and note what is wrong with them."""
    folder.mkdir()
    for name in ("feedback.db", "feedback.db-wal"):
        if name in files:
            (folder / name).write_bytes(files[name])
    figures.cuts += 1
    figures.acknowledged += len(acknowledged)
    try:
        ledger = sqlite3.connect(folder / "feedback.db")
        sound = ledger.execute("PRAGMA integrity_check").fetchone()[0]
        stored = {row[0] for row in ledger.execute("SELECT external_id FROM feedback")}
        ledger.close()
    except sqlite3.Error as error:
        figures.corrupt += 1
        figures.broken.append(f"power: {error}")
    else:
        if sound != "ok":
            figures.corrupt += 1
            figures.broken.append(f"power: integrity_check: {sound}")
        if lost := acknowledged - stored:
            figures.lost += len(lost)
            figures.broken.append(f"power: lost {sorted(lost)[:3]}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    writer._CHECKPOINT_BYTES = 200_000  # several times within the recording
    if sys.argv[4] == "NORMAL":
        engines._WRITER = ("PRAGMA synchronous = NORMAL",)
    asyncio.run(program(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
