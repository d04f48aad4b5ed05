"""`feedback-app sources`: where ratings come from by themselves."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from feedback_app.cli import completing
from feedback_app.cli.context import echo_json, echo_table, iso, json_option, limit_option, shortened
from feedback_app.cli.typed import NAME
from feedback_app.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from feedback_app.cli.context import Program
    from feedback_app.store.store import Store


@click.group()
def group() -> None:
    """See where ratings come from by themselves, pause and resume."""


@group.command(name="list")
@json_option
@click.pass_obj
def list_(program: Program, *, as_json: bool) -> None:
    """List the sources: how each fares, how many wait there, what was its last error.

    running, paused; down: tried again and again; stopped: no daemon runs.
    """
    names = _configured(program)
    found = program.with_store(partial(_now, names=names))
    if as_json:
        echo_json([{"name": name, **facts} for name, facts in found.items()])
        return
    header = ("name", "state", "lag", "received", "dead", "last received", "down since", "reason")
    keys = ("state", "lag", "received", "dead", "received_at", "down_since", "reason")
    echo_table(header, ((name, *(facts[key] for key in keys)) for name, facts in found.items()))


@group.command()
@click.argument("name", type=NAME, shell_complete=completing.sources)
@click.pass_obj
def pause(program: Program, name: str) -> None:
    """Let a source rest, until it is resumed; a running daemon does so within two seconds."""
    from feedback_app.clock import now_ms
    from feedback_app.store import sources

    names = _configured(program)

    async def work(store: Store) -> bool:
        await _must_be_known(store, name, names)
        return await store.write(partial(sources.pause, name=name, now=now_ms()))

    click.echo(f"{name} is paused" if program.with_store(work) else f"{name} was paused already")


@group.command()
@click.argument("name", type=NAME, shell_complete=completing.sources)
@click.pass_obj
def resume(program: Program, name: str) -> None:
    """Let a paused source go on."""
    from feedback_app.store import sources

    names = _configured(program)

    async def work(store: Store) -> bool:
        await _must_be_known(store, name, names)
        return await store.write(partial(sources.resume, name=name))

    click.echo(f"{name} goes on" if program.with_store(work) else f"{name} was not paused")


@group.command()
@click.argument("name", type=NAME, shell_complete=completing.sources, required=False)
@limit_option
@json_option
@click.pass_obj
def dead(program: Program, name: str | None, *, limit: int | None, as_json: bool) -> None:
    """List what sources brought that is no rating, the newest first.

    With --json the payload is text, or `payload_base64` where it is none.
    """
    from feedback_app.store import sources

    names = _configured(program) if name else ()

    async def work(store: Store) -> Sequence[Mapping[str, Any]]:
        if name is not None:
            await _must_be_known(store, name, names)
        return await store.read(partial(sources.dead_letters, name=name, limit=limit))

    letters = program.with_store(work)
    if as_json:
        echo_json([_letter(one) for one in letters])
        return
    header = ("id", "source", "received", "external id", "reason", "payload")
    echo_table(header, (_shown(one) for one in letters))


def sources_now(
    known: Mapping[str, Mapping[str, Any]], running: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Put together what the ledger knows of each source and what the daemons that run find."""
    found = {}
    for name in sorted({*known, *(name for one in running for name in one["sources"])}):
        views = [one["sources"][name] for one in running if name in one["sources"]]
        facts = known.get(name, {})
        # Where daemons differ, the one with trouble has something to tell.
        view = next((one for one in views if one["state"] == "down"), views[0] if views else {})
        state = view.get("state", "stopped")
        found[name] = {
            "state": "paused" if facts.get("paused_at") else "running" if state == "paused" else state,
            "reason": view.get("reason"),
            "down_since": iso(view.get("down_since")),
            "lag": max((one["lag"] for one in views if one["lag"] is not None), default=None),
            "received": facts.get("received", 0),
            "received_at": iso(facts.get("received_at")),
            "dead": facts.get("dead", 0),
            "conflicts": sum(one.get("conflicts", 0) for one in views),
        }
    return found


async def _now(store: Store, names: Collection[str]) -> dict[str, dict[str, Any]]:
    from feedback_app.store import daemons, sources

    known = await store.read(sources.known)
    running = await store.read(daemons.running) if await store.running_daemon() is not None else []
    return sources_now({**{name: {} for name in names}, **known}, running)


def _configured(program: Program) -> tuple[str, ...]:
    """Return the names of the sources that the plugins bring."""
    from feedback_app.plugin_host import PluginHost

    host = PluginHost.load(program.settings())
    for problem in host.problems:
        click.echo(f"problem: {problem}", err=True)
    return tuple(source.name for _, source in host.sources)


async def _must_be_known(store: Store, name: str, configured: Collection[str]) -> None:
    from feedback_app.store import sources

    there = sorted({*configured, *await store.read(sources.known)})
    if name not in there:
        raise NotFound(f"no source {name!r}; there are: {', '.join(there) or 'none'}")


def _letter(facts: Mapping[str, Any]) -> dict[str, Any]:
    payload = bytes(facts["payload"])
    try:
        content = {"payload": payload.decode()}
    except UnicodeDecodeError:
        content = {"payload_base64": base64.b64encode(payload).decode()}
    return {
        "id": facts["id"],
        "source": facts["source"],
        "external_id": facts["external_id"],
        "received_at": iso(facts["received_at"]),
        "reason": facts["reason"],
        **content,
    }


def _shown(facts: Mapping[str, Any]) -> tuple[object, ...]:
    payload = bytes(facts["payload"]).decode("utf-8", "backslashreplace")
    moment = iso(facts["received_at"])
    return (facts["id"], facts["source"], moment, facts["external_id"], facts["reason"], shortened(payload))
