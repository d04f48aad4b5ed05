"""What Redis streams do beyond the contract: dead consumers, lost groups, ids that go back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_app.plugins.redis_stream import Settings, make_source
from tests.running import DEADLINE, business, daemon, rows, running, until
from tests.sources.conftest import need
from tests.sources.rig import rating
from tests.sources.rigs import RedisRig
from tests.sources.test_contract import drained, state, taken


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisRig]:
    """Start a Valkey server."""
    need("redis_stream")
    made = RedisRig(tmp_path)
    yield made
    made.close()


async def test_what_a_dead_consumer_had_in_hand_is_taken_over(redis: RedisRig, tmp_path: Path) -> None:
    """Entries that were delivered and never acknowledged, once they are idle long enough."""
    for number in range(1, 6):
        redis.put(rating(number), f"r{number}")
    with redis.client() as client:
        client.xgroup_create("ratings", "feedback_app", id="0")
        assert client.xreadgroup("feedback_app", "dead", {"ratings": ">"}, count=3)
    async with running(daemon(business(tmp_path, config=redis.config()))):
        await until(lambda: len(taken(tmp_path / "feedback.db")) == 5)
        await until(lambda: redis.waiting(tmp_path) == 0)


async def test_a_daemon_that_ends_leaves_no_consumer_behind(redis: RedisRig, tmp_path: Path) -> None:
    """Each start has a name of its own, so they would pile up."""
    await drained(business(tmp_path, config=redis.config()))
    with redis.client() as client:
        assert client.xinfo_consumers("ratings", "feedback_app") == []


async def test_a_lost_group_is_made_anew_from_the_beginning(
    redis: RedisRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said; what comes again is told for a duplicate."""
    ledger = tmp_path / "feedback.db"
    async with running(daemon(business(tmp_path, config=redis.config()))):
        redis.put(rating(1), "r1")
        await until(lambda: len(taken(ledger)) == 1 and redis.waiting(ledger) == 0)
        with redis.client() as client:
            client.xgroup_destroy("ratings", "feedback_app")
        redis.put(rating(2), "r2")
        await until(lambda: taken(ledger) == ["r1", "r2"])
    assert "the group was gone, made anew from the beginning" in caplog.text
    assert rows(ledger, "SELECT received FROM source") == [(3,)]


async def test_a_stream_that_went_back_is_said_and_goes_on(
    redis: RedisRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After FLUSHALL: no crash, the gap is named, what comes then arrives."""
    ledger = tmp_path / "feedback.db"
    one = daemon(business(tmp_path, config=redis.config()))
    async with running(one):
        redis.put(rating(7), "r7")
        await until(lambda: len(taken(ledger)) == 1 and redis.waiting(ledger) == 0)
        with redis.client() as client:
            client.flushall()
        await until(lambda: "stream id went back" in caplog.text)
        redis.put(rating(2), "r2")
        await until(lambda: taken(ledger) == ["r2", "r7"])
        assert state(one, "redis_stream").failures == 0
    (said,) = [one for one in caplog.records if one.message.startswith("stream id went back")]
    assert said.message == "stream id went back from 7-1 to 0-0, entries between may be lost"


async def test_also_between_two_starts(
    redis: RedisRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest id that was seen stands in the ledger."""
    config = business(tmp_path, config=redis.config())
    redis.put(rating(7), "r7")
    await drained(config)
    with redis.client() as client:
        client.flushall()
    redis.put(rating(2), "r2")
    await drained(config)
    assert "stream id went back from 7-1 to 2-1" in caplog.text
    assert taken(tmp_path / "feedback.db") == ["r2", "r7"]


async def test_entries_that_were_trimmed_while_pending_block_nothing(
    redis: RedisRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are gone; that is said."""
    for number in (1, 2):
        redis.put(rating(number), f"r{number}")
    with redis.client() as client:
        client.xgroup_create("ratings", "feedback_app", id="0")
        client.xreadgroup("feedback_app", "dead", {"ratings": ">"}, count=1)
        client.xtrim("ratings", maxlen=1, approximate=False)
    async with running(daemon(business(tmp_path, config=redis.config()))):
        await until(lambda: taken(tmp_path / "feedback.db") == ["r2"] and "trimmed" in caplog.text)


async def test_also_those_that_it_had_read_itself(redis: RedisRig, caplog: pytest.LogCaptureFixture) -> None:
    """Before its connection broke: they are no dead letters, there is nothing to keep of them."""
    source = make_source(Settings(**redis.settings()))
    await source.open(None)
    for number in (1, 2):
        redis.put(rating(number), f"r{number}")
    assert len((await source.receive(500)).received) == 2
    await source.close()
    with redis.client() as client:
        client.xtrim("ratings", maxlen=1, approximate=False)
    await source.open(None)
    (left,) = (await source.receive(500)).received
    await source.acknowledge([left])
    await source.close()
    assert left.id == "2-1"
    assert "trimmed" in caplog.text
    assert redis.waiting(Path()) == 0


async def test_signing_off_loses_nothing_that_a_broken_off_read_still_gets(redis: RedisRig) -> None:
    """The server may learn late that a connection is gone, and serve the read that waited there."""
    forgotten = []  # connections whose end the server is not told

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", redis.port)
        forgotten.append(far_writer)
        back = asyncio.create_task(_pump(far_reader, writer))
        while data := await reader.read(65_536):
            if b"DELCONSUMER" in data:
                redis.put(rating(1), "r1")
            far_writer.write(data)
        back.cancel()
        writer.close()

    proxy = await asyncio.start_server(forward, "127.0.0.1", 0)
    address = f"redis://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/0"
    one = make_source(Settings(**redis.settings() | {"url": address}))
    await one.open(None)
    receiving = asyncio.create_task(one.receive(500))
    with redis.client() as client:
        await until(lambda: client.info("clients")["blocked_clients"] == 1)
    receiving.cancel()
    await asyncio.wait([receiving])
    await one.close()
    proxy.close()

    other = make_source(Settings(**redis.settings()))
    await other.open(None)
    async with asyncio.timeout(DEADLINE):
        while not (batch := await other.receive(500)).received:
            pass
    assert [one.id for one in batch.received] == ["1-1"]
    await other.close()
    for far_writer in forgotten:
        far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


async def test_an_entrys_fields_can_be_the_rating(redis: RedisRig, tmp_path: Path) -> None:
    """With payload = "*"."""
    with redis.client() as client:
        client.xadd("ratings", {"rating": "4", "comment": "ok", "customer": "c1"})
    await drained(business(tmp_path, config=redis.config(payload="*")))
    assert rows(tmp_path / "feedback.db", "SELECT rating, comment FROM feedback") == [(4.0, "ok")]


async def test_an_entry_without_the_payload_is_a_dead_letter(redis: RedisRig, tmp_path: Path) -> None:
    """Which says what the entry has."""
    with redis.client() as client:
        client.xadd("ratings", {"rating": "4", "body": "x"})
    await drained(business(tmp_path, config=redis.config()))
    ((reason, payload),) = rows(tmp_path / "feedback.db", "SELECT reason, payload FROM dead_letter")
    assert reason == "the entry has no field 'payload'; it has 'rating', 'body'"
    assert json.loads(payload) == {"rating": "4", "body": "x"}


async def test_a_key_that_is_no_stream_is_named(redis: RedisRig, tmp_path: Path) -> None:
    """As the reason why the source is down."""
    with redis.client() as client:
        client.set("ratings", "x")
    figures = await drained(business(tmp_path, config=redis.config()))
    assert figures.sources_down == {"redis_stream": "the key ratings is no stream"}
