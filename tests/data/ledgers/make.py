"""Makes the ledger of an old program, with something in every state: `make.py PROGRAM NAME [POSTGRESQL_URL PG_DUMP]`.

PROGRAM is the `feedback-app` of the last commit that had a schema, NAME the schema's number. Beside this file it leaves
NAME.sql, the ledger's dump, and NAME.json, what that program itself said of it. How they were made:

    git worktree add --detach /tmp/old COMMIT
    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -e /tmp/old
    /tmp/venv/bin/python tests/data/ledgers/make.py /tmp/venv/bin/feedback-app NAME

with COMMIT 73305cd for 0001, 3840480 for 0002, 7be8ab7 for 0003. The first one knew SQLite only.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent

CONFIG = """
[pipeline]
default_channels = ["chat"]

[delivery]
max_attempts = 2
backoff_initial = "29d"
backoff_maximum = "30d"

[reports.daily]
channel = "chat"
to = ["team"]

[plugins]
disabled = ["email_notifier", "sms_notifier"]
"""
LIMITS = """
[limits.chat]
per_second = 1000
per_day = 100000
"""
PLUGIN = """
import os
import signal

from feedback_app import *


class Chat(Notifier):
    channel = "chat"
    on_unknown = "hold"

    def address(self, customer):
        if customer.id == "killer":
            os.kill(os.getpid(), signal.SIGKILL)
        return customer.id

    async def send(self, message):
        to = message.recipient
        if to.startswith("later"):
            raise TemporaryFailure("come back later")
        if to == "never":
            raise PermanentFailure("nobody lives here", **BAD)
        if to == "unknown":
            raise OutcomeUnknown("who knows")
        if to == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        return Receipt(provider_id="p-" + message.id[:8], detail="taken")


BAD = {"bad_address": True} if "bad_address" in PermanentFailure.__init__.__code__.co_varnames else {}


class Tags(Analyser):
    name = "tags"

    async def analyse(self, feedback):
        return {"of": feedback.comment.split()[:3], "long": len(feedback.comment) > 20}


@hookimpl
def make_notifier(settings):
    return Chat()


@hookimpl
def make_analyser(settings):
    return Tags()
"""
SOURCE = """
import asyncio
from feedback_app import *


class Feed(Source):
    name = "feed"

    async def open(self, position):
        self.position = position

    async def receive(self, limit):
        if self.position is not None:
            await asyncio.sleep(3600)
        self.position = "2"
        good = b'{"id": "f1", "customer": "ada", "item": "tea", "rating": 4, "comment": "from the feed"}'
        bad = b"no rating at all"
        return Batch(received=[Received(payload=good, id="1"), Received(payload=bad, id="2")], position="2")

    async def acknowledge(self, *rest):
        pass


@hookimpl
def make_source(settings):
    return Feed()
