"""What every peer does with a rating, and the count of it that the measuring process reads.

Low: a durable row in SQLite (WAL, synchronous=FULL). Otherwise: look the customer up, render the shipped template,
give the message to a notifier that counts. The raw driver is called straight away also by asyncio peers: a hop to a
thread costs more than the work.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
import struct
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

from jinja2 import Environment, FileSystemLoader

FOLDER = "FEEDBACK_BENCH_FOLDER"  # environment of the workers: where jobs.db is
SERVER = "FEEDBACK_BENCH_SERVER"  # … and the URL of the queue's server, empty without one

# id, customer, item, rating, comment: what is enqueued; all of it survives JSON.
Rating: TypeAlias = tuple[str, str, str, int, str]

STORE = "INSERT INTO low_rating VALUES (?, ?, ?, ?, ?, ?)"
_SCHEMA = """
CREATE TABLE customer (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE low_rating (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, item TEXT NOT NULL, rating INTEGER NOT NULL,
    comment TEXT NOT NULL, stored_at REAL NOT NULL
);
"""
_BUSY = 60.0  # seconds to wait for another worker's transaction
_TALLY = struct.Struct("=qqdd")  # stored, sent, first job's begin, last job's end


def database(folder: Path) -> Path:
    """Return the path of the database that the job writes to."""
    return folder / "jobs.db"


def connect(folder: Path) -> sqlite3.Connection:
    """Open it as every peer does: each statement outside BEGIN is a transaction of its own."""
    base = sqlite3.connect(database(folder), timeout=_BUSY, isolation_level=None)
    base.execute("PRAGMA synchronous = FULL")
    return base


def create(folder: Path, customers: list[tuple[str, str, str]]) -> None:
    """Make the database with its customers: id, name, e-mail address."""
    base = sqlite3.connect(database(folder))
    base.execute("PRAGMA journal_mode = WAL")
    base.executescript(_SCHEMA)
    with base:
        base.executemany("INSERT INTO customer VALUES (?, ?, ?)", customers)
    base.close()


class Thanks:
    """The thank-you message from the shipped template."""

    def __init__(self) -> None:
        # Found without importing the program, whose memory and start-up are no peer's.
        package = find_spec("feedback_app")
        assert package is not None
        assert package.submodule_search_locations
        shipped = Path(package.submodule_search_locations[0], "templates")
        templates = Environment(loader=FileSystemLoader(shipped), trim_blocks=True, lstrip_blocks=True)
        self._subject = templates.get_template("thanks.subject.txt")
        self._text = templates.get_template("thanks.txt")

    def write(self, name: str, rating: Rating) -> tuple[str, str]:
        """Return subject and text."""
        _, _, item, stars, comment = rating
        values = {
            "name": name, "item": item, "rating": str(stars), "comment": comment, "lowest": "1",
            "highest": "5", "business": "Our team",
        }  # fmt: skip
        return self._subject.render(values), self._text.render(values)


class Counter:
    """A notifier that counts, and counts what was stored as well, in a file that another process can read."""

    def __init__(self, folder: Path) -> None:
        path = folder / f"{os.getpid()}.tally"
        unready = path.with_suffix(".new")  # or it would be read while it is still empty
        unready.write_bytes(bytes(_TALLY.size))
        with unready.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _TALLY.size)
        unready.rename(path)
        self._lock = threading.Lock()
        self._stored = self._sent = 0
        self._begun: float | None = None

    def begin(self) -> None:
        """Note when the first job began."""
        if self._begun is None:
            self._begun = time.monotonic()

    def stored(self) -> None:
        """Count a low rating."""
        with self._lock:
            self._stored += 1
            self._note()

    def send(self, _address: str, _subject: str, _text: str) -> None:
        """Send nowhere."""
        with self._lock:
            self._sent += 1
            self._note()

    def _note(self) -> None:
        _TALLY.pack_into(self._shared, 0, self._stored, self._sent, self._begun or 0.0, time.monotonic())


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What all worker processes have done so far."""

    stored: int
    sent: int
    seconds: float  # from the first job's begin to the last job's end

    @property
    def done(self) -> int:
        """How many jobs."""
        return self.stored + self.sent


def totals(folder: Path) -> Totals:
    """Add up the counters of all processes."""
    found = [_TALLY.unpack(path.read_bytes()) for path in folder.glob("*.tally")]
    used = [one for one in found if one[0] + one[1]]
    if not used:
        return Totals(stored=0, sent=0, seconds=0.0)
    return Totals(
        stored=sum(one[0] for one in used),
        sent=sum(one[1] for one in used),
        seconds=max(one[3] for one in used) - min(one[2] for one in used),
    )


class Job:
    """The job of one process, whatever the number of its threads: each has a connection of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thanks = Thanks()
        self._counter = Counter(folder)
        self._own = threading.local()

    def do(self, rating: Rating) -> None:
        """Do it with one rating."""
        self._counter.begin()
        if rating[3] < 3:
            self._base.execute(STORE, (*rating, time.time()))
            self._counter.stored()
            return
        name, address = self._base.execute(
            "SELECT name, email FROM customer WHERE id = ?", (rating[1],)
        ).fetchone()
        self._counter.send(address, *self._thanks.write(name, rating))

    @property
    def _base(self) -> sqlite3.Connection:
        base: sqlite3.Connection | None = getattr(self._own, "base", None)
        if base is None:
            base = self._own.base = connect(self._folder)
        return base


_making = threading.Lock()
_jobs: dict[int, Job] = {}  # by process: a forked worker must not use its parent's


def do(number: str, customer: str, item: str, stars: int, comment: str) -> None:
    """Do the job in a worker process, which finds the folder in its environment."""
    process = os.getpid()
    if process not in _jobs:
        with _making:
            if process not in _jobs:
                _jobs[process] = Job(Path(os.environ[FOLDER]))
    _jobs[process].do((number, customer, item, stars, comment))
