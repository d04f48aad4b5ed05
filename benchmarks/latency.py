"""How long a rating takes until the mail server has taken the thank-you, one rating at a time.

`latency`: another process runs `feedback add`; from its commit, with the daemon running by itself.
`submit`: the program that holds the daemon calls `submit`; from that call. It may take `allowed_ms`: four fsyncs of
this machine, measured in the same run, and 5 ms.

The value is the median. `…-loaded` is beside a feeder of 300 ratings a second, most of which are thanked or kept by
the same daemon. The mail server is in this process, the daemon and who gives ratings are in theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from functools import partial
from importlib.util import find_spec
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import program
from benchmarks.harness import Benchmark, Measured, Side
from benchmarks.mails import write_config
from benchmarks.noting_sink import NotingSink
from benchmarks.workload import CUSTOMERS
from feedback_app import Customer
from feedback_app.store import customers
from feedback_app.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

_LIMIT = 30.0  # seconds that anything may take
_LOAD = 300  # ratings a second
_FSYNCS = 100
_PAGE = b"x" * 4096
_TARGET = 5.0  # ms beside four fsyncs


class _Given(NamedTuple):
    """When one rating was asked for, committed, and its mail taken; monotonic nanoseconds."""

    asked: int
    committed: int
    taken: int


def _prepare(folder: Path, _count: int) -> None:
    asyncio.run(_fill(folder))


async def _fill(folder: Path) -> None:
    everybody = [
        Customer(
            id=f"c{number}",
            name=f"Customer {number}",
            email=f"c{number}@example.com",
            preferred_channels=("email",),
        )
        for number in range(CUSTOMERS)
    ]
    async with SqliteStore(folder / "feedback.db") as store:
        await store.write(partial(customers.put, customers=everybody, now=1))


def _add(load: int, folder: Path, count: int) -> Measured:
    given = asyncio.run(_measure("add", load, folder, count))
    return _figures([one.taken - one.committed for one in given], folder)


def _submit(load: int, folder: Path, count: int) -> Measured:
    given = asyncio.run(_measure("submit", load, folder, count))
    committing = median(one.committed - one.asked for one in given) / 1e6
    return {**_figures([one.taken - one.asked for one in given], folder), "of_that_commit_ms": committing}


def _huey(folder: Path, count: int) -> Measured:
    given = asyncio.run(_measure("huey", 0, folder, count))
    return _figures([one.taken - one.committed for one in given], folder)


def _fsyncs(folder: Path, _count: int) -> Measured:
    return {"value": 4 * _fsync(folder)}


def _figures(nanoseconds: list[int], folder: Path) -> Measured:
    times = [one / 1e6 for one in nanoseconds]
    fsync = _fsync(folder)
    return {
        "value": median(times),
        "p99_ms": quantiles(times, n=100, method="inclusive")[98],
        "worst_ms": max(times),
        "fsync_ms": fsync,
        "allowed_ms": 4 * fsync + _TARGET,
    }


def _fsync(folder: Path) -> float:
    """Return the median milliseconds of writing a page and having it on the disk."""
    times = []
    descriptor = os.open(folder / "fsyncs", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(_FSYNCS):
            begun = time.perf_counter()
            os.write(descriptor, _PAGE)
            os.fsync(descriptor)
            times.append((time.perf_counter() - begun) * 1000)
    finally:
        os.close(descriptor)
    return median(times)


async def _measure(kind: str, load: int, folder: Path, count: int) -> list[_Given]:
    """Give `count` ratings one after the other, to the daemon that a process of its own or the giver runs."""
    async with contextlib.AsyncExitStack() as stack:
        sink = await stack.enter_async_context(NotingSink())
        write_config(folder, sink.port)
        at = str(folder)
        if kind == "add":
            stack.enter_context(program.daemon(folder))
        if kind == "huey":
            await stack.enter_async_context(_running("benchmarks.huey_peer", "work", at, str(sink.port)))
        command = ("huey_peer", "give") if kind == "huey" else ("givers", kind)
        giver = await stack.enter_async_context(_running(f"benchmarks.{command[0]}", command[1], at))
        if load:
            await stack.enter_async_context(_running("benchmarks.givers", "feed", at, str(load)))
        await _one(giver, sink, 0)  # connects
        return [await _one(giver, sink, number) for number in range(1, count + 1)]


async def _one(giver: Process, sink: NotingSink, number: int) -> _Given:
    assert giver.stdin is not None
    assert giver.stdout is not None
    giver.stdin.write(b"%d\n" % number)
    async with asyncio.timeout(_LIMIT):
        asked, committed = map(int, (await giver.stdout.readline()).split())
        return _Given(asked, committed, await sink.taken_at(f"c{number}@example.com"))


@contextlib.asynccontextmanager
async def _running(module: str, *arguments: str) -> AsyncIterator[Process]:
    """Run a module until the end of the block, which begins when it says that it is ready."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe
    )
    try:
        async with asyncio.timeout(_LIMIT):
            await _ready(process, module)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def _ready(process: Process, module: str) -> None:
    assert process.stdout is not None
    if await process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"{module} ended")  # its own words are in this one's stderr


def _without_huey() -> str | None:
    return None if find_spec("huey") else "no huey here: pip install 'feedback-app[bench]'"


BENCHMARKS = (
    Benchmark(
        name="latency",
        title="another process's `feedback add` committed → the mail server's 250",
        unit="ms",
        count=200,
        better="less",
        sides=(
            Side(name="feedback_app", prepare=_prepare, run=partial(_add, 0)),
            Side(name="feedback_app-loaded", prepare=_prepare, run=partial(_add, _LOAD)),
            Side(name="huey", run=_huey, missing=_without_huey, packages=("huey",)),
        ),
    ),
    Benchmark(
        name="submit",
        title="the daemon's own `submit` → the mail server's 250",
        unit="ms",
        count=200,
        better="less",
        sides=(
            Side(name="feedback_app", prepare=_prepare, run=partial(_submit, 0)),
            Side(name="feedback_app-loaded", prepare=_prepare, run=partial(_submit, _LOAD)),
            Side(name="four-fsyncs", run=_fsyncs),
        ),
    ),
)
