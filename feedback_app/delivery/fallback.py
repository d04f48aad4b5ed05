"""What follows when a channel has given a message up: the customer's next channel takes over."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from feedback_app.errors import fault_site
from feedback_app.store import ratings

if TYPE_CHECKING:
    from collections.abc import Callable

    from feedback_app.model import Message
    from feedback_app.pipeline import Pipeline
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)


class FallBack:
    """Forms messages anew for the next of their customers' channels, with customers and channels as they are now.

    `on_queued` is called when some of them stand in the outbox.
    """

    def __init__(self, store: Store, pipeline: Pipeline, *, on_queued: Callable[[], object]) -> None:
        self._store = store
        self._pipeline = pipeline
        self.on_queued = on_queued

    async def instead_of(self, message: Message) -> Message | None:
        """Return the message for the next channel, None when there is none: it is a report, or that was the last."""
        if message.feedback_id is None:
            return None
        found = await self._store.read(partial(ratings.with_customer, number=message.feedback_id))
        if found is None or found.customer is None:
            return None
        try:
            return self._pipeline.by_next_channel(found.feedback, found.customer, message)
        except Exception as error:  # noqa: BLE001 - a template or a plugin; the message ends as it would without
            log.warning(
                "no message by the next channel",
                extra={"feedback": message.feedback_id, "fault": fault_site(error)},
            )
            return None