"""
CUSTOMERS = ("ada", "bob", "later1", "later2", "never", "unknown", "crash")
RATINGS = (
    ("ada", "tea", 5, "lovely tea indeed"), ("bob", "tea", 4, ""), ("ada", "mug", 1, "broken on arrival, sadly"),
    ("bob", "mug", 2, "late"), ("ada", "käse", 1, "späte Lieferung"), ("later1", "tea", 5, "fine"),
    ("later2", "tea", 5, "fine too"), ("never", "hat", 4, ""), ("unknown", "hat", 3, "so so"), (None, None, 5, "anon"),
    ("stranger", "tea", 4, "who am I"),
)  # fmt: skip


class Old:
    """The old program in a folder of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self.env = {**os.environ, "FEEDBACK_APP_CONFIG": str(folder / "config.toml")}

    def __call__(self, *arguments: str, code: int | None = 0) -> str:
        """Run a command and return what it printed."""
        done = subprocess.run(
            [self._program, *arguments],
            cwd=self._folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if code is not None and done.returncode != code:
            sys.exit(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def rate(self, number: int, customer: str | None, item: str | None, rating: float, comment: str) -> None:
        """Add a rating."""
        options = ["--id", f"r{number}", "--rating", str(rating), "--comment", comment]
        options += ["--customer", customer] if customer else []
        self("feedback", "add", *options, *(["--item", item] if item else []))


def fill(old: Old, folder: Path, *, has_sources: bool) -> None:
    """Bring the ledger into every state."""
    for name in CUSTOMERS:
        old(
            "customers",
            "add",
            "--id",
            name,
            "--name",
            name.title(),
            "--locale",
            "de-AT",
            "--preferred-channel",
            "chat",
        )
    for number, one in enumerate(RATINGS):
        old.rate(number, *one)
    old("run", "--drain", code=None)
    cases = [one["id"] for one in json.loads(old("low-ratings", "list", "--json"))]
    old("low-ratings", "acknowledge", str(cases[0]))
    old("low-ratings", "note", str(cases[0]), "rang them up", code=None)
    old("low-ratings", "resolve", str(cases[1]))
    waiting = [one for one in json.loads(old("messages", "list", "--json")) if one["state"] == "queued"]
    old("customers", "opt-out", "later2")
    old(
        "messages",
        "retry",
        str(next(one["id"] for one in waiting if one["recipient"] == "later2")),
        code=None,
    )
    old("run", "--drain", code=None)
    old("report", "send", "daily", code=None)
    if has_sources:
        (folder / "plugins" / "feed.py").write_text(SOURCE)
        old("run", "--drain", code=None)
        (folder / "plugins" / "feed.py").unlink()
    old("customers", "add", "--id", "killer")
    old.rate(50, "killer", "tea", 5, "deadly")
    for _ in range(8):  # a rating that ends the program is dead in the end
        old("run", "--drain", code=None)
    old.rate(51, "crash", "tea", 5, "ends the program while it is sent")
    old("run", "--drain", code=None)
    old.rate(52, "bob", "tea", 3, "not processed yet")


def said(old: Old) -> dict[str, object]:
    """Return what the old program says of its ledger."""
    today = datetime.now(UTC).date().isoformat()
    status = json.loads(old("status", "--json"))
    return {
        "date": today,
        "status": {name: status[name] for name in ("feedback", "low_ratings", "messages")},
        "report": json.loads(old("report", "build", "daily", "--date", today, "--format", "json")),
        "reports": json.loads(old("report", "list", "--json")),
        "messages": json.loads(old("messages", "list", "--json")),
        "low_ratings": json.loads(old("low-ratings", "list", "--json")),
        "customers": json.loads(old("customers", "list", "--json")),
    }


def main(program: str, name: str, url: str | None = None, pg_dump: str | None = None) -> None:
    """Make one."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "plugins").mkdir()
        (folder / "plugins" / "chat.py").write_text(PLUGIN)
        store = f'[store]\nurl = "{url}"\n' if url else ""
        (folder / "config.toml").write_text(store + CONFIG + ("" if name.startswith("0001") else LIMITS))
        old = Old(program, folder)
        if url:
            old("db", "upgrade")
        fill(old, folder, has_sources=not name.startswith("0001"))
        (HERE / f"{name}.json").write_text(json.dumps(said(old), ensure_ascii=False, indent=1) + "\n")
        if url and pg_dump:
            plain = url.replace("+psycopg", "")
            command = [pg_dump, "--inserts", "--no-owner", "--no-privileges", "--restrict-key=fixture", plain]
            dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        else:
            with closing(sqlite3.connect(folder / "feedback.db")) as ledger:
                pragma = f"PRAGMA application_id = {ledger.execute('PRAGMA application_id').fetchone()[0]};"
                dump = "\n".join([pragma, *ledger.iterdump()]) + "\n"
        (HERE / f"{name}.sql").write_text(dump.replace(f"'{socket.gethostname()}'", "'host'"))


if __name__ == "__main__":
    main(*sys.argv[1:])
