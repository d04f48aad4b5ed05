"""Three NATS nodes of which one is killed every few seconds, the leader included, while ratings are published.

What the cluster acknowledged must be in the ledger, and each message of the stream once; and the intake must go on.
Beside the daemon a peer does nothing but fetch and acknowledge, by a consumer of its own: for how long it got nothing
is the cluster's own part.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.faults.program import Program
from tests.sources.nats_server import NatsServer, cluster

T = TypeVar("T")

SECONDS = 120.0
_BETWEEN_KILLS = 5.0  # seconds
_LONGEST_STOP = 10.0  # seconds that ratings may wait in the cluster while none is taken in
_SETTLED = 90.0  # seconds for what was acknowledged to arrive in the end
_PUBLISHERS = 8
_STREAM = {"name": "RATINGS", "subjects": ["ratings"], "num_replicas": 3}


@dataclass(kw_only=True)
class Figures:
    """What the kills left."""

    kills: int = 0
    leaders_killed: int = 0
    acknowledged: int = 0  # by the cluster
    lost: int = 0
    doubled: int = 0  # in the ledger, beyond what the stream itself holds
    stored_twice: int = 0  # messages that the cluster stored again by itself; without an id, two ratings
    slowest_intake: float = 0.0  # seconds that ratings waited in the cluster while none was taken in
    slowest_peer: float = 0.0  # the same of the peer
    most_down: int = 0  # times that the source counted as down
    broken: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int, seconds: float = SECONDS) -> Figures:
    """Let `seeds` clusters be killed node by node for so many seconds each."""
    figures = Figures()
    for seed in range(first_seed, first_seed + seeds):
        asyncio.run(_case(seed, seconds, figures))
    return figures


async def _case(seed: int, seconds: float, figures: Figures) -> None:
    with tempfile.TemporaryDirectory(prefix="nats-") as name:
        folder = Path(name)
        nodes = cluster(folder)
        try:
            for node in nodes:
                node.launch()
            await _run(seed, seconds, folder, nodes, figures)
        finally:
            for node in nodes:
                node.kill()


async def _run(seed: int, seconds: float, folder: Path, nodes: list[NatsServer], figures: Figures) -> None:
    publisher = await _connected(nodes)
    peer: Any = None
    program: Program | None = None
    try:
        await _patiently(lambda: publisher.jetstream().add_stream(**_STREAM))
        servers = json.dumps([node.url for node in nodes])
        (folder / "config.toml").write_text(
            f'[plugins.nats_jetstream]\nservers = {servers}\nstream = "RATINGS"\nack_wait = 5\n'
        )
        program = await Program.start(folder, "run")
        await program.ready()
        peer = await _connected(nodes)
        case = _Case(folder / "feedback.db", publisher, peer, nodes, random.Random(seed), figures)
        await case.under_fire(seconds)
        await case.settled()
        program.signal(signal.SIGTERM)
        if code := await program.ended():
            figures.broken.append(f"seed {seed}: ended with {code}: {program.said[-500:]}")
        figures.most_down = max(figures.most_down, program.said.count("source is down"))
        case.judge(f"seed {seed}", await _patiently(case.stored))
    finally:
        if program is not None and not program.has_ended:
            program.signal(signal.SIGKILL)
            await program.ended()
        await publisher.close()
        if peer is not None:
            await peer.close()


async def _silent(_: Exception) -> None:
    """Say nothing of what the kills do to the publisher."""


async def _connected(nodes: list[NatsServer]) -> Any:
    import nats

    return await nats.connect(
        [node.url for node in nodes],
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,
        error_cb=_silent,
    )


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while the cluster elects a leader."""
    from nats.errors import Error

    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(Error, TimeoutError):
                return await ask()
            await asyncio.sleep(0.2)


def _has_id(name: str) -> bool:
    """Return whether the publisher gives every second message an id of its own."""
    return int(name[1:]) % 2 == 1


