"""What Prometheus is told: true to the ledger, whole at every moment, and of nobody in particular."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from feedback_app.daemon import Daemon
from feedback_app.metrics import Metrics
from feedback_app.model import Customer
from feedback_app.settings import load_settings
from feedback_app.tally import Histogram
from tests.making import NOW, incoming
from tests.running import DEADLINE, RECORDER, add, business, daemon, rows, running, serving, until

GUIDE = Path(__file__).parents[2] / "docs" / "operations.md"
METRICS = '[metrics]\ntextfile = "feedback_app.prom"\ninterval = "1s"\n'
FICKLE = RECORDER.replace(
    "        with LOG.open",
    """        from feedback_app import OutcomeUnknown, PermanentFailure, TemporaryFailure
        what = message.feedback_id % 4
        if what == 1 and message.attempt == 1:
            raise TemporaryFailure("try again")
        if what == 2:
            raise PermanentFailure("no such person")
        if what == 3 and message.attempt == 1:
            raise ValueError("a bug")
        with LOG.open""",
)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _samples(text: str) -> Samples:
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def _told(folder: Path) -> Samples:
    return _samples((folder / "feedback_app.prom").read_text())


def _by(samples: Samples, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """Return the samples of one name by the values of some labels."""
    return {
        tuple(dict(found)[label] for label in labels): value
        for (one, found), value in samples.items()
        if one == f"feedback_app_{name}"
    }


def _one(samples: Samples, name: str) -> float:
    return samples[f"feedback_app_{name}", frozenset()]


async def test_counters_are_what_the_ledger_says(tmp_path: Path) -> None:
    """After a run with every kind of failure; the last write is of the very end."""
    config = business(
        tmp_path,
        plugin=FICKLE,
        config=METRICS + '[delivery]\nbackoff_initial = "1ms"\nbackoff_maximum = "1ms"\n',
    )
    ledger = tmp_path / "feedback.db"
    contacts = [Customer(id=f"c{number}", preferred_channels=("chat",)) for number in range(40)]
    await add(ledger, [incoming(f"r{one.id}", customer=one.id, contact=one) for one in contacts], NOW)
    await add(ledger, [incoming(f"low{number}", rating=1) for number in range(7)], NOW)
    async with running(daemon(config)):
        settled = "SELECT 1 FROM message WHERE state IN ('sent', 'dead') GROUP BY 1 HAVING count(*) = 40"
        await until(lambda: rows(ledger, settled))
    told = _told(tmp_path)

    assert dict(rows(ledger, "SELECT ended, count(*) FROM feedback GROUP BY ended")) == {
        ended: count for (ended,), count in _by(told, "ratings_processed_total", "ended").items()
    }
    attempts = "SELECT provider, outcome, count(*) FROM delivery_attempt GROUP BY provider, outcome"
    assert {("chat", plugin, outcome): count for plugin, outcome, count in rows(ledger, attempts)} == _by(
        told, "message_attempts_total", "channel", "provider", "outcome"
    )
    messages = "SELECT channel, state, count(*) FROM message GROUP BY channel, state"
    assert {(channel, state): count for channel, state, count in rows(ledger, messages)} == _by(
        told, "messages_total", "channel", "outcome"
    )
    assert _by(told, "message_attempts_total", "outcome").keys() == {
        ("sent",),
        ("temporary",),
        ("permanent",),
        ("bug",),
    }
    tries = rows(ledger, "SELECT count(*) FROM delivery_attempt")[0][0]
    assert sum(_by(told, "message_send_seconds_count", "channel").values()) == tries
    assert sum(_by(told, "message_delivery_seconds_count", "channel").values()) == 30
    assert _one(told, "rating_processing_seconds_count") == 47
    assert _by(told, "messages_queued", "channel") == {("chat",): 0}
    assert _one(told, "messages_dead") == 10
    assert _one(told, "ratings_waiting") == 0
    assert _one(told, "low_ratings_open") == 7
    assert _one(told, "running") == 0
    assert 0 < _one(told, "ledger_bytes") <= ledger.stat().st_size  # its log is folded back later
    for (name, labels), value in told.items():  # a histogram's buckets add up
        if name.endswith("_bucket") and ("le", "+Inf") in labels:
            rest = labels - {("le", "+Inf")}
            assert told[name.removesuffix("_bucket") + "_count", rest] == value


def _drafts(folder: Path) -> list[Path]:
    return list(folder.glob(".feedback_app*"))


async def test_what_is_submitted_is_counted_under_one_name(tmp_path: Path) -> None:
    """Whatever source a rating names: labels are few."""
    one = daemon(business(tmp_path, config=METRICS))
    async with running(one):
        for number in range(3):
            await asyncio.wrap_future(
                one.submit(incoming(f"r{number}", source=f"s{number}", customer=None).feedback)
            )
        await asyncio.wrap_future(one.submit(incoming("r0", source="s0", customer=None).feedback))
    assert _by(_told(tmp_path), "ratings_received_total", "source") == {("submitted",): 3}


async def test_the_file_is_whole_at_every_moment(tmp_path: Path) -> None:
    """Somebody who reads it all the time sees all of it each time; it can be read by everybody, whatever the umask."""
    before = os.umask(0o077)
    ended = threading.Event()
    seen: list[bool] = []

    def read() -> None:
        while not ended.is_set():
            text = (tmp_path / "feedback_app.prom").read_text()
            seen.append("feedback_app_report_made_timestamp_seconds" in text and text.endswith("\n"))

    one = daemon(business(tmp_path, config=METRICS))
    try:
        async with running(one):
            await until((tmp_path / "feedback_app.prom").exists)
            reader = threading.Thread(target=read)
            reader.start()
            textfile = serving(one)._textfile
            assert textfile is not None
            try:
                for _ in range(30):
                    await textfile.write()
            finally:
                ended.set()
                reader.join()
    finally:
        os.umask(before)
    assert len(seen) > 30
    assert all(seen)
    assert (tmp_path / "feedback_app.prom").stat().st_mode & 0o777 == 0o644
    assert not _drafts(tmp_path)


async def test_a_folder_that_is_not_there_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And when it is there again; the daemon works meanwhile."""
    config = business(tmp_path, config=METRICS.replace('"feedback', '"folder/feedback'))
    one = daemon(config)
    with caplog.at_level("INFO"):
        async with running(one):
            textfile = serving(one)._textfile
            assert textfile is not None
            for _ in range(5):
                await textfile.write()
            (tmp_path / "folder").mkdir()
            await textfile.write()
    said = [record.message for record in caplog.records if "metrics" in record.message]
    assert said == ["metrics not written", "metrics are written again"]
    assert _samples((tmp_path / "folder" / "feedback_app.prom").read_text())


