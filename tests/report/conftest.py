"""A real ledger and real settings for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feedback_app.settings import Settings, load_settings
from feedback_app.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CONFIG = """\
[business]
name = "Maple & Finch"
[reports.daily]
at = "08:00"
timezone = "Europe/Berlin"
to = ["ops@example.com", "lead@example.com"]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with one report in Berlin and two recipients."""
    (tmp_path / "config.toml").write_text(CONFIG)
    return load_settings(tmp_path / "config.toml", environ={})


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqliteStore]:
    """Open the ledger of these settings."""
    async with SqliteStore(settings.store_path) as store:
        yield store
