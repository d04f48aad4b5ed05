"""Ratings from a table that the business has already: rows are read in the order of a key or of a time.

Settings, `[plugins.database_table]`: see `Settings`. The table is only read, never changed.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path  # noqa: TC003 - pydantic asks for it
from typing import TYPE_CHECKING, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from feedback_app import Batch, Source, hookimpl
from feedback_app.plugins._own_threads import OwnThreads
from feedback_app.plugins._settings_checks import read_secret
from feedback_app.plugins._source_settings import SourceName, SourceSettings
from feedback_app.plugins._table_reader import TableReader, checked_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feedback_app import Received

_NOTHING = 2.0  # seconds without a new row after which that is said


class Settings(SourceSettings):
    """The table `[plugins.database_table]`."""

    url: str  # of the database, as SQLAlchemy writes it; its driver must be installed
    table: str = Field(min_length=1)  # NAME, or SCHEMA.NAME
    key: str = Field(min_length=1)  # the column that tells rows apart, ascending unless `time` is given
    time: str | None = Field(default=None, min_length=1)  # the column of an ascending time to read by instead
    revisit: int = Field(default=100, ge=0, le=10_000)  # newest rows that are looked at again for late ones
    poll_interval: float = Field(default=1.0, ge=0.01, le=3600)  # seconds between two looks for new rows
    name: SourceName = "database_table"  # the `source` of its ratings
    password: SecretStr | None = Field(default=None, min_length=1)
    password_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        checked_url(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file are both given; keep one")
        return self


class DatabaseTable(Source):
    """Looks for rows behind the last ones; where it was stands in the ledger, as the table cannot remember it."""

    def __init__(self, settings: Settings, new_reader: Callable[[], TableReader]) -> None:
        self.name = settings.name
        self.map, self.set = settings.map, settings.set
        self._pause = settings.poll_interval
        self._threads = OwnThreads(self.name)
        self._new_reader = new_reader
        self._reader = new_reader()
        self._look_at = 0.0  # when to look for new rows again

    async def check(self) -> str:
        """Log in and look for the table and its columns."""
        await self._threads.run(self._reader.open, None)
        return "the database answers, the table and its columns are there"

    async def open(self, position: str | None) -> None:
        """Connect and see that table and columns are there."""
        # The old reader may still be in use: by a thread that nobody could stop, and that would move on past its rows.
        self._reader = self._new_reader()
        self._look_at = 0.0
        await self._threads.run(self._reader.open, position)

    async def receive(self, limit: int) -> Batch:
        """Return the next rows, and how far they go."""
        until = time.monotonic() + _NOTHING
        while (now := time.monotonic()) < until:
            if now < self._look_at:
                await asyncio.sleep(min(self._look_at, until) - now)
                continue
            if rows := await self._threads.run(self._reader.read, limit):
                return Batch(received=rows, position=self._reader.position)
            self._look_at = time.monotonic() + self._pause
        return Batch()

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """Do nothing: the position was committed with the ratings."""

    async def lag(self) -> int | None:
        """Count the rows behind the last one."""
        return await self._threads.run(self._reader.lag)

    async def close(self) -> None:
        """Disconnect."""
        await self._threads.run(self._reader.close)


@hookimpl
def make_source(settings: Settings) -> Source:
    """Return the source of the table's rows. Raises ValueError when the password's file cannot be used."""
    password = read_secret("password", settings.password, settings.password_file)
    url = checked_url(settings.url, password.get_secret_value() if password else None)
    return DatabaseTable(settings, partial(TableReader, url, settings))
