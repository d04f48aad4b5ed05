"""`feedback-app run` and `feedback-app status`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from feedback_app.cli.alive import must_be_alive
from feedback_app.cli.context import Program, echo_json, iso, json_option
from feedback_app.clock import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sqlalchemy import Connection

    from feedback_app.daemon import RunFigures
    from feedback_app.settings import Settings
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)


@click.command()
@click.option("--drain", is_flag=True, help="Process and send what is due, then exit.")
@click.pass_obj
def run(program: Program, *, drain: bool) -> None:
    """Run the daemon: process ratings as they come, deliver messages, make the reports.

    SIGTERM or Ctrl-C finishes what is in flight and exits with 0; a second one ends at once. SIGHUP reads the settings,
    plugins and templates again; what is not fit is refused, and the old ones stay.
    """
    from feedback_app.cli.logs import set_up_logging

    settings = program.settings()
    set_up_logging(debug=program.debug)
    if os.geteuid() == 0:
        log.warning("running as root; a user of its own is safer")
    from feedback_app.daemon import Daemon
    from feedback_app.supervisor import Supervisor

    daemon = Daemon(
        settings,
        on_ready=keep_what_stands,
        read_settings=program.read_settings,
        supervisor=Supervisor(),
    )
    figures = _run_loop(lambda: daemon.run(drain=drain))
    if drain:
        _say_drained(figures, program.with_store(lambda store: store.read(_left)))


def keep_what_stands() -> None:
    """Take all objects there are out of the search for garbage; to walk them was a quarter of a rating's cost."""
    gc.collect()  # also tells the collector how many there are, by which it judges when to search through all
    gc.freeze()


def _run_loop(main: Callable[[], Coroutine[Any, Any, RunFigures]]) -> RunFigures:
    """Run on uvloop where it is installed, else on asyncio's own loop."""
    from feedback_app.concurrency.bounded import leaving_nothing

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(leaving_nothing(main()))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _left(connection: Connection) -> dict[str, Any]:
    from feedback_app.store import ratings, status

    counts = status.counts(connection)
    channels = status.waiting(connection)["channels"].values()
    return {
        "low": counts["low_ratings"]["open"],
        "received": counts["feedback"]["received"],
        "retry_at": ratings.next_retry(connection),
        "queued": counts["messages"]["queued"],
        "next_attempt": min((one["next_attempt"] for one in channels), default=None),
        "held": counts["messages"]["held"],
        "dead": counts["messages"]["dead"],
    }


def _say_drained(figures: RunFigures, left: dict[str, Any]) -> None:
    click.echo(
        f"processed {_some(figures.processed, 'rating')}, sent {_some(figures.tries['sent'], 'message')}"
    )
    hint = ": feedback-app low-ratings list" if left["low"] else ""
    click.echo(f"{_some(left['low'], 'low rating')} open{hint}")
    for channel, reason in figures.down.items():
        click.echo(f"channel {channel} is down, its messages wait: {reason}")
    for channel, until in figures.limited.items():
        click.echo(f"channel {channel} has sent all that its limit allows until {iso(until)}")
    for source, reason in figures.sources_down.items():
        click.echo(f"source {source} is down, its ratings wait: {reason}")
    if left["queued"]:
        later = max(left["next_attempt"], now_ms(), min(figures.limited.values(), default=0))
        click.echo(f"{_some(left['queued'], 'message')} waiting for later, the next until {iso(later)}")
    if left["received"]:
        retry = f" for another try, the next until {iso(left['retry_at'])}" if left["retry_at"] else ""
        click.echo(f"{_some(left['received'], 'rating')} waiting{retry}")
    if left["held"]:
        click.echo(
            f"{_some(left['held'], 'message')} held, may have left: feedback-app messages list --state held"
        )
    if left["dead"]:
        click.echo(f"{_some(left['dead'], 'dead letter')}: feedback-app messages list --state dead")


