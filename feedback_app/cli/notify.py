"""`feedback-app notify`: send a message by hand, to see whether a channel works."""

from __future__ import annotations

import contextlib
import logging
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from feedback_app.cli import completing
from feedback_app.cli.context import echo_json, iso, json_option
from feedback_app.cli.messages import detail_data
from feedback_app.cli.paging import echo_text
from feedback_app.cli.sampling import locale_option, rating_option, sample_rating
from feedback_app.cli.typed import NAME
from feedback_app.clock import now_ms
from feedback_app.errors import BadConfig, BadData, Busy, FeedbackAppError

if TYPE_CHECKING:
    from feedback_app.cli.context import Program
    from feedback_app.delivering import Delivery
    from feedback_app.plugin_host import PluginHost
    from feedback_app.settings import Settings
    from feedback_app.store.message_queries import Detail, Try
    from feedback_app.store.store import Store
    from feedback_app.trying import Sample, Waiting

_KINDS = ("thanks", "apology", "report")


@click.group()
def group() -> None:
    """Send a message by hand, to see whether a channel works."""


@group.command()
@click.argument("channel", type=NAME, shell_complete=completing.channels)
@click.argument("address", type=NAME)
@click.option(
    "--template",
    "kind",
    type=click.Choice(_KINDS),
    default="thanks",
    show_default=True,
    help="What it is made of, with sample data and marked as a test.",
)
@rating_option
@locale_option
@click.option(
    "--wait",
    metavar="SECONDS",
    type=click.IntRange(1, 3600),
    default=60,
    show_default=True,
    help="How long to follow it.",
)
@json_option
@click.pass_obj
def test(  # noqa: PLR0913 - one for each option
    program: Program,
    channel: str,
    address: str,
    *,
    kind: str,
    rating: str | None,
    locale: str | None,
    wait: int,
    as_json: bool,
) -> None:
    """Send a test message to ADDRESS by CHANNEL down the real path, and follow it to its end.

    It waits in the outbox, the limits and the channel's providers in their order are as for every message; the running
    daemon delivers it, or this command where none runs. Exits with 0 when it was sent, else with 1.
    """
    from feedback_app import assembly, trying

    settings = program.settings()
    sample = trying.Sample(kind, sample_rating(rating, settings, default=kind), locale)
    logging.getLogger("feedback_app").addHandler(logging.NullHandler())  # each try is told in full anyway
    host = assembly.load_plugins(settings)
    if channel not in host.notifiers:
        raise BadConfig(assembly.unserved(channel, host))
    try:
        recipient = trying.address_of(channel, address)
    except ValueError as problem:
        raise BadData(f"{address[:60]!r} is no address for the channel {channel}: {problem}") from None
    trial = _Trial(
        settings=settings,
        host=host,
        channel=channel,
        recipient=recipient,
        sample=sample,
        wait=wait,
        as_json=as_json,
    )
    # What plugins print must not stand in front of the JSON.
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        detail, why = program.run(trial.run)
    if as_json:
        echo_json({**detail_data(detail), "sent": detail.message.state == "sent"})
    elif detail.message.state == "sent":
        click.echo("sent")
    if detail.message.state != "sent":
        raise FeedbackAppError(_not_sent(detail, why, wait))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trial:
    """Sends one message and follows it."""

    settings: Settings
    host: PluginHost
    channel: str
    recipient: str  # in the form in which the channel is given it
    sample: Sample
    wait: int  # seconds that it is followed
    as_json: bool

    async def run(self) -> tuple[Detail, Waiting]:
        """Let the daemon deliver it, or do it here where none runs."""
        from feedback_app.delivering import delivering
        from feedback_app.store.ledger import ledger_of
        from feedback_app.trying import PURPOSE

        async with ledger_of(self.settings).open() as store:
            is_alone = await store.running_daemon() is None
        if is_alone:
            async with delivering(self.settings, PURPOSE, self.channel) as delivery:
                if delivery is not None:  # else a daemon was started meanwhile
                    self._say("no daemon runs, so it is delivered here")
                    return await self._send(delivery.store, delivery)
        async with ledger_of(self.settings).open() as store:
            if await store.running_daemon() is None:
                raise Busy(f"{store.name}: another command has it in hand; try again when that is done")
            self._say("the running daemon delivers it")
            return await self._send(store, None)

    async def _send(self, store: Store, delivery: Delivery | None) -> tuple[Detail, Waiting]:
        """Put it into the outbox and follow it; `delivery` is what delivers in here, None where a daemon does."""
        from feedback_app import assembly, trying

        message = trying.message_of(
            self.settings, self.channel, self.recipient, self.sample, ledger_id=store.ledger_id
        )
        queued = await store.write(partial(trying.queue, message=message, now=now_ms()))
        if queued.suppressed:
            raise FeedbackAppError(
                f"nothing is sent to {self.recipient} by {self.channel}: {queued.suppressed}; "
                f"`suppressions remove {self.channel} {self.recipient}` lets messages go there again"
            )
        if delivery is not None:
            delivery.wake()
        self._say(f"message {queued.number} to {self.recipient} by {self.channel} is in the outbox")
        limits = [
            assembly.limit_of(self.settings, self.channel, one.plugin)
            for one in self.host.notifiers[self.channel]
        ]
        why = partial(trying.waiting, channel=self.channel, allowed=limits)
        until = now_ms() + self.wait * 1000

        async def finish() -> None:
            if delivery is not None:
                if delivery.in_flight:
                    self._say(f"{self.wait} s are over; waiting for the end of the try that is under way")
                await delivery.finish()

        detail = await trying.follow(
            store, queued.number, until=until, clock=now_ms, on_try=self._show, finish=finish
        )
        found = await store.read(partial(why, now=now_ms()))
        # Where no daemon runs, "down" is the word of one that died.
        return detail, found if delivery is None else found._replace(down="")

    def _say(self, what: str) -> None:
        if not self.as_json:
            click.echo(what, err=True)

    def _show(self, one: Try) -> None:
        if not self.as_json:
            said = one.error or one.detail or one.provider_id or ""
            echo_text(f"{iso(one.ended_at)}  {one.provider}: {one.outcome}  {said}".rstrip())


def _not_sent(detail: Detail, why: Waiting, wait: int) -> str:
    """Say in a line why it was not sent, and what to do."""
    message = detail.message
    name, error = f"message {message.id}", message.error or "no reason was given"
    match message.state:
        case "dead":
            return f"{name} was given up: {error}; mend that and try again"
        case "suppressed":
            return f"{name} is not sent: {error}"
        case "held":
            return (
                f"{name} may have left: {error}; look whether it arrived, then `messages cancel {message.id}`, "
                f"or `messages retry {message.id}` to send it again"
            )
    after = f"`messages show {message.id}` tells how it goes on, `messages cancel {message.id}` ends it"
    return f"{name} was not sent {_so_far(detail, why, wait)}; {after}"


def _so_far(detail: Detail, why: Waiting, wait: int) -> str:
    message = detail.message
    if message.state == "sending":
        return f"within {wait} s, its provider still has it in hand"
    if why.limited_until is not None:
        return f"yet, the channel was given all that [limits] allows until {iso(why.limited_until)}"
    if why.down:
        return f"yet, the channel {message.channel} is down: {why.down}"
    if message.error and message.next_attempt_at <= now_ms():
        return f"yet: {message.error}; it is tried again by the daemon, when one runs and the channel works"
    if message.error:
        return f"yet: {message.error}; the next try is at {iso(message.next_attempt_at)}"
    return f"within {wait} s, nobody has tried it; `status` tells what the daemon does"
