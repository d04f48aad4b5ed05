"""Reads the figures of a day, the morning after."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from feedback_app.report.figures import DayFigures, collect
from feedback_app.store.sqlite.store import SqliteStore
from tests.report.ledgers import BERLIN, DAY, at

WHOLE = SimpleNamespace(minimum=1.0, maximum=5.0, step=1.0)


async def figures(
    store: SqliteStore, *, scale: Any = WHOLE, low_below: float = 3, day: Any = DAY
) -> DayFigures:
    """Read a day, the morning after."""
    now = at(DAY + timedelta(days=1), "08:00")
    return await store.read(
        lambda connection: collect(
            connection, date=day, zone=BERLIN, scale=scale, low_below=low_below, now=now
        )
    )
