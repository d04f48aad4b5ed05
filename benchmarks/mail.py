"""Mails in the outbox → sent → recorded as sent, beside programs that only send.

All sides send the same mails to a smtp-sink of their own. Only ours claims each one from the ledger, builds it and
records durably that it was sent; the others are handed ready bytes (`send_message`: they build it by EmailMessage).
`cpu_us` is this process's CPU per mail, of smtp-source the program's; the harness's CPU seconds include the sink's.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from aiosmtplib import SMTP

from benchmarks.building import built_by_email_message
from benchmarks.harness import Benchmark, Measured, Side
from benchmarks.mails import HOST, SENDER, messages, program, smtp_sink, without_postfix, write_config
from feedback_app.daemon import Daemon
from feedback_app.plugins._mail_builder import Mail, MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox
from feedback_app.settings import load_settings
from feedback_app.store import outbox
from feedback_app.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path

    from feedback_app import Message

Loops: TypeAlias = "Callable[[], asyncio.AbstractEventLoop] | None"  # None: asyncio's own

_CHUNK = 5_000
_NOW = 1_795_000_000.0  # seconds since 1970


def _prepare(folder: Path, count: int) -> None:
    asyncio.run(_fill(folder, count))


async def _fill(folder: Path, count: int) -> None:
    waiting = list(messages(count, folder / "templates"))
    async with SqliteStore(folder / "feedback.db") as store:
        for first in range(0, count, _CHUNK):
            entries = [(one.id, one) for one in waiting[first : first + _CHUNK]]
            await store.write(partial(outbox.enqueue, entries=entries, now=1))


def _deliver(connections: int, loops: Loops, folder: Path, count: int) -> Measured:
    with smtp_sink() as port:
        settings = load_settings(write_config(folder, port, connections), environ={})
        stopwatch = _Stopwatch()
        daemon = Daemon(settings, on_ready=stopwatch.start)  # what a start costs is measured by `start`
        figures = _on(loops, daemon.run(drain=True))
        measured = stopwatch.per(count)
    assert figures.tries == {"sent": count}, figures
    return measured


def _send(
    job: Callable[[int, list[Message], list[Mail]], Coroutine[Any, Any, None]],
    loops: Loops,
    folder: Path,
    count: int,
) -> Measured:
    """Let the job send the messages, or the ready mails made of them, to a port."""
    waiting = list(messages(count, folder / "templates"))
    builder = MailBuilder(parse_mailbox(SENDER))
    ready = [builder.build(one, _NOW) for one in waiting]
    with smtp_sink() as port:
        stopwatch = _Stopwatch()
        _on(loops, job(port, waiting, ready))
        return stopwatch.per(count)


def _smtp_source(folder: Path, count: int) -> Measured:
    """Let postfix's own load generator send as many mails of the same size over ten kept connections."""
    size = len(MailBuilder(parse_mailbox(SENDER)).build(next(messages(1, folder / "templates")), _NOW).data)
    with smtp_sink() as port:
        command = [
            program("smtp-source"),
            "-d",
            "-s",
            "10",
            "-m",
            str(count),
            "-l",
            str(size),
            f"{HOST}:{port}",
        ]
        stopwatch = _Stopwatch()
        subprocess.run(command, check=True)
        return stopwatch.per(count)


class _Stopwatch:
    """Time, and CPU time of this process and of the programs it ran."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin, again perhaps."""
        self._begun, self._cpu = time.perf_counter(), sum(os.times()[:4])

    def per(self, count: int) -> Measured:
        """Return mails per second and CPU per mail."""
        seconds, cpu = time.perf_counter() - self._begun, sum(os.times()[:4]) - self._cpu
        return {"value": count / seconds, "cpu_us": cpu / count * 1e6}


def _on(loops: Loops, job: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=loops) as runner:
        return runner.run(job)


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _without_uvloop() -> str | None:
    try:
        import uvloop  # noqa: F401 - whether it is there
    except ImportError:
        return "no uvloop here: pip install 'feedback-app[bench]'"
    return without_postfix()


async def _connection_each(at_once: int, port: int, _messages: list[Message], ready: list[Mail]) -> None:
    """Open a connection for each mail."""
    waiting = iter(ready)

    async def work() -> None:
        for mail in waiting:
            async with _client(port) as client:
                await client.sendmail(mail.sender, [mail.recipient], mail.data)

    await _at_once(at_once, work)


async def _pooled(connections: int, port: int, _messages: list[Message], ready: list[Mail]) -> None:
    """Keep the connections and send ready bytes."""
    waiting = iter(ready)

    async def work() -> None:
        async with _client(port) as client:
            for mail in waiting:
                await client.sendmail(mail.sender, [mail.recipient], mail.data)

    await _at_once(connections, work)


async def _send_message(connections: int, port: int, todo: list[Message], _ready: list[Mail]) -> None:
    """Keep the connections and build each mail as the standard library does."""
    waiting = iter(todo)

    async def work() -> None:
        async with _client(port) as client:
            for one in waiting:
                await client.send_message(built_by_email_message(one, _NOW))

    await _at_once(connections, work)


def _client(port: int) -> SMTP:
    return SMTP(hostname=HOST, port=port, start_tls=False)


async def _at_once(tasks: int, work: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(work() for _ in range(tasks)))


def _sides(ending: str, loops: Loops, missing: Callable[[], str | None]) -> tuple[Side, ...]:
    jobs = {
        "connection-each": partial(_connection_each, 1),
        "connection-each-50": partial(_connection_each, 50),
        "pooled-4": partial(_pooled, 4),
        "pooled-16": partial(_pooled, 16),
        "send_message-4": partial(_send_message, 4),
    }
    return (
        Side(
            name=f"feedback_app{ending}",
            prepare=_prepare,
            run=partial(_deliver, 16, loops),
            missing=missing,
        ),
        Side(
            name=f"feedback_app-4{ending}",
            prepare=_prepare,
            run=partial(_deliver, 4, loops),
            missing=missing,
        ),
        *(
            Side(name=name + ending, run=partial(_send, job, loops), missing=missing)
            for name, job in jobs.items()
        ),
        Side(name="smtp-source", run=_smtp_source, missing=without_postfix),
    )


BENCHMARKS = (
    Benchmark(
        name="mail",
        title="mails waiting in the outbox → taken by smtp-sink and recorded as sent",
        unit="mails/s",
        count=5_000,
        sides=_sides("", None, without_postfix),
    ),
    Benchmark(
        name="mail-uvloop",
        title="the same, every side but smtp-source on uvloop, which the daemon uses where it is installed",
        unit="mails/s",
        count=10_000,
        sides=_sides("-uvloop", _uvloop, _without_uvloop),
    ),
)
