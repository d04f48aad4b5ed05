"""Gives ratings to a ledger from a process of its own and notes, fsynced, each one that was acknowledged.

`python -m tests.faults.feeder LEDGER LOG SEED RATE` (a file or a URL) feeds until it is killed, RATE ratings a second.
Beside the log it notes each rating that was refused because the disk is full.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from functools import partial
from pathlib import Path

from feedback_app.clock import now_ms
from feedback_app.errors import Busy, StorageFull, Unavailable
from feedback_app.intake.identity import content_hash
from feedback_app.intake.records import Incoming
from feedback_app.model import Customer, Feedback
from feedback_app.store import ratings
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.store.store import Store

_MESSAGES_BY_SMS = 0.3  # share of the customers
_WEIGHTS = (25, 25, 15, 15, 20)  # of 1 to 5 stars


def arrival(key: str, chance: random.Random, by_sms: float = _MESSAGES_BY_SMS) -> Incoming:
    """Return a rating whose customer is reached by an address of its own, which tells its messages apart."""
    stars = chance.choices((1, 2, 3, 4, 5), _WEIGHTS)[0]
    if chance.random() < by_sms:
        digits = "".join(letter for letter in key if letter.isdigit())
        whom = Customer(
            id=f"canary-{key}",
            name="Canary Bird",
            phone=f"+1202{digits:0>10}"[:15],
            preferred_channels=("sms",),
            addresses={"chat": f"canary {key}"},
        )
    else:
        whom = Customer(
            id=f"canary-{key}",
            name="Canary Bird",
            email=f"canary.{key}@example.com",
            preferred_channels=("email",),
            addresses={"chat": f"canary {key}"},
        )
    one = Feedback(
        id=key, source="feeder", rating=stars, customer=whom.id, item="canary umbrella", comment="canary " * 8
    )
    return Incoming(one, whom, content_hash(one), 0, ())


def refusals_beside(log: Path) -> Path:
    """Return where the feeder notes a byte for each rating that found the disk full."""
    return log.with_suffix(".refused")


def _store(ledger: str) -> Store:
    """Return the ledger of a file, or of a URL."""
    if ledger.startswith("postgresql"):
        from feedback_app.store.postgresql.ledger import PostgresLedger

        return PostgresLedger(ledger).open()
    return SqliteStore(Path(ledger))


async def feed(ledger: str, log: Path, seed: int, rate: float) -> None:
    """Feed; a rating stands in the log only when its commit was acknowledged."""
    chance = random.Random(seed)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with _store(ledger) as store:
        number = 0
        while True:
            number += 1
            one = arrival(f"s{seed:05d}n{number:05d}", chance)
            try:
                await store.write(partial(ratings.take_in, arrivals=[one], now=now_ms()))
            except (Busy, Unavailable) as refusal:
                if isinstance(refusal, StorageFull):
                    with refusals_beside(log).open("ab") as refused:
                        refused.write(b"x")
                await asyncio.sleep(
                    0.05
                )  # refused or not known, so not acknowledged; a full disk refuses at once
                continue
            os.write(descriptor, f"{one.feedback.id} {one.feedback.rating:g}\n".encode())
            os.fsync(descriptor)
            await asyncio.sleep(max(0.0, begun + number / rate - loop.time()))


if __name__ == "__main__":
    asyncio.run(feed(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