class _Case:
    """One cluster, one daemon, one stream of ratings."""

    def __init__(
        self,
        ledger: Path,
        publisher: Any,
        peer: Any,
        nodes: list[NatsServer],
        dice: random.Random,
        figures: Figures,
    ) -> None:
        self._ledger = ledger
        self._stream = publisher.jetstream(timeout=2)
        self._peer = peer.jetstream(timeout=2)
        self._nodes = nodes
        self._dice = dice
        self._figures = figures
        self._numbers = itertools.count()
        self._acknowledged: set[str] = set()
        self._fetched: set[str] = set()  # by the peer

    async def under_fire(self, seconds: float) -> None:
        """Publish, kill and look on, all at once."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_PUBLISHERS):
                tasks.create_task(self._publish(over))
            tasks.create_task(self._fetch(over))
            stop = tasks.create_task(self._look_on(over, self._count))
            peers = tasks.create_task(self._look_on(over, lambda: len(self._fetched & self._acknowledged)))
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                await asyncio.sleep(min(_BETWEEN_KILLS, max(0.0, deadline - time.monotonic())))
                await self._kill_one()
            over.set()
        self._figures.slowest_intake = max(self._figures.slowest_intake, stop.result())
        self._figures.slowest_peer = max(self._figures.slowest_peer, peers.result())

    async def _publish(self, over: asyncio.Event) -> None:
        """Publish; every second one has an id and is tried until the cluster has acknowledged it."""
        from nats.errors import Error

        while not over.is_set():
            number = next(self._numbers)
            name = f"m{number}"
            payload = json.dumps({"rating": 5, "comment": name}).encode()
            headers = {"Nats-Msg-Id": name} if _has_id(name) else None
            while not over.is_set():
                try:
                    await self._stream.publish("ratings", payload, headers=headers)
                except (Error, TimeoutError):
                    if headers is None:
                        break  # it may be in the stream or not: nobody was promised anything
                    await asyncio.sleep(0.1)
                else:
                    self._acknowledged.add(name)
                    break
            await asyncio.sleep(0.02)

    async def _kill_one(self) -> None:
        """Kill a node, every second time the leader of the stream, and start it again at once."""
        node = self._dice.choice(self._nodes)
        if self._figures.kills % 2 == 0 and (leader := await self._leader()) is not None:
            node = leader
            self._figures.leaders_killed += 1
        node.kill()
        node.launch()
        self._figures.kills += 1

    async def _leader(self) -> NatsServer | None:
        from nats.errors import Error

        try:
            facts = await self._stream.stream_info("RATINGS")
        except (Error, TimeoutError):
            return None
        name = facts.cluster.leader if facts.cluster else None
        return next((node for node in self._nodes if node.name == name), None)

    async def _fetch(self, over: asyncio.Event) -> None:
        """Be the peer."""
        from nats.errors import Error
        from nats.js.api import AckPolicy, ConsumerConfig

        own = ConsumerConfig(
            durable_name="peer", ack_policy=AckPolicy.EXPLICIT, ack_wait=5, max_ack_pending=5000
        )
        await _patiently(lambda: self._peer.add_consumer("RATINGS", own))
        pulling = await self._peer.pull_subscribe_bind(consumer="peer", stream="RATINGS")
        while not over.is_set():
            with contextlib.suppress(Error, TimeoutError):
                for message in await pulling.fetch(500, timeout=2):
                    self._fetched.add(json.loads(message.data)["comment"])
                    await message.ack()

    async def _look_on(self, over: asyncio.Event, count: Callable[[], int]) -> float:
        """Return for how many seconds at most ratings waited in the cluster and the count stood still."""
        longest, taken, since = 0.0, count(), time.monotonic()
        while not over.is_set():
            await asyncio.sleep(0.1)
            now_taken = count()
            if now_taken > taken or now_taken >= len(self._acknowledged):
                taken, since = now_taken, time.monotonic()
            longest = max(longest, time.monotonic() - since)
        return longest

    async def settled(self) -> None:
        """Wait until all that was acknowledged has arrived, or nothing more does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED):
                while self._acknowledged - self._comments().keys():  # noqa: ASYNC110 - another process does it
                    await asyncio.sleep(0.2)

    async def stored(self) -> Counter[str]:
        """Return how often each message is in the stream."""
        from nats.js.api import AckPolicy, ConsumerConfig

        looking = ConsumerConfig(ack_policy=AckPolicy.NONE)  # a look that an election cuts short begins anew
        reader = await self._stream.pull_subscribe("ratings", config=looking)
        left = (await self._stream.stream_info("RATINGS")).state.messages
        found: Counter[str] = Counter()
        while left:
            messages = await reader.fetch(min(left, 500), timeout=5)
            left -= len(messages)
            found.update(json.loads(message.data)["comment"] for message in messages)
        return found

    def judge(self, where: str, stored: Counter[str]) -> None:
        """Compare what was acknowledged, and what the stream holds, with what is in the ledger."""
        found = self._comments()
        lost = {name: stored[name] for name in self._acknowledged - found.keys()}
        beyond = {  # one with an id counts once, however often the cluster stored it
            name: count - (1 if _has_id(name) else max(1, stored[name])) for name, count in found.items()
        }
        doubled = {name: self._ids(name) for name, copies in beyond.items() if copies > 0}
        self._figures.acknowledged += len(self._acknowledged)
        self._figures.lost += len(lost)
        self._figures.doubled += sum(beyond[name] for name in doubled)
        self._figures.stored_twice += sum(count - 1 for count in stored.values())
        if lost:
            self._figures.broken.append(f"{where}: lost, with how often it is in the stream: {lost}")
        if doubled:
            self._figures.broken.append(f"{where}: doubled, with the ids: {doubled}")
        if self._figures.slowest_intake > _LONGEST_STOP:
            self._figures.broken.append(
                f"{where}: the intake stopped for {self._figures.slowest_intake:.1f} s,"
                f" the peer's for {self._figures.slowest_peer:.1f} s"
            )

    def _ids(self, name: str) -> list[str]:
        with contextlib.closing(sqlite3.connect(self._ledger)) as ledger:
            return [
                row[0]
                for row in ledger.execute("SELECT external_id FROM feedback WHERE comment = ?", (name,))
            ]

    def _count(self) -> int:
        return sum(self._comments().values())

    def _comments(self) -> dict[str, int]:
        ledger = sqlite3.connect(self._ledger)
        try:
            return dict(ledger.execute("SELECT comment, count(*) FROM feedback GROUP BY comment"))
        finally:
            ledger.close()
