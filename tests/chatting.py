"""Customers who chat, and chat plugins that are slow, hang or never open."""

from __future__ import annotations

from feedback_app.intake.records import Incoming
from feedback_app.model import Customer
from tests.making import incoming
from tests.running import RECORDER

CHATTY = Customer(id="c1", name="Ada", preferred_channels=("chat",))


def chatters(count: int, *, first: int = 1, rating: float = 5) -> list[Incoming]:
    """Return ratings of a customer who chats."""
    return [incoming(f"r{number}", rating=rating, contact=CHATTY) for number in range(first, first + count)]


SLOW = RECORDER.replace(
    "        with LOG.open", "        await asyncio.sleep(message.attempt and 0.2)\n        with LOG.open"
)

HANGING = RECORDER.replace(
    "        with LOG.open", "        await asyncio.Event().wait()\n        with LOG.open"
)

NEVER_OPEN = RECORDER.replace(
    "    async def send", "    async def open(self):\n        raise SystemExit('no')\n\n    async def send"
)
