"""`python plain_import.py FILE DATABASE`: the plain program that `feedback import` is compared with.

The csv module and `executemany`, the columns of a rating and its unique key, a commit every 1,000 rows that is on the
disk. It trusts its file: nothing is checked but that a rating is a number, no row is refused, no duplicate told.
"""

from __future__ import annotations

import csv
import sqlite3
import sys
import time
from hashlib import blake2b
from itertools import islice

_CHUNK = 1000  # rows a commit, as ours
_TABLE = """CREATE TABLE feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, external_id TEXT NOT NULL, content_hash BLOB NOT NULL,
    customer_id TEXT, item TEXT, rating FLOAT NOT NULL, comment TEXT NOT NULL, given_at BIGINT,
    received_at BIGINT NOT NULL, thank BOOLEAN NOT NULL, state TEXT NOT NULL, UNIQUE (source, external_id))"""
_INSERT = (
    "INSERT OR IGNORE INTO feedback (source, external_id, content_hash, customer_id, item, rating, comment, given_at,"
    " received_at, thank, state) VALUES ('import', ?, ?, ?, ?, ?, ?, NULL, ?, 1, 'received')"
)


def main(file: str, database: str) -> None:
    """Import a file whose columns are id, customer, item, rating, comment."""
    base = sqlite3.connect(database, isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute(_TABLE)
    with open(file, newline="", encoding="utf-8") as lines:  # noqa: PTH123 - pathlib would cost it 5 ms
        reader = csv.reader(lines)
        next(reader)
        while chunk := list(islice(reader, _CHUNK)):
            now = round(time.time() * 1000)
            rows = [
                (number, _hash(customer, item, rating, comment), customer, item, float(rating), comment, now)
                for number, customer, item, rating, comment in chunk
            ]
            base.execute("BEGIN IMMEDIATE")
            base.executemany(_INSERT, rows)
            base.execute("COMMIT")
    base.close()


def _hash(*values: str) -> bytes:
    return blake2b("\0".join(values).encode(), digest_size=12).digest()


if __name__ == "__main__":
    main(*sys.argv[1:])
