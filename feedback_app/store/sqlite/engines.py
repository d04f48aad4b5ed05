"""Engines on one SQLite file: one synchronous connection that writes, asynchronous ones that only read.

The driver's own transaction handling is off: with it, a transaction that reads first and writes later fails at
once or loses updates. Writers say BEGIN IMMEDIATE. Nobody checkpoints automatically, because SQLite before 3.51.3
can corrupt the file when a checkpoint and a commit of another connection meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

BUSY_TIMEOUT_MS = 5_000
_CACHE_KIB = 16_384

_COMMON = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA wal_autocheckpoint = 0",
    f"PRAGMA cache_size = -{_CACHE_KIB}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
)
_WRITER = ("PRAGMA synchronous = FULL",)
_READER = ("PRAGMA query_only = ON",)


def _prepare(engine: Engine, pragmas: tuple[str, ...], begin: str) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(driver_connection: Any, _record: object) -> None:
        cursor = driver_connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _url(driver: str, path: Path) -> URL:
    """Name a file that is there: one that was removed is never made anew, and empty, by a connection."""
    return URL.create(driver, database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"})


def writing_engine(path: Path) -> Engine:
    """Return the engine of the one writer; its connection may wander between threads, one at a time."""
    engine = create_engine(
        _url("sqlite+pysqlite", path),
        connect_args={"isolation_level": None, "check_same_thread": False},
        poolclass=NullPool,
        hide_parameters=True,  # errors are logged, and the parameters are names, addresses and comments
    )
    _prepare(engine, _COMMON + _WRITER, "BEGIN IMMEDIATE")
    return engine


def looking_engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    """Return the engine for who only looks: `connect` makes a connection that cannot write; a block is a snapshot."""
    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    _prepare(engine, (f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",), "BEGIN")
    return engine


def reading_engine(path: Path, connections: int = 3) -> AsyncEngine:
    """Return the engine for everything that only looks; a block sees one snapshot."""
    engine = create_async_engine(
        _url("sqlite+aiosqlite", path),
        connect_args={"isolation_level": None},
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
    )
    _prepare(engine.sync_engine, _COMMON + _READER, "BEGIN")
    return engine
