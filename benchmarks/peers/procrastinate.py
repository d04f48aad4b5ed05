"""procrastinate on PostgreSQL: 2 processes, 64 jobs at once in each, done jobs deleted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from benchmarks.peers.job import SERVER, do

if TYPE_CHECKING:
    from procrastinate.types import JSONDict

    from benchmarks.peers.job import Rating

_CHUNK = 1_000
app = App(connector=PsycopgConnector(conninfo=os.environ[SERVER]))


@app.task(name="rate")
async def rate(rating: Rating) -> None:
    """Do the job."""
    do(*rating)


def enqueue(ratings: list[Rating]) -> None:
    """Make the tables and enqueue them all."""
    with (
        app.replace_connector(SyncPsycopgConnector(conninfo=os.environ[SERVER])) as own,
        own.open(),
    ):
        own.schema_manager.apply_schema()
        for start in range(0, len(ratings), _CHUNK):
            chunk: list[JSONDict] = [{"rating": [*one]} for one in ratings[start : start + _CHUNK]]
            rate.batch_defer(*chunk)
