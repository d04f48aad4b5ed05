"""A ledger of the program with ratings that wait: where several sides begin."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.workload import CUSTOMERS, customer, ratings
from feedback_app.intake.identity import content_hash
from feedback_app.intake.records import Incoming
from feedback_app.store import customers as table
from feedback_app.store import ratings as inbox
from feedback_app.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from feedback_app.store.store import Store

_CHUNK = 5_000
CONFIG = """
[plugins]
disabled = ["email_notifier", "sms_notifier"]
"""
COUNTER = '''"""Counts what it is given."""

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


def prepare(folder: Path, count: int) -> None:
    """Make config.toml, a plugin that counts, and feedback.db with `count` ratings of 10,000 customers."""
    write_business(folder)
    asyncio.run(fill(SqliteStore(folder / "feedback.db"), count))


def write_business(folder: Path) -> None:
    """Make config.toml and a plugin that counts."""
    (folder / "config.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "plugins").mkdir(mode=0o755)
    (folder / "plugins" / "counter.py").write_text(COUNTER, encoding="utf-8")


async def fill(ledger: Store, count: int) -> None:
    """Store customers and ratings, as received."""
    async with ledger as store:
        await store.write(
            partial(table.put, customers=[customer(number) for number in range(CUSTOMERS)], now=1)
        )
        await take_in(store, count)


async def take_in(store: Store, count: int) -> None:
    """Store ratings as received."""
    chunk = []
    for number, one in enumerate(ratings(count), 1):
        chunk.append(Incoming(one, None, content_hash(one), number, ()))
        if len(chunk) == _CHUNK or number == count:
            await store.write(partial(inbox.take_in, arrivals=chunk, now=1))
            chunk = []
