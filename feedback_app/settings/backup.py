"""`[backup]`: copies of the ledger, made by the daemon every day.

Annotations are read at run time by pydantic, so they are not postponed here.
"""

from datetime import time
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from feedback_app.settings import rules
from feedback_app.settings.values import Table


def _path_or_nothing(text: str) -> str:
    return rules.path_text(text) if text else text


class BackupSettings(Table):
    """Off unless there is a directory to put them in."""

    directory: Annotated[str, AfterValidator(_path_or_nothing)] = ""
    at: Annotated[str, AfterValidator(rules.clock_time)] = "03:30"
    timezone: Annotated[str, AfterValidator(rules.time_zone)] = "UTC"
    keep: Annotated[int, Field(ge=1, le=10_000)] = 7  # files; the oldest beyond are removed

    @property
    def time_of_day(self) -> time:
        """`at`, without a zone."""
        return time.fromisoformat(self.at)


def _of_a_file(backup: BackupSettings, info: ValidationInfo) -> BackupSettings:
    store = info.data.get("store")
    if backup.directory and store is not None and not store.is_sqlite:
        raise rules.RuleError(
            "works for a ledger in a SQLite file only",
            hint="back up PostgreSQL with pg_dump, as docs/operations.md shows",
        )
    return backup


Backup = Annotated[BackupSettings, AfterValidator(_of_a_file)]
