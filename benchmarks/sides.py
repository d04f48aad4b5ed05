"""What is measured, each as a program of its own: `python -m benchmarks.sides NAME FOLDER` prints {seconds, …}.

`import` and `drain` are the program's own commands, run whole. `plain-import` is the csv module and executemany with
the same columns, unique key and durability; `plain-drain` reads, decides, renders and writes in batches in one
thread with the sqlite3 module: about what this machine can do.
"""

from __future__ import annotations

import csv
import json
import resource
import sqlite3
import sys
import time
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

import feedback_app
from feedback_app.cli import run_command_line

_BATCH = 500

CONFIG = """
[plugins]
disabled = ["email_notifier", "sms_notifier"]
"""
NOTIFIER = '''"""Counts what it is given."""

from feedback_app import Message, Notifier, Receipt, hookimpl


class Counter(Notifier):
    channel = "count"
    on_unknown = "resend"
    sent = 0

    async def send(self, message: Message) -> Receipt:
        self.sent += 1
        return Receipt()


@hookimpl
def make_notifier(settings):
    return Counter()
'''


def _import(folder: Path) -> None:
    _command(folder, "feedback", "import", str(folder / "ratings.csv"))


def _drain(folder: Path) -> None:
    _command(folder, "run", "--drain")


def _command(folder: Path, *arguments: str) -> None:
    code = run_command_line(["--config", str(folder / "config.toml"), *arguments])
    if code:
        raise SystemExit(f"{' '.join(arguments)} ended with {code}")


def _plain_import(folder: Path) -> None:
    ledger = _plain_ledger(folder)
    with (folder / "ratings.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        while batch := [row for _, row in zip(range(_BATCH), rows, strict=False)]:
            ledger.execute("BEGIN IMMEDIATE")
            ledger.executemany(
                "INSERT OR IGNORE INTO feedback (id, customer, item, rating, comment) VALUES (?, ?, ?, ?, ?)",
                batch,
            )
            ledger.execute("COMMIT")


def _plain_ledger(folder: Path) -> sqlite3.Connection:
    ledger = sqlite3.connect(folder / "plain.db", isolation_level=None)
    ledger.executescript(
        """
        PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        CREATE TABLE IF NOT EXISTS feedback (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, customer TEXT,
            item TEXT, rating REAL, comment TEXT, state TEXT DEFAULT 'received');
        CREATE INDEX IF NOT EXISTS pending ON feedback (number) WHERE state = 'received';
        CREATE TABLE IF NOT EXISTS customer (id TEXT PRIMARY KEY, name TEXT, email TEXT);
        CREATE TABLE IF NOT EXISTS low_rating (feedback INTEGER UNIQUE, state TEXT);
        CREATE TABLE IF NOT EXISTS message (number INTEGER PRIMARY KEY, key TEXT UNIQUE, recipient TEXT, subject TEXT,
            text TEXT, state TEXT);
        """
    )
    return ledger


def _plain_drain(folder: Path) -> None:
    ledger = _plain_ledger(folder)
    templates = Environment(loader=FileSystemLoader(Path(feedback_app.__file__).parent / "templates"))
    subject, text = templates.get_template("thanks.subject.txt"), templates.get_template("thanks.txt")
    while True:
        batch = ledger.execute(
            "SELECT f.number, f.rating, f.item, f.comment, c.name, c.email FROM feedback f"
            " LEFT JOIN customer c ON c.id = f.customer WHERE f.state = 'received' ORDER BY f.number LIMIT ?",
            (_BATCH,),
        ).fetchall()
        if not batch:
            return
        low, messages = [], []
        for number, rating, item, comment, name, email in batch:
            if rating < 3:
                low.append((number,))
                continue
            values = {
                "name": name, "item": item, "rating": f"{rating:g}", "comment": comment, "highest": 5,
                "business": "Our team",
            }  # fmt: skip
            messages.append((f"thanks:{number}", email, subject.render(values), text.render(values)))
        ledger.execute("BEGIN IMMEDIATE")
        ledger.executemany("INSERT INTO low_rating VALUES (?, 'open')", low)
        ledger.executemany(
            "INSERT INTO message (key, recipient, subject, text, state) VALUES (?, ?, ?, ?, 'sent')", messages
        )
        ledger.executemany(
            "UPDATE feedback SET state = 'processed' WHERE number = ?", [(row[0],) for row in batch]
        )
        ledger.execute("COMMIT")


def prepare(folder: Path, side: str) -> None:
    """Bring a folder with ratings.csv and customers.csv into the state in which `side` begins. Not measured."""
    (folder / "config.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "plugins").mkdir(mode=0o755)
    (folder / "plugins" / "counter.py").write_text(NOTIFIER, encoding="utf-8")
    if side == "drain":
        _command(folder, "customers", "import", str(folder / "customers.csv"))
        _import(folder)
    elif side == "plain-drain":
        _plain_import(folder)
        with (folder / "customers.csv").open(newline="", encoding="utf-8") as file:
            rows = [row[:3] for row in csv.reader(file)][1:]
        _plain_ledger(folder).executemany("INSERT INTO customer VALUES (?, ?, ?)", rows)


SIDES = {"import": _import, "drain": _drain, "plain-import": _plain_import, "plain-drain": _plain_drain}


def main() -> None:
    """Measure one side; the figures go to the last line of stdout."""
    side, folder = sys.argv[1], Path(sys.argv[2])
    if sys.argv[3:] == ["prepare"]:
        prepare(folder, side)
        return
    begun = time.perf_counter()
    SIDES[side](folder)
    seconds = time.perf_counter() - begun
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
