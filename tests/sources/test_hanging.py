"""A disk or a database that hangs holds up its own source only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedback_app import Source, SourceDown
from feedback_app.plugins import database_table, folder

SOURCES: dict[str, Callable[[Path], Source]] = {
    "folder.Folder._prepare": lambda path: folder.make_source(folder.Settings(path=path)),
    "_table_reader.TableReader.open": lambda path: database_table.make_source(
        database_table.Settings(url=f"sqlite:///{path}/shop.db", table="ratings", key="id")
    ),
}


@pytest.fixture
def mended() -> Iterator[threading.Event]:
    """Let what hangs go on in the end."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("what", SOURCES)
async def test_the_threads_of_the_event_loop_stay_free(
    what: str, tmp_path: Path, mended: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is tried again: names of hosts are looked up in them, for all that goes over a network."""
    monkeypatch.setattr(f"feedback_app.plugins.{what}", lambda *_: mended.wait())
    source = SOURCES[what](tmp_path)
    for _ in range((os.cpu_count() or 1) + 5):
        with contextlib.suppress(TimeoutError, SourceDown):
            await asyncio.wait_for(source.open(None), 0.01)
    with pytest.raises(SourceDown, match="4 calls hang, on a disk or a database that does not answer"):
        await source.open(None)
    await asyncio.wait_for(asyncio.get_running_loop().getaddrinfo("localhost", 80), 5)
