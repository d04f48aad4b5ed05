"""What programs did to their files, as strace saw it, and what a disk may hold of that when the power goes.

What was synced before the cut is there; of the rest, each write is there or not by the toss of a coin, as a disk's
cache may have it. Several processes are recorded as one: what one does after it heard of another comes later.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

_CALLS = "pwrite64,write,fdatasync,fsync,ftruncate,unlink"
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)", re.DOTALL)
_BEGUN = re.compile(r"^(\d+) +(\w+)\((.*?) *<unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FILE = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})+)>")
_SYNCS = ("fdatasync", "fsync")


class Event(NamedTuple):
    """One thing that reached the kernel."""

    kind: Literal["write", "append", "truncate", "syncing", "sync", "remove"]  # `syncing`: a sync has begun
    name: str  # of the file, in the programs' folder
    offset: int = 0
    data: bytes = b""
    thread: str = ""  # that syncs


def record(folder: Path, command: Sequence[str], trace: Path) -> list[Event]:
    """Run a command with all that it starts under strace; return what was done to the files in `folder`."""
    strace = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-y",
        "-xx",
        "-s",
        "10000000",
        "-e",
        f"trace={_CALLS}",
        "-o",
        str(trace),
    ]
    ran = subprocess.run([*strace, *command], check=False, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"the recorded program ended with {ran.returncode}: {ran.stderr[-2000:]}")
    # What else is beside a ledger (its index of the log, its lock, its bell) is made anew by whoever opens it.
    return [one for one in _events(trace, folder) if not one.name.endswith(("-shm", "-lock", "-bell"))]


def _events(trace: Path, folder: Path) -> Iterator[Event]:
    for thread, call, arguments, result in calls(trace):
        strings = [_bytes(found) for found in _STRING.findall(arguments)]
        if call == "unlink":
            path = Path(strings[0].decode()) if strings else Path()
        else:
            found = _FILE.match(arguments)
            path = Path(_bytes(found[1]).decode()) if found else Path()
        if path.parent != folder or (result is not None and result < 0):
            continue
        if call in _SYNCS:
            yield Event("syncing" if result is None else "sync", path.name, thread=thread)
        elif result is None:
            continue  # what has only begun is not there
        elif call == "unlink":
            yield Event("remove", path.name)
        elif call == "ftruncate":
            yield Event("truncate", path.name, int(arguments.rsplit(",", 1)[1]))
        elif call == "write":  # of this, only logs are written
            yield Event("append", path.name, data=strings[0][:result])
        else:
            yield Event("write", path.name, int(arguments.rsplit(",", 1)[1]), strings[0][:result])


def _bytes(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


def calls(trace: Path) -> Iterator[tuple[str, str, str, int | None]]:
    """Yield (thread, call, arguments, result) of each call twice: with None when it begins, and when it ends."""
    begun: dict[
        str, str
    ] = {}  # arguments, of calls that strace splits because something else happens meanwhile
    with trace.open(encoding="ascii") as lines:
        for line in lines:
            text = line.rstrip("\n")
            if found := _BEGUN.match(text):
                thread, call, arguments = found.groups()
                begun[thread] = arguments
                yield thread, call, arguments, None
                continue
            resumed = _RESUMED.match(text)
            if resumed:
                thread, call, rest = resumed.groups()
                text = f"{thread} {call}({begun.pop(thread)}{rest}"
            if found := _LINE.match(text):
                thread, call, arguments, result = found.groups()
                if not resumed:
                    yield thread, call, arguments, None
                yield thread, call, arguments, int(result)


class Disk:
    """What is surely on the disk, and what may be."""

    def __init__(self, before: dict[str, bytes]) -> None:
        self._safe = {name: bytearray(content) for name, content in before.items()}
        self._unsure: dict[str, list[Event]] = {}
        self._synced: Counter[str] = (
            Counter()
        )  # writes of each file that are safe, all removed ones among them
        self._promised: dict[tuple[str, str], int] = {}  # writes that were made when a sync began

    def take(self, event: Event) -> None:
        """Let the next thing happen."""
        name, unsure = event.name, self._unsure.setdefault(event.name, [])
        if event.kind == "remove":
            self._safe.pop(name, None)
            self._synced[name] += len(unsure)
            unsure.clear()
        elif event.kind == "syncing":
            self._promised[name, event.thread] = self._synced[name] + len(unsure)
        elif event.kind == "sync":
            # What was written while it went on is not promised.
            sure = max(0, self._promised.pop((name, event.thread)) - self._synced[name])
            for earlier in unsure[:sure]:
                _apply(self._safe.setdefault(name, bytearray()), earlier)
            del unsure[:sure]
            self._synced[name] += sure
        else:
            unsure.append(event)

    def after_a_cut(self, chance: random.Random) -> dict[str, bytes]:
        """Return the files as they may be found."""
        found = {name: bytearray(content) for name, content in self._safe.items()}
        for name, events in self._unsure.items():
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
