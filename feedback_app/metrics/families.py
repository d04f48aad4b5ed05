"""The metrics by name. Labels are channels, plugins, sources, reports and fixed words: never a customer, and few."""

from __future__ import annotations

import platform
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from feedback_app import __version__
from feedback_app.logs import dropped_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from prometheus_client import Metric

    from feedback_app.delivery.dispatcher import Dispatcher
    from feedback_app.intake.sourcing import Sourcing
    from feedback_app.model import Milliseconds
    from feedback_app.parts import Part
    from feedback_app.store.sizes import Room
    from feedback_app.store.writer import GroupCommitWriter
    from feedback_app.tally import Histogram, Tally

_PREFIX = "feedback_app_"
_FINAL = ("sent", "held", "suppressed", "dead")  # states of a message that end what the daemon does for it
OTHER = "other"  # channels that no plugin serves any more


def _counter(name: str, says: str, values: Mapping[Any, float], *labels: str) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, says, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(_words(key), value)
    return family


def _gauge(name: str, says: str, values: Mapping[Any, float | None], *labels: str) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, says, labels=labels)
    for key, value in sorted(values.items()):
        if value is not None:
            family.add_metric(_words(key), value)
    return family


def _histogram(name: str, says: str, values: Mapping[Any, Histogram], *labels: str) -> Metric:
    family = HistogramMetricFamily(_PREFIX + name, says, labels=labels)
    for key, value in sorted(values.items()):
        bounds = [*map(floatToGoString, value.bounds), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(value.counts)), strict=True))
        family.add_metric(_words(key), buckets, value.total)
    return family


def _words(key: str | tuple[str, ...]) -> Sequence[str]:
    return (key,) if isinstance(key, str) else key


def of_process(tally: Tally, now: Milliseconds, *, running: bool) -> Iterator[Metric]:
    """Yield what is known of the process itself."""
    build = {(__version__, platform.python_version()): 1}
    yield _gauge("build_info", "1, of this version of the program", build, "version", "python")
    yield _gauge("running", "1 while the daemon runs, 0 once it has ended in order", {(): int(running)})
    yield _gauge("metrics_timestamp_seconds", "When these figures were read", {(): now / 1000})
    beat = tally.heartbeat_at
    beats = {(): None if beat is None else beat / 1000}
    yield _gauge("heartbeat_timestamp_seconds", "When the last heartbeat reached the ledger", beats)
    yield _counter("loop_stalls", "Times that something held the event loop up", {(): tally.stalls})
    yield _counter("log_lines_dropped", "Log lines that nobody took in time", {(): dropped_lines()})


def of_tally(tally: Tally) -> Iterator[Metric]:
    """Yield what the parts have counted."""
    tries = dict(tally.tries)
    yield _counter(
        "ratings_received",
        "New ratings that sources brought or that were submitted",
        dict(tally.received),
        "source",
    )
    yield _counter(
        "ratings_processed", "Ratings processed, by where their road ended", dict(tally.processed), "ended"
    )
    yield _counter("rating_failures", "Tries of ratings that failed", {(): tally.failures})
    messages = Counter({(channel, "suppressed"): count for channel, count in dict(tally.opted_out).items()})
    attempts: Counter[tuple[str, str, str]] = Counter()
    for one, count in tries.items():
        if one.state in _FINAL:
            messages[one.channel, one.state] += count
        if one.provider:
            attempts[one.channel, one.provider, one.outcome] += count
    yield _counter("messages", "Messages by how they ended", messages, "channel", "outcome")
    yield _counter(
        "message_attempts", "Tries of messages by how they ended", attempts, "channel", "provider", "outcome"
    )
    yield _histogram(
        "rating_processing_seconds", "From a rating's arrival to its outcome", {(): tally.processing}
    )
    yield _histogram(
        "message_send_seconds", "How long one try of a message took", dict(tally.sends), "channel", "provider"
    )
    yield _histogram(
        "message_delivery_seconds",
        "From a message's making to its sending",
        dict(tally.deliveries),
        "channel",
    )


