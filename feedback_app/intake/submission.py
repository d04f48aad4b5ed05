"""Single ratings: handed over by the surrounding program, from any thread, or typed by a person."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from msgspec import structs

from feedback_app.errors import BadData, FeedbackAppError
from feedback_app.intake import fields
from feedback_app.intake.identity import content_hash
from feedback_app.intake.records import Incoming
from feedback_app.intake.shown import shown
from feedback_app.store import ratings
from feedback_app.store.ratings import Taken
from feedback_app.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from feedback_app.clock import Clock
    from feedback_app.intake.scale import Scale
    from feedback_app.model import Customer, Feedback, Milliseconds
    from feedback_app.store.store import Store

_DAY = 86_400_000  # milliseconds that another machine's clock may be ahead
_SUBMITTED = "submitted"  # in the place of a source, whatever source a rating names
_EARLIEST = -2_208_988_800_000  # 1900, as for files


def checked(
    feedback: Feedback, *, scale: Scale, now: Milliseconds, contact: Customer | None = None
) -> Incoming:
    """Apply the rules of every field; a rating without an id gets a random one. Raises BadData."""
    try:
        complete = structs.replace(
            feedback,
            rating=scale.parse(feedback.rating),
            id=fields.identifier("id", feedback.id) or uuid.uuid4().hex,
            source=fields.identifier("source", feedback.source) or "app",
            customer=fields.identifier("customer", feedback.customer),
            item=fields.item(feedback.item),
            comment=fields.comment(feedback.comment),
        )
        if complete.given_at is not None:
            _check_moment(complete.given_at, now)
    except ValueError as problem:
        raise BadData(str(problem)) from None
    return Incoming(complete, contact, content_hash(complete), 0, ())


def _check_moment(given_at: object, now: Milliseconds) -> None:
    if not isinstance(given_at, int) or given_at < _EARLIEST:
        raise ValueError(f"given_at must be whole milliseconds since 1970, got {shown(given_at)}")
    if given_at > now + _DAY:
        raise ValueError("given_at lies in the future; it is in milliseconds since 1970")


class Submissions:
    """Takes ratings from any thread; those that come before `open` wait for it, those after `close` are refused."""

    def __init__(self, scale: Scale, clock: Clock, tally: Tally | None = None) -> None:
        self.scale = scale
        self._tally = tally or Tally()
        self._clock = clock
        self._lock = threading.RLock()  # what waits for an answer may submit the next rating
        self._early: list[tuple[Incoming, Future[int]]] = []
        self._store: Store | None = None
        self._closed: FeedbackAppError | None = None

    def submit(self, feedback: Feedback) -> Future[int]:
        """Check now, store soon; the future holds the rating's number after the commit. Raises BadData."""
        incoming = checked(feedback, scale=self.scale, now=self._clock())
        answer: Future[int] = Future()
        answer.set_running_or_notify_cancel()  # who gives up waiting does not take the rating back
        with self._lock:
            if self._closed is not None:
                answer.set_exception(self._closed)
            elif self._store is None:
                self._early.append((incoming, answer))
            else:
                self._store_it(incoming, answer)
        return answer

    def open(self, store: Store, taken: Callable[[], None]) -> None:
        """Begin to store; `taken` is called (in the writer's thread) after each rating that was new."""
        with self._lock:
            self._store, self._taken = store, taken
            early, self._early = self._early, []
            for incoming, answer in early:
                self._store_it(incoming, answer)

    def close(self, reason: FeedbackAppError) -> None:
        """Refuse from now on, with `reason`; what was taken before is still stored. Idempotent."""
        with self._lock:
            if self._closed is not None:
                return
            self._closed = reason
            early, self._early = self._early, []
        for _, answer in early:
            answer.set_exception(reason)

    def _store_it(self, incoming: Incoming, answer: Future[int]) -> None:
        assert self._store is not None
        stored = self._store.submit(partial(ratings.take_one, arrival=incoming, now=self._clock()))
        stored.add_done_callback(partial(self._answer, incoming, answer))

    def _answer(self, incoming: Incoming, answer: Future[int], stored: Future[tuple[Taken, int]]) -> None:
        error = stored.exception()
        if error is not None:
            answer.set_exception(error)
            return
        taken, number = stored.result()
        if taken is Taken.CONFLICT:
            answer.set_exception(conflict(incoming.feedback))
            return
        if taken is Taken.ACCEPTED:
            self._tally.received[_SUBMITTED] += 1  # in the writer's thread alone
            self._taken()
        answer.set_result(number)


def conflict(feedback: Feedback) -> BadData:
    """Form the error for an id that the ledger has with other content."""
    return BadData(
        f"id {feedback.id!r} of source {feedback.source!r} is in the ledger with other content; "
        "the first one stays. Give another rating another id"
    )
