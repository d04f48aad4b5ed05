"""What Prometheus is told: true to the ledger, and told whatever else does not answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from feedback_app.daemon import Daemon
from feedback_app.metrics import Metrics
from feedback_app.model import Customer
from feedback_app.settings import load_settings
from feedback_app.tally import Histogram
from tests.making import NOW, incoming
from tests.metrics.reading import FICKLE, METRICS, by_labels, samples_of, told_in, value_of
from tests.running import add, business, daemon, rows, running, serving, until


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
    told = told_in(tmp_path)

    assert dict(rows(ledger, "SELECT ended, count(*) FROM feedback GROUP BY ended")) == {
        ended: count for (ended,), count in by_labels(told, "ratings_processed_total", "ended").items()
    }
    attempts = "SELECT provider, outcome, count(*) FROM delivery_attempt GROUP BY provider, outcome"
    assert {
        ("chat", plugin, outcome): count for plugin, outcome, count in rows(ledger, attempts)
    } == by_labels(told, "message_attempts_total", "channel", "provider", "outcome")
    messages = "SELECT channel, state, count(*) FROM message GROUP BY channel, state"
    assert {(channel, state): count for channel, state, count in rows(ledger, messages)} == by_labels(
        told, "messages_total", "channel", "outcome"
    )
    assert by_labels(told, "message_attempts_total", "outcome").keys() == {
        ("sent",),
        ("temporary",),
        ("permanent",),
        ("bug",),
    }
    tries = rows(ledger, "SELECT count(*) FROM delivery_attempt")[0][0]
    assert sum(by_labels(told, "message_send_seconds_count", "channel").values()) == tries
    assert sum(by_labels(told, "message_delivery_seconds_count", "channel").values()) == 30
    assert value_of(told, "rating_processing_seconds_count") == 47
    assert by_labels(told, "messages_queued", "channel") == {("chat",): 0}
    assert value_of(told, "messages_dead") == 10
    assert value_of(told, "ratings_waiting") == 0
    assert value_of(told, "low_ratings_open") == 7
    assert value_of(told, "running") == 0
    assert 0 < value_of(told, "ledger_bytes") <= ledger.stat().st_size  # its log is folded back later
    for (name, labels), value in told.items():  # a histogram's buckets add up
        if name.endswith("_bucket") and ("le", "+Inf") in labels:
            rest = labels - {("le", "+Inf")}
            assert told[name.removesuffix("_bucket") + "_count", rest] == value


async def test_what_is_submitted_is_counted_under_one_name(tmp_path: Path) -> None:
    """Whatever source a rating names: labels are few."""
    one = daemon(business(tmp_path, config=METRICS))
    async with running(one):
        for number in range(3):
            await asyncio.wrap_future(
                one.submit(incoming(f"r{number}", source=f"s{number}", customer=None).feedback)
            )
        await asyncio.wrap_future(one.submit(incoming("r0", source="s0", customer=None).feedback))
    assert by_labels(told_in(tmp_path), "ratings_received_total", "source") == {("submitted",): 3}


async def test_on_a_server(tmp_path: Path, postgres_url: str) -> None:
    """The same, with what the server says of its size; there is no log beside it."""
    one = daemon(business(tmp_path, config=f'[store]\nurl = "{postgres_url}"\n{METRICS}'))
    async with running(one):
        await asyncio.wrap_future(one.submit(incoming("r1", rating=1).feedback))
        await until(lambda: one._tally.processed)
    told = told_in(tmp_path)
    assert by_labels(told, "writer_batch_size_count", "writer").keys() == {("writer",), ("claimer",)}
    assert value_of(told, "ledger_bytes") > 0
    assert ("feedback_app_ledger_wal_bytes", frozenset()) not in told
    assert value_of(told, "low_ratings_open") == 1


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
        told = samples_of((tmp_path / "other.prom").read_text())
        assert by_labels(told, "ratings_processed_total", "ended") == {("low",): 1}
        assert value_of(told, "running") == 1
        await until(lambda: not (tmp_path / "feedback_app.prom").exists())  # else it would be read for ever


async def test_a_ledger_that_does_not_answer_leaves_out_its_figures(tmp_path: Path) -> None:
    """The others are told: that is when they are needed."""
    one = daemon(business(tmp_path))
    async with running(one):
        service = serving(one)
        metrics = Metrics(service, lambda: NOW)
        await metrics.refresh()
        whole = samples_of(metrics.text().decode())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("feedback_app.metrics.registry._PATIENCE", 0.0)
            await metrics.refresh()
        partly = samples_of(metrics.text().decode())
    assert ("feedback_app_ratings_waiting", frozenset()) in whole
    assert ("feedback_app_ratings_waiting", frozenset()) not in partly
    assert by_labels(partly, "channel_up", "channel") == {("chat",): 1}


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