def _some(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


@click.command()
@click.option(
    "--check",
    is_flag=True,
    help="Only exit with 1 unless a daemon runs here whose heartbeat is below 60 s old.",
)
@json_option
@click.pass_obj
def status(program: Program, *, check: bool, as_json: bool) -> None:
    """Show what waits, what is done and what is wrong."""
    settings = program.settings()
    if check:
        program.with_store(must_be_alive)
        return
    data = program.with_store(lambda store: _status(store, settings))
    if as_json:
        echo_json(data)
    else:
        _show(data)


async def _status(store: Store, settings: Settings) -> dict[str, Any]:
    from feedback_app.cli.sources import sources_now
    from feedback_app.store import daemons, sources, starts
    from feedback_app.store import status as queries

    counts = await store.read(queries.counts)
    waiting = await store.read(queries.waiting)
    last = await store.read(daemons.last)
    paused = await store.read(partial(starts.paused, now=now_ms()))
    pid = await store.running_daemon()
    running = await store.read(daemons.running) if pid is not None else []
    known = await store.read(sources.known)
    return {
        "ledger": store.name,
        "ledger_warning": store.overgrown(),
        "daemon": {
            "running": pid is not None,
            "pid": pid or None,
            "last_seen": iso(last["heartbeat_at"]) if last else None,
            "paused_until": iso(paused[1]) if paused else None,
            "paused_for": paused[0] if paused else None,
        },
        **counts,
        "daemons": [_one_daemon(one) for one in running],
        "oldest_waiting_rating": iso(waiting["oldest_rating"]),
        "channels": _channels(waiting["channels"], _down(running)),
        "sources": sources_now(known, running),
        "reports": {name: _next_report(settings, name) for name in settings.reports},
    }


def _one_daemon(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": facts["boot_id"],
        "host": facts["host"],
        "pid": facts["pid"],
        "started_at": iso(facts["started_at"]),
        "heartbeat_at": iso(facts["heartbeat_at"]),
    }


def _down(running: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the channels that some daemon finds down, with what the first of them says."""
    found: dict[str, Any] = {}
    for one in running:
        found = {**one["channels"], **found}
    return found


def _channels(waiting: dict[str, Any], down: dict[str, Any]) -> dict[str, Any]:
    channels = {}
    for name in sorted({*waiting, *down}):
        queue = waiting.get(name, {})
        trouble = down.get(name)
        channels[name] = {
            "queued": queue.get("queued", 0),
            "oldest": iso(queue.get("oldest")),
            "next_attempt": iso(queue.get("next_attempt")),
            "down_since": iso(trouble["down_since"]) if trouble else None,
            "reason": trouble["reason"] if trouble else None,
            "providers_down": {
                plugin: {"down_since": iso(one["down_since"]), "reason": one["reason"]}
                for plugin, one in (trouble or {}).get("providers", {}).items()
            },
        }
    return channels


def _next_report(settings: Settings, name: str) -> dict[str, Any]:
    from feedback_app.concurrency import Cron

    one = settings.reports[name]
    due = Cron(f"{one.time_of_day.minute} {one.time_of_day.hour} * * *", one.timezone)
    return {"next": due.next_after(datetime.now(UTC)).isoformat(timespec="seconds"), "to": len(one.to)}


def _show(data: dict[str, Any]) -> None:
    daemon = data["daemon"]
    if daemon["running"]:
        click.echo("daemon        runs" + (f", pid {daemon['pid']}" if daemon["pid"] else ""))
        if len(data["daemons"]) > 1:
            for one in data["daemons"]:
                click.echo(
                    f"  {one['id']} on {one['host']}, pid {one['pid']}, last heartbeat {one['heartbeat_at']}"
                )
    else:
        click.echo(
            "daemon        does not run"
            + (f", last seen {daemon['last_seen']}" if daemon["last_seen"] else "")
        )
    if daemon["paused_until"]:
        click.echo(f"its start is paused until {daemon['paused_until']}: {daemon['paused_for']}")
    click.echo(f"ledger        {data['ledger']}")
    if data["ledger_warning"]:
        click.echo(f"warning: {data['ledger_warning']}")
    for noun in ("feedback", "low_ratings", "messages"):
        line = "  ".join(f"{state} {count:,}" for state, count in data[noun].items())
        click.echo(f"{noun.replace('_', ' '):<14}{line}")
    if data["oldest_waiting_rating"]:
        click.echo(f"oldest rating waits since {data['oldest_waiting_rating']}")
    _show_channels(data["channels"])
    _show_sources(data["sources"])
    for name, one in data["reports"].items():
        click.echo(f"report {name}: next {one['next']}, {_some(one['to'], 'recipient')}")


def _show_sources(found: dict[str, Any]) -> None:
    for name, one in found.items():
        if one["state"] == "down":
            click.echo(f"source {name} is down since {one['down_since']}: {one['reason']}")
        elif one["state"] == "paused":
            click.echo(f"source {name} is paused: feedback-app sources resume {name}")
        if one["lag"]:
            click.echo(f"source {name}: {one['lag']:,} waiting there")


def _show_channels(found: dict[str, Any]) -> None:
    for name, one in found.items():
        if one["queued"]:
            click.echo(
                f"channel {name}: {one['queued']:,} queued, oldest {one['oldest']}, next {one['next_attempt']}"
            )
        if one["reason"]:
            click.echo(f"channel {name} is down since {one['down_since']}: {one['reason']}")
            continue
        for plugin, trouble in one["providers_down"].items():
            click.echo(
                f"channel {name}: {plugin} is down since {trouble['down_since']}, the next provider serves it: "
                f"{trouble['reason']}"
            )
