"""Notifiers that break one promise each."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from typing import Any

from feedback_app import (
    Customer,
    Message,
    Notifier,
    OutcomeUnknown,
    PermanentFailure,
    Receipt,
    TemporaryFailure,
)

log = logging.getLogger(__name__)
TOKEN = "canary-token"


class Good(Notifier):
    """Keeps its promises, as far as can be without a far side."""

    channel = "chat"
    on_unknown = "resend"

    def __init__(self) -> None:
        self.token = TOKEN

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        await asyncio.sleep(0.0005)
        return Receipt(provider_id=message.id)


class Nothing(Good):
    """Returns nothing."""

    async def send(self, message: Message) -> Any:
        """Take it."""


class Text(Good):
    """Returns a text."""

    async def send(self, message: Message) -> Any:
        """Take it."""
        return "sent"


class Number(Good):
    """Gives a number for the id."""

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        return Receipt(provider_id=7)  # type: ignore[arg-type]


class Shouting(Good):
    """Has no name that a customer could prefer."""

    channel = "CHAT!"


class Synchronous(Good):
    """Is no coroutine function."""

    def send(self, message: Message) -> Any:
        """Take it."""
        return Receipt()


class Ascii(Good):
    """Can only say what English can."""

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        message.text.encode("ascii")
        return Receipt()


class Nameless(Good):
    """Needs a name of the customer."""

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        assert message.customer_name is not None
        return Receipt(detail=message.customer_name.title())


class Short(Good):
    """Says that a long text may be taken later."""

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        if len(message.text) > 160:
            raise TemporaryFailure("too long")
        return Receipt()


class Deaf(Good):
    """Goes on when it is cancelled."""

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        for _ in range(3):
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                await asyncio.sleep(5)
        return Receipt()


class Locked(Good):
    """Keeps its lock when it is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = asyncio.Lock()

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        await self._lock.acquire()
        await asyncio.sleep(0.01)
        self._lock.release()
        return Receipt()


class OneAtATime(Good):
    """Cannot be called twice at once."""

    def __init__(self) -> None:
        super().__init__()
        self._busy = False

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        if self._busy:
            raise RuntimeError("I am busy")
        self._busy = True
        try:
            await asyncio.sleep(0.001)
        finally:
            self._busy = False
        return Receipt()


class Blocking(Good):
    """Sleeps with all the others."""

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        time.sleep(0.5)  # noqa: ASYNC251 - that is what is wrong
        return Receipt()


class Littering(Good):
    """Leaves a task behind."""

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        self._task = asyncio.create_task(self._pump())
        return Receipt()

    async def _pump(self) -> None:
        await asyncio.sleep(60)


class Threaded(Good):
    """Leaves a thread behind."""

    over = threading.Event()

    async def open(self) -> None:
        """Start it."""
        threading.Thread(target=self.over.wait, name="pump", daemon=True).start()


class Loud(Good):
    """Logs its token."""

    async def send(self, message: Message) -> Receipt:
        """Take it."""
        log.info("sending with %s", self.token)
        return Receipt()


class Shown(Good):
    """Shows its token in its repr."""

    def __repr__(self) -> str:
        return f"Shown(token={self.token!r})"


class Telling(Good):
    """Shows its token in an error."""

    async def send(self, message: Message) -> Receipt:
        """Refuse it."""
        raise PermanentFailure(f"401 for Bearer {self.token}")


class Lost(Good):
    """Has a number for an address."""

    def address(self, customer: Customer) -> Any:
        """Return a number."""
        return len(customer.id)


class Picky(Good):
    """Cannot bear a customer without an e-mail address."""

    def address(self, customer: Customer) -> str | None:
        """Return the e-mail address."""
        assert customer.email is not None
        return customer.email.lower()


class Trying(Good):
    """Tries itself out on somebody."""

    def __init__(self, arrived: list[str]) -> None:
        super().__init__()
        self._arrived = arrived

    async def check(self) -> str:
        """Send a message."""
        self._arrived.append("a test message")
        return "works"


class Endless(Good):
    """Never knows whether it works."""

    async def check(self) -> str:
        """Wait."""
        await asyncio.Event().wait()
        return ""


class Counting(Good):
    """Says how many it reached."""

    async def check(self) -> Any:
        """Count."""
        return 1


class Once(Good):
    """Cannot be closed before it was opened."""

    async def open(self) -> None:
        """Connect."""
        self._connection: set[str] = {"open"}

    async def close(self) -> None:
        """Disconnect."""
        self._connection.clear()


class NotTwice(Good):
    """Works once in the life of a process."""

    starts = itertools.count()

    async def open(self) -> None:
        """Connect."""
        if next(self.starts):
            raise RuntimeError("there can be only one")


class Closed(Good):
    """Cannot be opened at all."""

    async def open(self) -> None:
        """Connect."""
        raise OutcomeUnknown("perhaps")
