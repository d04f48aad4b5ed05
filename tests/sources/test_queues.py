"""What the cloud queue and JetStream do beyond the contract."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from feedback_app import SourceDown
from feedback_app.plugins import nats_jetstream
from feedback_app.plugins.cloud_queue import Settings, make_source
from tests.running import business, daemon, running, until
from tests.sources.conftest import need
from tests.sources.rig import rating
from tests.sources.rigs import CloudRig, NatsRig
from tests.sources.test_contract import drained, taken


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudRig]:
    """Start an imitation of SQS."""
    need("cloud_queue")
    made = CloudRig(tmp_path)
    yield made
    made.close()


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[NatsRig]:
    """Start a NATS server."""
    need("nats_jetstream")
    made = NatsRig(tmp_path)
    yield made
    made.close()


async def test_a_message_stays_hidden_as_long_as_it_is_worked_on(cloud: CloudRig) -> None:
    """Its invisibility is extended, again and again, until it is deleted."""
    from moto.sqs.models import sqs_backends

    cloud.put(rating(1), "r1")
    source = make_source(Settings(**cloud.settings()))
    await source.open(None)
    try:
        batch = await source.receive(500)
        (message,) = sqs_backends["123456789012"]["eu-central-1"].queues[f"ratings-{cloud.port}"]._messages
        first = message.visible_at
        await until(
            lambda: message.visible_at > first + 1500
        )  # milliseconds; twice more than it was hidden for
        await source.acknowledge(batch.received)
        assert await asyncio.to_thread(cloud.waiting, Path()) == 0
    finally:
        await source.close()


async def test_many_messages_come_by_several_requests(cloud: CloudRig, tmp_path: Path) -> None:
    """More than the ten that one request may bring."""
    for number in range(45):
        cloud.put(rating(number), "")
    source = make_source(Settings(**cloud.settings()))
    await source.open(None)
    try:
        assert len((await source.receive(500)).received) > 10
    finally:
        await source.close()


async def test_a_request_that_fails_hides_nothing_that_others_got(cloud: CloudRig) -> None:
    """Else messages would be out of sight until their invisibility ends."""
    for number in range(15):
        cloud.put(rating(number), "")
    source: Any = make_source(Settings(**cloud.settings()))
    await source.open(None)
    try:
        poll = source._poll

        async def poll_badly(wait: int, *most: int) -> Any:
            if not wait:
                raise SourceDown("the service refuses: OverLimit")
            return await poll(wait, *most)

        source._poll = poll_badly
        assert len((await source.receive(500)).received) == 10
    finally:
        await source.close()


async def test_a_message_that_is_not_deleted_keeps_no_other(
    cloud: CloudRig, caplog: pytest.LogCaptureFixture
) -> None:
    """A request that fails for one message is said, and that one comes again."""
    for number in range(2):
        cloud.put(rating(number), "")
    source = make_source(Settings(**cloud.settings()))
    await source.open(None)
    try:
        first, second = (await source.receive(500)).received
        await source.acknowledge([structs.replace(first, handle="gone"), second])
        assert await asyncio.to_thread(cloud.waiting, Path()) == 1
        again: list[str] = []
        while not again:
            again = [one.id for one in (await source.receive(500)).received]
        assert again == [first.id]
    finally:
        await source.close()
    assert "messages may come twice" in caplog.text


async def test_a_missing_queue_is_named(cloud: CloudRig, tmp_path: Path) -> None:
    """As the reason why the source is down."""
    figures = await drained(business(tmp_path, config=cloud.config(queue="nowhere")))
    assert figures.sources_down == {"cloud_queue": "there is no queue nowhere"}


async def test_a_missing_stream_is_named(stream: NatsRig, tmp_path: Path) -> None:
    """With the command that makes it."""
    figures = await drained(business(tmp_path, config=stream.config(stream="NOWHERE")))
    assert figures.sources_down == {
        "nats_jetstream": "there is no stream NOWHERE; make it: nats stream add NOWHERE"
    }


async def test_a_stream_that_is_made_anew_is_another(stream: NatsRig, tmp_path: Path) -> None:
    """Its sequence begins again, and its messages are no duplicates of the old ones."""
    ledger = tmp_path / "feedback.db"

    async def publish(context: Any) -> None:
        await context.publish("ratings", b'{"rating": 5}')  # neither an id of the payload nor of the message

    async def make_anew(context: Any) -> None:
        await context.delete_stream("RATINGS")
        await context.add_stream(name="RATINGS", subjects=["ratings"])

    config = business(tmp_path, config=stream.config())
    stream._with_stream(publish)
    await drained(config)
    stream._with_stream(make_anew)
    stream._with_stream(publish)
    await drained(config)
    assert len(taken(ledger)) == 2


async def test_also_while_the_daemon_runs(stream: NatsRig, tmp_path: Path) -> None:
    """Nobody tells it that the stream is another one now."""
    ledger = tmp_path / "feedback.db"

    async def make_anew(context: Any) -> None:
        await context.delete_stream("RATINGS")
        await context.add_stream(name="RATINGS", subjects=["ratings"])

    async with running(daemon(business(tmp_path, config=stream.config()))):
        stream._with_stream(lambda context: context.publish("ratings", b'{"rating": 5}'))
        await until(lambda: len(taken(ledger)) == 1)
        stream._with_stream(make_anew)
        stream._with_stream(lambda context: context.publish("ratings", b'{"rating": 4}'))
        await until(lambda: len(taken(ledger)) == 2)


async def test_a_message_has_the_same_id_when_it_comes_again(stream: NatsRig) -> None:
    """Where neither the payload nor a header says one."""
    stream._with_stream(lambda context: context.publish("ratings", b'{"rating": 5}'))
    source = nats_jetstream.make_source(nats_jetstream.Settings(**stream.settings()))
    found: list[str] = []
    while len(found) < 2:
        await source.open(None)
        found += [one.id for one in (await source.receive(500)).received]
        await source.close()
    assert found[0] == found[1]


@pytest.mark.parametrize("how", [{"ack_policy": "none"}, {"deliver_subject": "pushed"}])
async def test_a_consumer_that_forgets_before_the_commit_is_refused(
    stream: NatsRig, how: dict[str, Any]
) -> None:
    """One that somebody made: what it delivers once would be lost with this process."""
    await stream.server.ask(lambda js: js.add_consumer("RATINGS", durable_name="feedback_app", **how))
    source = nats_jetstream.make_source(nats_jetstream.Settings(**stream.settings()))
    with pytest.raises(SourceDown, match="must be one to pull from, with AckPolicy explicit"):
        await source.open(None)
    await source.close()


async def test_a_subject_is_that_of_the_consumer(stream: NatsRig, tmp_path: Path) -> None:
    """Whoever changes it is told that the consumer still brings the old one's messages."""

    async def fill(context: Any) -> None:
        await context.update_stream(name="RATINGS", subjects=["ratings", "shop.*"])
        for subject in ("ratings", "shop.web", "shop.app"):
            await context.publish(subject, rating(len(subject), id=subject))

    stream._with_stream(fill)
    await drained(business(tmp_path, config=stream.config(subject="shop.*")))
    assert taken(tmp_path / "feedback.db") == ["shop.app", "shop.web"]
    figures = await drained(business(tmp_path, config=stream.config(subject="ratings")))
    assert figures.sources_down == {
        "nats_jetstream": "the consumer feedback_app is not for ratings: name another durable"
    }
    await drained(business(tmp_path, config=stream.config(subject="ratings", durable="other")))
    assert taken(tmp_path / "feedback.db") == ["ratings", "shop.app", "shop.web"]