async def test_a_disk_that_does_not_answer_is_said_once_and_waited_for_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the next write nor the end waits again; once it answers all goes on."""
    monkeypatch.setattr("feedback_app.metrics.textfile._PATIENCE", 0.1)
    one = daemon(business(tmp_path, config=METRICS.replace("1s", "1h")))
    async with running(one):
        draft = tmp_path / ".feedback_app.prom.tmp"
        os.mkfifo(draft)  # its opening waits for who reads
        textfile = serving(one)._textfile
        assert textfile is not None
        with caplog.at_level("INFO"):
            await textfile.write()
            stuck = textfile._stuck
            await textfile.write()
            assert textfile._stuck is stuck is not None
            assert stuck.daemon  # the interpreter does not wait for it
            reader = os.open(draft, os.O_RDONLY | os.O_NONBLOCK)
            stuck.join(DEADLINE)
            os.close(reader)
            (tmp_path / "feedback_app.prom").unlink()
            await textfile.write()
    said = [record.message for record in caplog.records if "metrics" in record.message]
    assert said == ["metrics not written", "metrics are written again"]
    assert _one(_told(tmp_path), "running") == 0


async def test_on_a_server(tmp_path: Path, postgres_url: str) -> None:
    """The same, with what the server says of its size; there is no log beside it."""
    one = daemon(business(tmp_path, config=f'[store]\nurl = "{postgres_url}"\n{METRICS}'))
    async with running(one):
        await asyncio.wrap_future(one.submit(incoming("r1", rating=1).feedback))
        await until(lambda: one._tally.processed)
    told = _told(tmp_path)
    assert _by(told, "writer_batch_size_count", "writer").keys() == {("writer",), ("claimer",)}
    assert _one(told, "ledger_bytes") > 0
    assert ("feedback_app_ledger_wal_bytes", frozenset()) not in told
    assert _one(told, "low_ratings_open") == 1


async def test_a_reload_applies_the_settings_and_keeps_the_counts(tmp_path: Path) -> None:
    """Another file, with what was counted before; none any more."""
    config = business(tmp_path, config=METRICS)
    read = partial(load_settings, config, environ={})
    one = Daemon(read(), read_settings=read)
    await add(tmp_path / "feedback.db", [incoming("r1", rating=1)], NOW)
    async with running(one):
        await until(lambda: one._tally.processed)
        business(tmp_path, config=METRICS.replace('"feedback_app.prom', '"other.prom'))
        first = serving(one)
        one.reload()
        await until(lambda: serving(one) is not first and (tmp_path / "other.prom").exists())
        told = _samples((tmp_path / "other.prom").read_text())
        assert _by(told, "ratings_processed_total", "ended") == {("low",): 1}
        assert _one(told, "running") == 1
        await until(lambda: not (tmp_path / "feedback_app.prom").exists())  # else it would be read for ever


async def test_a_ledger_that_does_not_answer_leaves_out_its_figures(tmp_path: Path) -> None:
    """The others are told: that is when they are needed."""
    one = daemon(business(tmp_path))
    async with running(one):
        service = serving(one)
        metrics = Metrics(service, lambda: NOW)
        await metrics.refresh()
        whole = _samples(metrics.text().decode())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("feedback_app.metrics.registry._PATIENCE", 0.0)
            await metrics.refresh()
        partly = _samples(metrics.text().decode())
    assert ("feedback_app_ratings_waiting", frozenset()) in whole
    assert ("feedback_app_ratings_waiting", frozenset()) not in partly
    assert _by(partly, "channel_up", "channel") == {("chat",): 1}


@pytest.fixture
def section() -> str:
    """Return what the guide says of metrics."""
    found = re.search(
        r"^## Metrics$.*?(?=^## |\Z)", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found
    return found[0]


async def test_the_guide_lists_every_metric(tmp_path: Path, section: str) -> None:
    """With its kind and its labels, and no other."""
    one = daemon(business(tmp_path, config=METRICS))
    async with running(one):
        families = list(Metrics(serving(one), lambda: NOW).registry.collect())
    listed = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE))
    suffix = {"counter": "_total"}

    assert {one.name + suffix.get(one.type, ""): one.type for one in families} == listed
    for line in section.splitlines():
        if line.startswith("| `feedback_app_"):
            name, _, labels, _says = [cell.strip(" `") for cell in line.strip("|").split("|")]
            family = next(one for one in families if one.name + suffix.get(one.type, "") == name)
            assert labels.replace("`", "") == ", ".join(getattr(family, "_labelnames", ())), name


def _labels(samples: Samples) -> Iterator[str]:
    for _, labels in samples:
        yield from dict(labels).values()


async def test_no_label_names_a_customer(tmp_path: Path) -> None:
    """Nor an address, an item or words, though all of them are sent and fail."""
    contact = Customer(
        id="canary-id", name="Canary", preferred_channels=("chat",), addresses={"chat": "canary@x.org"}
    )
    await add(
        tmp_path / "feedback.db",
        [incoming("canary-r", comment="canary", customer="canary-id", contact=contact)],
        NOW,
    )
    config = business(tmp_path, plugin=FICKLE, config=METRICS)
    await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    text = (tmp_path / "feedback_app.prom").read_text()
    assert "canary" not in text.lower()
    assert set(_labels(_samples(text))) & {"umbrella", "c1"} == set()


def test_a_histogram_counts_each_value_once() -> None:
    """At its bound it belongs below; what a clock that was set back makes of a duration is 0."""
    one = Histogram((1, 5))
    for value in (0.5, 1, 1.5, 5, 6, -3):
        one.add(value)
    assert one.counts == [3, 2, 1]
    assert one.total == 14


def test_nobody_pays_for_what_is_not_asked_for() -> None:
    """The library is loaded only where there is a file to write."""
    check = "import sys, feedback_app.daemon, feedback_app.cli.daemon; assert 'prometheus_client' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)
