"""Whether two ledgers hold the same: counts, and checksums over every column of every row."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from msgspec import msgpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from feedback_app.store.copying.ends import Reader
    from feedback_app.store.copying.plan import CopiedTable

_encode = msgpack.Encoder().encode  # one form for each value, whichever database it comes from


class Sum(NamedTuple):
    """What a table holds."""

    rows: int
    checksum: str  # BLAKE2b over the rows in order, each as MessagePack


def sum_of(reader: Reader, table: CopiedTable, read: Callable[[int], None]) -> Sum:
    """Read a whole table; `read` is told of each piece how many rows it had."""
    digest, count = hashlib.blake2b(digest_size=16), 0
    for piece in reader.rows(table):
        digest.update(b"".join(map(_encode, piece)))
        count += len(piece)
        read(len(piece))
    return Sum(count, digest.hexdigest())
