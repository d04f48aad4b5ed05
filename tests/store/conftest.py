"""The contract of the store: the same tests on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.store.store import Store
from tests.postgres import store_on


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Open a new ledger, in a file and on a server."""
    if request.param == "sqlite":
        async with SqliteStore(tmp_path / "feedback.db") as in_a_file:
            yield in_a_file
    else:
        async with store_on(request.getfixturevalue("postgres_url")) as on_a_server:
            yield on_a_server


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Open a new ledger in a file, for what only SQLite does."""
    async with SqliteStore(tmp_path / "feedback.db") as opened:
        yield opened
