"""A clock on a wall in Berlin, and what was reported by it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from feedback_app.settings import Settings, load_settings
from tests.report.ledgers import BERLIN

if TYPE_CHECKING:
    from pathlib import Path

A_DAY = timedelta(days=1)
RUNS = "SELECT local_date, occasion FROM report_run ORDER BY local_date"
MAILS = "SELECT dedupe_key FROM message WHERE purpose = 'report' ORDER BY id"


class Wall:
    """A clock that the test sets, in Berlin."""

    def __init__(self, when: str) -> None:
        self.set(when)

    def set(self, when: str) -> None:
        """Show this time."""
        self.now = datetime.fromisoformat(when).replace(tzinfo=BERLIN)

    def __call__(self) -> datetime:
        """Return the moment."""
        return self.now


def configured(folder: Path, config: str) -> Settings:
    """Return settings of another configuration on the same ledger."""
    (folder / "config.toml").write_text(config)
    return load_settings(folder / "config.toml", environ={})
