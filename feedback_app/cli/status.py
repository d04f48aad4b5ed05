"""`feedback-app status`: what waits, what is done and what is wrong; `--json` for monitors, see docs/operations.md."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from feedback_app import __version__
from feedback_app.cli.alive import must_be_alive
from feedback_app.cli.context import Program, echo_json, iso, json_option, shown
from feedback_app.clock import now_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds
    from feedback_app.settings import Settings
    from feedback_app.store.store import Store


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

    now = now_ms()
    counts = await store.read(queries.counts)
    waiting = await store.read(queries.waiting)
    overview = await store.read(queries.overview)
    room = await store.room()
    last = await store.read(daemons.last)
    paused = await store.read(partial(starts.paused, now=now))
    pid = await store.running_daemon()
    running = await store.read(daemons.running) if pid is not None else []
    known = await store.read(sources.known)
    queues = waiting["channels"]
    oldest_message = min((one["oldest"] for one in queues.values()), default=None)
    return {
        "version": __version__,
        "config_files": [str(file) for file in settings.files],
        "ledger": store.name,
        "ledger_warning": store.overgrown(),
        "storage": {
            "schema": overview["schema"],
            "bytes": room.ledger,
            "wal_bytes": room.log,
            "free_bytes": room.free,
        },
        "daemon": {
            "running": pid is not None,
            "pid": pid or None,
            "last_seen": iso(last["heartbeat_at"]) if last else None,
            "paused_until": iso(paused[1]) if paused else None,
            "paused_for": paused[0] if paused else None,
        },
        **counts,
        "daemons": [_one_daemon(one, now) for one in running],
        "oldest_waiting_rating": iso(waiting["oldest_rating"]),
        "oldest_waiting_rating_seconds": _age(waiting["oldest_rating"], now),
        "oldest_waiting_message": iso(oldest_message),
        "oldest_waiting_message_seconds": _age(oldest_message, now),
        "channels": _channels(queues, _fares(running)),
        "sources": sources_now(known, running),
        "limits": await store.read(partial(_limits, settings=settings, now=now)),
        "suppressed_addresses": overview["suppressed_addresses"],
        "dead_letters": overview["dead_letters"],
        "reports": {
            name: {**_next_report(settings, name), **_last_report(overview["reports"].get(name))}
            for name in settings.reports
        },
        "backup": _backup(settings, now),
    }


def _age(since: Milliseconds | None, now: Milliseconds) -> int | None:
    """Return the whole seconds since then."""
    return None if since is None else max(0, (now - since) // 1000)


def _limits(connection: Connection, settings: Settings, now: Milliseconds) -> dict[str, Any]:
    """Return what each limited plugin was given within a day, by all daemons together, and what is left of that."""
    from feedback_app.store import limits

    found = {}
    for plugin, limit in settings.limits.items():
        used = limits.used(connection, plugin, now) if limit.per_day else None
        found[plugin] = {
            "per_second": limit.per_second or None,
            "per_day": limit.per_day or None,
            "used": used,
            "left": None if used is None else max(0, limit.per_day - used),
        }
    return found


def _last_report(made: Mapping[str, Any] | None) -> dict[str, Any]:
    facts = made or {"date": None, "made_at": None, "occasion": None}
    return {
        "last_date": facts["date"],
        "last_made_at": iso(facts["made_at"]),
        "last_occasion": facts["occasion"],
    }


def _one_daemon(facts: dict[str, Any], now: Milliseconds) -> dict[str, Any]:
    return {
        "id": facts["boot_id"],
        "host": facts["host"],
        "pid": facts["pid"],
        "started_at": iso(facts["started_at"]),
        "heartbeat_at": iso(facts["heartbeat_at"]),
        "heartbeat_seconds": _age(facts["heartbeat_at"], now),
        "version": facts["process"].get("version"),
        "log_lines_dropped": facts["process"].get("log_lines_dropped"),
    }


def _fares(running: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how the channels fare; where daemons differ, as the first one sees it that has trouble."""
    found: dict[str, Any] = {}
    for one in running:
        for channel, fares in one["channels"].items():
            if not found.get(channel, {}).get("providers"):
                found[channel] = fares
    return found


def _channels(waiting: dict[str, Any], fares: dict[str, Any]) -> dict[str, Any]:
    channels = {}
    for name in sorted({*waiting, *fares}):
        queue = waiting.get(name, {})
        trouble = fares.get(name)
        channels[name] = {
            "state": "unknown" if trouble is None else "down" if trouble["reason"] else "up",
            "queued": queue.get("queued", 0),
            "oldest": iso(queue.get("oldest")),
            "next_attempt": iso(queue.get("next_attempt")),
            "down_since": iso(trouble["down_since"]) if trouble else None,
            "reason": trouble["reason"] if trouble else None,
            "providers_down": {
                plugin: {
                    "down_since": iso(one["down_since"]),
                    "reason": one["reason"],
                    "suspended": one.get("suspended", False),
                }
                for plugin, one in (trouble or {}).get("providers", {}).items()
            },
        }
    return channels


def _next_report(settings: Settings, name: str) -> dict[str, Any]:
    from feedback_app.concurrency import Cron

    one = settings.reports[name]
    due = Cron(f"{one.time_of_day.minute} {one.time_of_day.hour} * * *", one.timezone)
    return {"next": due.next_after(datetime.now(UTC)).isoformat(timespec="seconds"), "to": len(one.to)}


def _backup(settings: Settings, now: Milliseconds) -> dict[str, Any] | None:
    from feedback_app.backups import facts

    found = facts(settings, datetime.fromtimestamp(now / 1000, UTC))
    if found is None:
        return None
    times = {
        key: found[key].isoformat(timespec="seconds") if found[key] else None for key in ("last", "next")
    }
    return {"directory": found["directory"], **times}


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
        click.echo(f"its start is paused until {daemon['paused_until']}: {shown(daemon['paused_for'])}")
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
        click.echo(f"report {name}: next {one['next']}, {one['to']} recipient{'' if one['to'] == 1 else 's'}")
    if backup := data["backup"]:
        click.echo(f"backup        last {backup['last'] or 'never'}, next {backup['next']}")


def _show_sources(found: dict[str, Any]) -> None:
    for name, one in found.items():
        if one["state"] == "down":
            click.echo(f"source {name} is down since {one['down_since']}: {shown(one['reason'])}")
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
            click.echo(f"channel {name} is down since {one['down_since']}: {shown(one['reason'])}")
            continue
        for plugin, trouble in one["providers_down"].items():
            click.echo(
                f"channel {name}: {plugin} is down since {trouble['down_since']}, the next provider serves it: "
                f"{shown(trouble['reason'])}"
            )
