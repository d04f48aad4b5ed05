"""A mail server that is dead for an hour while messages wait for it: few lines in the log, and all arrives afterwards.

A case is 1,000 messages. The daemon, its ledger and the server are real; the hour is the clock's, which is turned.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from feedback_app.daemon import Daemon
from feedback_app.model import Customer
from feedback_app.reminders import Reminders
from feedback_app.service import Service
from feedback_app.settings import load_settings
from feedback_app.testing.smtp_server import RecordingSmtpServer
from tests.making import NOW, incoming
from tests.running import add, running, serving

MOST_LINES = 20
_MINUTE = 60_000  # milliseconds
_LIMIT = 900.0  # seconds that all the mails have in the end
_CONFIG = """
[plugins]
disabled = ["sms_notifier"]

[plugins.email_notifier]
transport = "smtp"
host = "127.0.0.1"
port = {port}
tls = "none"
sender = "Shop <shop@example.com>"
"""


@dataclass(kw_only=True)
class Figures:
    """What the hour cost."""

    messages: int = 0
    lines: int = 0  # of the log, from the start to the end
    said: list[str] = field(default_factory=list)  # those lines
    probes: int = 0  # tries while the server was dead
    arrived: int = 0
    catching_up: float = 0.0  # seconds of real time that the delivery took afterwards
    broken: list[str] = field(default_factory=list)


class Turned:
    """A clock that stands until it is turned."""

    now = NOW

    def __call__(self) -> int:
        """Return the moment."""
        return self.now


class _Lines(logging.Handler):
    """Keeps every line, before any is left out for being like others."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.events: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what it is about."""
        self.events.append(record.getMessage())


@contextlib.contextmanager
def _logged() -> Iterator[list[str]]:
    lines, root, ours = _Lines(), logging.getLogger(), logging.getLogger("feedback_app")
    before = ours.level
    root.addHandler(lines)
    ours.setLevel(logging.INFO)
    try:
        yield lines.events
    finally:
        root.removeHandler(lines)
        ours.setLevel(before)


def run(_first_seed: int, cases: int) -> Figures:
    """Let 1,000 messages a case wait for a dead server for an hour and return the figures."""
    with tempfile.TemporaryDirectory(prefix="feedback-outage-") as folder:
        return asyncio.run(dead_for_an_hour(Path(folder), 1000 * cases))


async def dead_for_an_hour(folder: Path, messages: int, *, answers: bool = False) -> Figures:
    """Have the daemon meet a server that refuses connections, or, with `answers`, puts off each mail."""
    figures = Figures(messages=messages)
    server, clock = RecordingSmtpServer(), Turned()
    config = folder / "config.toml"
    config.write_text(_CONFIG.format(port=server.port))
    contacts = [Customer(id=f"c{number}", email=f"c{number}@example.com") for number in range(messages)]
    rated = [incoming(f"r{one.id}", customer=one.id, contact=one) for one in contacts]
    await add(folder / "feedback.db", rated, NOW)
    daemon = Daemon(load_settings(config, environ={}), clock=clock)
    with _logged() as lines, contextlib.ExitStack() as up, contextlib.ExitStack() as trouble:
        if answers:
            up.enter_context(server)
            trouble.enter_context(server.faults["temporary"]())
        async with running(daemon):
            service = serving(daemon)
            await _all_processed(daemon, messages)
            await _pass_an_hour(service, clock)
            figures.probes = service.tally.by_state()["queued"]
            trouble.close()
            if not answers:
                await asyncio.to_thread(up.enter_context, server)
            begun = time.monotonic()
            await _catch_up(service, clock, messages)
            figures.catching_up = round(time.monotonic() - begun, 1)
    arrived = Counter(to for mail in server.mails for to in mail.recipients)
    figures.arrived = len(arrived)
    figures.lines, figures.said = len(lines), list(lines)
    if len(arrived) != messages or len(server.mails) != messages:
        figures.broken.append(f"{messages} messages, {len(arrived)} customers, {len(server.mails)} mails")
    if figures.lines > MOST_LINES:
        figures.broken.append(f"{figures.lines} lines in the log: {Counter(lines)}")
    return figures


async def _all_processed(daemon: Daemon, messages: int) -> None:
    async with asyncio.timeout(_LIMIT):
        while serving(daemon).tally.processed.total() < messages:  # noqa: ASYNC110 - counted, not told
            await asyncio.sleep(0.01)


async def _pass_an_hour(service: Service, clock: Turned) -> None:
    """Turn the clock minute by minute; the reminders look each time, as their ticker would have them do."""
    reminders = Reminders(service.store, service.dispatchers, service.sourcings, clock=clock)
    for _ in range(61):
        await _settled(service)
        clock.now += _MINUTE
        await reminders.look()


async def _settled(service: Service) -> None:
    """Let the channel do what is due by the clock."""
    conveyor = service.dispatchers[0].conveyor
    conveyor.wake()
    async with asyncio.timeout(_LIMIT):
        await conveyor.idle()


async def _catch_up(service: Service, clock: Turned, messages: int) -> None:
    while service.tally.by_state()["sent"] < messages:
        clock.now += _MINUTE
        await _settled(service)
