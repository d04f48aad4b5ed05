"""The job in a pool built the article's way, 64 workers: a row or a look-up each.

The pool's list lives in memory: whatever is not done when the program ends is lost.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, event, insert, select
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.peers.job import Counter, Job, Thanks, database
from benchmarks.pool import ArticlePool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from benchmarks.peers.job import Rating

Callback: TypeAlias = "Callable[[Rating], Awaitable[None]]"
_WORKERS = 64
_CONNECTIONS = 5  # SQLAlchemy's default pool

_tables = MetaData()
_customer = Table(
    "customer",
    _tables,
    Column("id", String, primary_key=True),
    Column("name", String),
    Column("email", String),
)
_low_rating = Table(
    "low_rating",
    _tables,
    Column("id", String, primary_key=True),
    Column("customer", String),
    Column("item", String),
    Column("rating", Integer),
    Column("comment", String),
    Column("stored_at", Float),
)


def _process(ratings: list[Rating], callback: Callback) -> float:
    """Do them all; returns seconds from the pool's start to its end."""
    pool = ArticlePool(ratings, _WORKERS, callback)
    begun = time.monotonic()
    pool.start()
    pool.finish()
    return time.monotonic() - begun


def through_driver(folder: Path, ratings: list[Rating]) -> float:
    """Do the job with the sqlite3 module, called from the loop; returns seconds."""
    job = Job(folder)

    async def rate(rating: Rating) -> None:
        job.do(rating)

    return _process(ratings, rate)


def through_sqlalchemy(folder: Path, ratings: list[Rating]) -> float:
    """Do the job with SQLAlchemy Core and aiosqlite, an insert or a look-up each; returns seconds."""
    engine = _engine(folder)
    try:
        return _process(ratings, _asking(engine, Thanks(), Counter(folder)))
    finally:
        asyncio.run(engine.dispose())


def _asking(engine: AsyncEngine, thanks: Thanks, counter: Counter) -> Callback:
    async def rate(rating: Rating) -> None:
        counter.begin()
        number, whom, item, stars, comment = rating
        if stars < 3:
            row = {"id": number, "customer": whom, "item": item, "rating": stars, "comment": comment}
            async with engine.begin() as base:
                await base.execute(insert(_low_rating).values(**row, stored_at=time.time()))
            counter.stored()
            return
        async with engine.connect() as base:
            found = await base.execute(
                select(_customer.c.name, _customer.c.email).where(_customer.c.id == whom)
            )
            name, address = found.one()
        counter.send(address, *thanks.write(name, rating))

    return rate


def _engine(folder: Path) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{database(folder)}",
        connect_args={"timeout": 60},
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=600,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def durable(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    return engine
