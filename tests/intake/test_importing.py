"""Records on their way into the ledger, chunk by chunk."""

from __future__ import annotations

import contextlib
import gc
import sqlite3
from pathlib import Path

import pytest

from feedback_app.errors import Busy
from feedback_app.intake.importing import Listener, import_ratings
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming


async def test_a_failed_chunk_is_one_error_however_many_wait_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The chunks that were handed over already fail as well, and nobody hears of those by a traceback."""
    monkeypatch.setattr("feedback_app.store.sqlite.engines._COMMON", ("PRAGMA busy_timeout = 50",))
    path = tmp_path / "feedback.db"
    records = [incoming(f"r{number}") for number in range(6_000)]
    listener = Listener(rejected=lambda reject: pytest.fail(reject.reason))
    async with SqliteStore(path) as store:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Busy, match="locked"):
                await import_ratings(store, records, clock=lambda: NOW, listener=listener)
    gc.collect()
    assert caplog.records == []
