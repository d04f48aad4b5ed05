"""`feedback-app run`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from typing import TYPE_CHECKING, Any

import click

from feedback_app.cli.context import Program, iso, silence
from feedback_app.clock import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sqlalchemy import Connection

    from feedback_app.daemon import RunFigures

log = logging.getLogger(__name__)


@click.command()
@click.option("--drain", is_flag=True, help="Process and send what is due, then exit.")
@click.pass_obj
def run(program: Program, *, drain: bool) -> None:
    """Run the daemon: process ratings as they come, deliver messages, make the reports.

    SIGTERM or Ctrl-C finishes what is in flight and exits with 0; a second one ends at once. SIGHUP reads the settings,
    plugins and templates again; what is not fit is refused, and the old ones stay. SIGUSR1 logs what is in flight.
    """
    from feedback_app.cli.logs import set_up_logging

    settings = program.settings()
    set_up_logging(debug=program.debug)
    if os.geteuid() == 0:
        log.warning("running as root; a user of its own is safer")
    from feedback_app.daemon import Daemon
    from feedback_app.logs import flush_logs
    from feedback_app.supervisor import Supervisor

    daemon = Daemon(
        settings,
        on_ready=keep_what_stands,
        read_settings=program.read_settings,
        supervisor=Supervisor(),
    )
    try:
        figures = _run_loop(lambda: daemon.run(drain=drain))
    finally:
        if not flush_logs():  # nobody reads: what is said at the end must not wait for them either
            silence(2)
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
