"""Runs the real daemon in a test: real ledger, real plugin files, the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from feedback_app.daemon import Daemon
from feedback_app.intake.records import Incoming
from feedback_app.service import Service
from feedback_app.settings import load_settings
from feedback_app.store import ratings
from feedback_app.store.sqlite.store import SqliteStore

DEADLINE = 20.0  # seconds that anything awaited may take

RECORDER = '''
"""Writes the id of every message that it is given into a file, one a line."""

import asyncio
import os
from pathlib import Path

from feedback_app import *
from feedback_app import Message, Notifier, Receipt, hookimpl

LOG = Path(__file__).parent.parent / "sent.log"


class Recorder(Notifier):
    channel = "chat"
    on_unknown = "resend"

    async def send(self, message: Message) -> Receipt:
        with LOG.open("a") as log:
            log.write(message.id + "\\n")
        return Receipt(provider_id=message.id)


@hookimpl
def make_notifier(settings):
    return Recorder()
'''


def business(folder: Path, *, plugin: str = RECORDER, config: str = "") -> Path:
    """Make a folder with a config and one drop-in plugin; returns the config's path."""
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / "chat.py").write_text(plugin)
    file = folder / "config.toml"
    file.write_text(config + '\n[plugins]\ndisabled = ["email_notifier", "sms_notifier"]\n')
    return file


def daemon(config: Path, **options: Any) -> Daemon:
    """Return a daemon that was not started."""
    return Daemon(load_settings(config, environ={}), **options)


def serving(one: Daemon) -> Service:
    """Return what works now."""
    assert one._service is not None
    return one._service


@contextlib.asynccontextmanager
async def running(one: Daemon) -> AsyncIterator[asyncio.Task[Any]]:
    """Run a daemon until the block ends; enters when it is ready."""
    task = asyncio.create_task(one.run(), name="daemon-under-test")
    try:
        await until(lambda: one.ready.is_set() or task.done())
        if task.done():
            task.result()
        yield task
    finally:
        one.stop()
        await asyncio.wait_for(task, DEADLINE)


async def until(condition: Callable[[], object]) -> None:
    """Return once something that another thread or process makes true is true."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - it happens outside this loop, so no event of this loop tells it
            await asyncio.sleep(0.005)


async def add(path: Path, arrivals: Sequence[Incoming], now: int) -> None:
    """Store ratings as another process would."""
    async with SqliteStore(path) as store:
        await store.write(partial(ratings.take_in, arrivals=arrivals, now=now))


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the ledger from outside."""
    ledger = sqlite3.connect(path)
    try:
        return ledger.execute(query).fetchall()
    finally:
        ledger.close()


def sent(folder: Path) -> list[str]:
    """Return what the recorder was given so far."""
    log = folder / "sent.log"
    return log.read_text().splitlines() if log.exists() else []
