"""Keeps what waits for its next try from waiting for ever when the clock is set back."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from feedback_app.delivery.retry import longest_wait
from feedback_app.store import waits

if TYPE_CHECKING:
    from collections.abc import Collection

    from feedback_app.model import Milliseconds
    from feedback_app.settings.schema import DeliverySettings
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)


async def pull_in(
    store: Store, policy: DeliverySettings, channels: Collection[str], now: Milliseconds
) -> bool:
    """Make due what waits longer than any back-off; says whether there was something.

    A clock set back by less than that is not noticed here: it delays what waits by as much. Raises Busy.
    """
    longest = longest_wait(policy.backoff_maximum)
    found = await store.write(partial(waits.pull_in, channels=channels, longest=longest, now=now))
    if found:
        log.warning("due now: its time was set by a clock that was ahead", extra={"waiting": found})
    return found > 0