def of_writers(writers: Mapping[str, GroupCommitWriter]) -> Iterator[Metric]:
    """Yield how the ledger is written."""
    sizes = {name: one.sizes for name, one in writers.items()}
    yield _histogram("writer_batch_size", "Units of work in one transaction", sizes, "writer")
    seconds = {name: one.seconds for name, one in writers.items()}
    yield _histogram("writer_commit_seconds", "How long a transaction took", seconds, "writer")


def of_parts(
    parts: Sequence[Part], dispatchers: Sequence[Dispatcher], sourcings: Sequence[Sourcing]
) -> Iterator[Metric]:
    """Yield how sources, pipeline and channels fare."""
    in_flight = {one.name: one.in_flight for one in parts}
    yield _gauge("in_flight", "Ratings or messages that a part has begun and not ended", in_flight, "part")
    channels = {one.channel: int(not one.reason) for one in dispatchers}
    yield _gauge("channel_up", "1 while somebody serves the channel", channels, "channel")
    providers = {
        (one.channel, provider.name): int(not provider.health.down)
        for one in dispatchers
        for provider in one.providers
    }
    yield _gauge("provider_up", "0 while the plugin is down or suspended", providers, "channel", "provider")
    sources = {one.name: int(one.condition.state != "down") for one in sourcings}
    yield _gauge("source_up", "0 while the source is down", sources, "source")
    lags = {one.name: one.condition.lag for one in sourcings}
    yield _gauge("source_lag", "What waits on the far side, where the source tells", lags, "source")


def of_queues(waits: dict[str, Any] | None, channels: Collection[str], now: Milliseconds) -> Iterator[Metric]:
    """Yield what waits in the ledger, for all daemons that share it."""
    found = waits or {}
    yield _gauge("ratings_waiting", "Ratings not processed yet", {(): found.get("received")})
    yield _gauge(
        "ratings_dead", "Ratings given up, and payloads that are none", {(): found.get("ratings_dead")}
    )
    oldest = found.get("oldest_rating")
    age = None if waits is None else _age(oldest, now)
    yield _gauge("oldest_rating_age_seconds", "How long the oldest of them waits; 0: none", {(): age})
    queued: Counter[str] = Counter(dict.fromkeys(channels, 0) if waits else {})
    ages: dict[str, float] = dict.fromkeys(channels, 0.0) if waits else {}
    for channel, queue in found.get("channels", {}).items():
        name = channel if channel in channels else OTHER
        queued[name] += queue["queued"]
        ages[name] = max(ages.get(name, 0.0), _age(queue["oldest"], now))
    yield _gauge("messages_queued", "Messages that wait", queued, "channel")
    yield _gauge("oldest_message_age_seconds", "How long the oldest of them waits; 0: none", ages, "channel")
    yield _gauge("messages_held", "Messages that may have left", {(): found.get("held")})
    yield _gauge("messages_dead", "Messages given up", {(): found.get("messages_dead")})
    yield _gauge(
        "low_ratings_open", "Low ratings that nobody has taken up", {(): found.get("low_ratings_open")}
    )


def _age(since: Milliseconds | None, now: Milliseconds) -> float:
    return 0.0 if since is None else max(0.0, (now - since) / 1000)


def of_ledger(room: Room | None) -> Iterator[Metric]:
    """Yield what the ledger takes."""
    yield _gauge("ledger_bytes", "Size of the ledger", {(): room and room.ledger})
    yield _gauge("ledger_wal_bytes", "Size of the log beside an SQLite ledger", {(): room and room.log})
    yield _gauge("disk_free_bytes", "Room left where an SQLite ledger is", {(): room and room.free})


def of_reports(made: Mapping[str, Milliseconds]) -> Metric:
    """Return when each report was made last."""
    seconds = {name: at / 1000 for name, at in made.items()}
    return _gauge("report_made_timestamp_seconds", "When the report was made last", seconds, "report")