async def test_a_server_that_does_not_answer_costs_no_connection(
    stream: NatsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again and again, for hours."""
    monkeypatch.setattr("feedback_app.plugins._jetstream_consumer._CONNECT", 0.2)
    source = nats_jetstream.make_source(nats_jetstream.Settings(**stream.settings()))
    before = _open_files()
    stream.server.freeze()
    for _ in range(3):
        with pytest.raises(SourceDown, match="no server can be reached"):
            await source.open(None)
        await source.close()
    assert _open_files() <= before


@pytest.mark.parametrize(
    ("sound", "hosts", "warned"), [((99, 0), 2, True), ((99, 0), 1, False), (None, 2, False)]
)
async def test_an_old_cluster_is_warned_of(
    stream: NatsRig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    sound: tuple[int, int] | None,
    hosts: int,
    warned: bool,
) -> None:
    """Not a single server of whatever age, nor a cluster of the current one."""
    if sound is not None:
        monkeypatch.setattr("feedback_app.plugins._jetstream_consumer._SOUND", sound)
    url = stream.server.url
    servers = [url, url.replace("127.0.0.1", "localhost")][:hosts]
    source = nats_jetstream.make_source(nats_jetstream.Settings(**{**stream.settings(), "servers": servers}))
    await source.check()
    await source.close()
    assert ("old cluster may lose messages" in caplog.text) is warned


async def test_what_was_acknowledged_last_has_left_when_it_is_closed(stream: NatsRig) -> None:
    """Acknowledging waits for no answer; nothing has to come again because of that."""
    source = nats_jetstream.make_source(nats_jetstream.Settings(**stream.settings()))
    for number in range(200):
        stream.put(rating(number), f"r{number}")
    await source.open(None)
    received = list((await source.receive(500)).received)
    while len(received) < 200:
        received += (await source.receive(500)).received
    await source.acknowledge(received)
    await source.close()
    await until(lambda: stream.waiting(Path()) == 0)


async def test_a_server_that_does_not_answer_holds_up_no_acknowledgement(stream: NatsRig) -> None:
    """What it was told last comes again, as a duplicate."""
    source = nats_jetstream.make_source(nats_jetstream.Settings(**stream.settings()))
    stream.put(rating(1), "r1")
    await source.open(None)
    try:
        batch = await source.receive(500)
        stream.server.freeze()
        async with asyncio.timeout(1):
            await source.acknowledge(batch.received)
    finally:
        await source.close()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nothing_is_given_up_in_silence(stream: NatsRig, tmp_path: Path) -> None:
    """The server delivers as often as it takes."""
    await drained(business(tmp_path, config=stream.config()))
    facts = stream._with_stream(lambda context: context.consumer_info("RATINGS", "feedback_app"))
    assert facts.config.max_deliver == -1


async def test_a_consumer_that_was_deleted_is_made_again(stream: NatsRig, tmp_path: Path) -> None:
    """While the daemon runs; what comes again is told for a duplicate."""
    ledger = tmp_path / "feedback.db"
    async with running(daemon(business(tmp_path, config=stream.config()))):
        stream.put(rating(1), "r1")
        await until(lambda: taken(ledger) == ["r1"])
        stream._with_stream(lambda context: context.delete_consumer("RATINGS", "feedback_app"))
        stream.put(rating(2), "r2")
        await until(lambda: taken(ledger) == ["r1", "r2"])
