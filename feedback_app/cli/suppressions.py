"""`feedback-app suppressions`: addresses that nothing is sent to any more."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from feedback_app.cli import completing
from feedback_app.cli.context import iso, json_option, limit_option
from feedback_app.cli.paging import Form, print_rows
from feedback_app.cli.typed import NAME
from feedback_app.errors import NotFound

if TYPE_CHECKING:
    from feedback_app.cli.context import Program
    from feedback_app.store.store import Store
    from feedback_app.store.suppressions import Suppressed


@click.group()
def group() -> None:
    """See which addresses nothing is sent to any more, add and remove some."""


@group.command(name="list")
@limit_option
@json_option
@click.pass_obj
def list_(program: Program, /, *, limit: int | None, as_json: bool) -> None:
    """List suppressed addresses by channel."""
    from feedback_app.store import suppressions

    program.with_store(
        lambda store: print_rows(store, suppressions.page, _FORM, as_json=as_json, limit=limit)
    )


@group.command()
@click.argument("channel", type=NAME, shell_complete=completing.channels)
@click.argument("address")
@click.option("--reason", default="added by the operator", help="Shown with each message that is not sent.")
@click.pass_obj
def add(program: Program, channel: str, address: str, reason: str) -> None:
    """Send nothing to ADDRESS by CHANNEL any more; its customers are thanked by their next channel."""
    from feedback_app.clock import now_ms
    from feedback_app.store import suppressions
    from feedback_app.store.suppressions import Suppressed

    found = [Suppressed(channel, address, reason, now_ms())]
    added = program.with_store(lambda store: store.write(partial(suppressions.add, found=found)))
    click.echo("suppressed" if added else "was suppressed already")


@group.command()
@click.argument("channel", type=NAME, shell_complete=completing.channels)
@click.argument("address")
@click.pass_obj
def remove(program: Program, channel: str, address: str) -> None:
    """Send to ADDRESS again. Messages that were suppressed stay so; `messages retry` sends them."""
    from feedback_app.store import suppressions

    async def work(store: Store) -> bool:
        return await store.write(partial(suppressions.remove, channel=channel, address=address))

    if not program.with_store(work):
        raise NotFound(f"{channel} {address[:80]!r} is not suppressed; `suppressions list` shows what is")
    click.echo("may be written to again")


def _data(one: Suppressed) -> dict[str, Any]:
    return {"channel": one.channel, "address": one.address, "reason": one.reason, "since": iso(one.since)}


_FORM = Form(
    data=_data,
    header=("channel", "address", "since", "reason"),
    cells=lambda one: (one.channel, one.address, iso(one.since), one.reason),
)
