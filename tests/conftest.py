"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from feedback_app.store.sqlite.store import SqliteStore
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]  # fixtures

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in os.environ:
        if name.startswith("FEEDBACK_APP_") and name != "FEEDBACK_APP_TEST_REQUIRE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config-here"))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Open a new ledger in a real SQLite file."""
    async with SqliteStore(tmp_path / "feedback.db") as opened:
        yield opened


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real ratings; they are not part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real ratings are not here: {SHARED_DATA}")
    return SHARED_DATA
