"""What work costs a PostgreSQL server of this machine: log, syncs, rows, room on the disk, CPU."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from benchmarks.harness import Measured

# What backends did is in the statistics once they have ended. `pg_stat_io` knows the log since PostgreSQL 18.
_COUNTERS = {
    "WAL bytes": "SELECT pg_current_wal_insert_lsn() - '0/0'",
    "whole pages in the WAL": "SELECT wal_fpi FROM pg_stat_wal",
    "WAL syncs": "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'",
    "rows written": "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables",
}


@contextmanager
def counted(server: str, count: int) -> Iterator[Measured]:
    """Yield figures that are filled in at the end of the block: the server's costs of it, each divided by `count`."""
    found: Measured = {}
    before = _read(server)
    yield found
    found.update({name: (value - before[name]) / count for name, value in _read(server).items()})


def holes(server: str) -> int:
    """Return the bytes that rows' old versions and half-empty index pages take: what VACUUM FULL gives back."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        before = _size(connection)
        connection.execute("VACUUM FULL")
        return before - _size(connection)


def _size(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


def _read(server: str) -> Measured:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CHECKPOINT")  # else the size lags behind
        found = {"bytes of database": float(_size(connection))}
        for name, query in _COUNTERS.items():
            row = connection.execute(query).fetchone()
            assert row is not None
            found[name] = float(row[0])
        postmaster = _process(connection.info.backend_pid).parent
    return {**found, "server µs": _cpu_seconds(postmaster) * 1e6}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Process:
    """A process as /proc/PID/stat has it."""

    parent: int
    own: int  # clock ticks of CPU
    ended: int  # clock ticks of its children that have ended


def _process(pid: int) -> _Process:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, children_user, children_system = map(int, fields[11:15])
    return _Process(parent=int(fields[1]), own=user + system, ended=children_user + children_system)


def _cpu_seconds(postmaster: int) -> float:
    """Return the CPU time of the server: of the process that started it and of all its children, ended or not."""
    first = _process(postmaster)
    ticks = first.own + first.ended
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            one = _process(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
        if one.parent == postmaster:
            ticks += one.own
    return ticks / os.sysconf("SC_CLK_TCK")
