"""How the tests read files: bytes in, records out."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from feedback_app.intake.customers import CUSTOMERS, read_customers
from feedback_app.intake.ratings import RATINGS, read_ratings
from feedback_app.intake.reader import open_records
from feedback_app.intake.records import Incoming, ReadOptions, Reject
from feedback_app.intake.scale import Scale

if TYPE_CHECKING:
    from feedback_app.intake.records import IncomingCustomer
    from feedback_app.model import Milliseconds

NOW: Milliseconds = 1_795_348_800_000  # 2026-11-22T12:00Z


def ratings(
    content: bytes | str, *, name: str = "r.csv", scale: Scale | None = None, **options: Any
) -> list[Incoming | Reject]:
    """Read everything in `content`."""
    stream = BytesIO(content.encode() if isinstance(content, str) else content)
    read = ReadOptions(**options)
    records = open_records(stream, name=name, options=read, wanted=RATINGS)
    return list(read_ratings(records, scale=scale or Scale(), now=NOW))


def customers(content: str, *, name: str = "c.csv", **options: Any) -> list[IncomingCustomer | Reject]:
    """Read every customer in `content`."""
    read = ReadOptions(**options)
    records = open_records(BytesIO(content.encode()), name=name, options=read, wanted=CUSTOMERS)
    return list(read_customers(records))


def good(results: list[Incoming | Reject]) -> list[Incoming]:
    """Return the accepted ones."""
    return [result for result in results if isinstance(result, Incoming)]


def refused(results: list[Incoming | Reject]) -> list[tuple[int, str]]:
    """Return line and reason of the refused ones."""
    return [(result.line, result.reason) for result in results if isinstance(result, Reject)]
