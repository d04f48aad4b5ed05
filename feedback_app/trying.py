"""A message that tries a channel: it takes the road of all others and is followed to its end."""

from __future__ import annotations

import asyncio
import re
import secrets
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from feedback_app import rehearsing
from feedback_app.intake import contact, fields
from feedback_app.model import Message
from feedback_app.pipeline.composer import Form
from feedback_app.store import daemons, limits, message_queries, outbox, suppressions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from feedback_app.clock import Clock
    from feedback_app.model import Milliseconds, Purpose
    from feedback_app.settings import Settings
    from feedback_app.store.limits import Limit
    from feedback_app.store.message_queries import Detail, Try
    from feedback_app.store.store import Store

PURPOSE: Purpose = "test"

_PAUSE = 0.1  # seconds between two looks at the message
_LONGEST = 1_000  # characters of an address
_MARK = "Test: "
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)


class Sample(NamedTuple):
    """What the message is made of."""

    kind: str  # one of rehearsing.KINDS
    rating: float
    locale: str | None


class Queued(NamedTuple):
    """What became of the wish to send one."""

    number: int  # of the message, 0: it was not queued
    suppressed: str = ""  # why nothing is sent to the address


class Waiting(NamedTuple):
    """Why a message is still in the outbox, as far as the ledger knows."""

    down: str = ""  # why the channel is down, in a daemon's words
    limited_until: Milliseconds | None = None  # its providers have been given all they may be


def address_of(channel: str, text: str) -> str:
    """Return an address in the form in which the channel is given it. Raises ValueError with a sentence."""
    match channel:
        case "email":
            return contact.email(text.strip())
        case "sms":
            return contact.phone(text.strip())
    if not text.strip() or len(text) > _LONGEST:
        raise ValueError(f"an address has 1 to {_LONGEST:,} characters")
    fields.refuse_controls("address", text)
    return text


def message_of(settings: Settings, channel: str, address: str, sample: Sample, *, ledger_id: str) -> Message:
    """Form the message. Raises BadConfig for a template that fails."""
    made = rehearsing.preview(settings, sample.kind, channel, rating=sample.rating, locale=sample.locale)
    form = marked(made.form)
    return Message(
        id=f"{PURPOSE}.{secrets.token_hex(8)}.{ledger_id}",
        purpose=PURPOSE,
        channel=channel,
        recipient=address,
        subject=form.subject,
        text=form.text,
        html=form.html,
        locale=sample.locale,
    )


def marked(form: Form) -> Form:
    """Say in every part that it is a test: whoever gets it has rated nothing."""
    html = form.html
    if html:
        body = _BODY.search(html)
        at = body.end() if body else 0
        html = f"{html[:at]}<p>{_MARK}nobody rated anything.</p>{html[at:]}"
    return Form(_MARK + form.subject, _MARK + form.text, html)


def queue(connection: Connection, message: Message, now: Milliseconds) -> Queued:
    """Put it into the outbox, unless nothing is sent to its address."""
    refused = suppressions.among(connection, message.channel, [message.recipient])
    if refused:
        return Queued(0, next(iter(refused.values())))
    outbox.enqueue(connection, [(f"{PURPOSE}:{message.id}", message)], now)
    number = message_queries.find(connection, message.id)
    assert number is not None
    return Queued(number)


async def follow(
    store: Store,
    number: int,
    *,
    until: Milliseconds,
    clock: Clock,
    on_try: Callable[[Try], object],
    finish: Callable[[], Awaitable[None]],
) -> Detail:
    """Return the message when it has ended or is held, or when nothing more happens before `until`.

    `on_try` is told of each try as soon as it is recorded. When the time is over, `finish` lets whoever delivers in
    here end what is under way, so that what is returned holds.
    """
    told, is_late = 0, False
    while True:
        detail = await store.read(partial(message_queries.get, number=number))
        assert detail is not None  # messages are deleted long after their end only
        for one in detail.tries[told:]:
            on_try(one)
        told = len(detail.tries)
        message = detail.message
        waits = message.state in ("queued", "sending")
        is_later = message.state == "queued" and message.next_attempt_at > until
        if not waits or is_later or is_late:
            return detail
        is_late = clock() >= until
        await (finish() if is_late else asyncio.sleep(_PAUSE))


def waiting(connection: Connection, channel: str, allowed: Sequence[Limit], now: Milliseconds) -> Waiting:
    """Say why messages of a channel wait, where a daemon runs or a limit is reached."""
    down = next(
        (
            reason
            for one in daemons.running(connection)
            if (reason := one["channels"].get(channel, {}).get("reason"))
        ),
        "",
    )
    looks = [limits.allowance(connection, one, 1, now, only_look=True) for one in allowed if one.is_set]
    is_limited = len(looks) == len(allowed) and not any(one.count for one in looks)
    return Waiting(down, min((one.again_at for one in looks), default=None) if is_limited else None)
