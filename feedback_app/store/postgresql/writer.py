"""The writer of one process on PostgreSQL: group commits, and certainty about each.

A connection that breaks while COMMIT is under way leaves open whether it happened. So each transaction counts its
writer's mark up, a row of `meta`; after such a break the mark tells, and only what was not committed is run again.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

from feedback_app import failpoints
from feedback_app.errors import FeedbackAppError, Unavailable, Unreachable
from feedback_app.logs import Outage
from feedback_app.store.postgresql.engines import writing_engine
from feedback_app.store.postgresql.failures import Again, explain, explained
from feedback_app.store.writer import GroupCommitWriter, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import URL, Connection

log = logging.getLogger(__name__)

MARK = "commit:"  # how the marks' keys in `meta` begin
# Written only where the transaction wrote something itself, so that looking for work leaves no trace.
_COUNT_UP = """INSERT INTO meta (key, value)
SELECT %s, %s WHERE pg_current_xact_id_if_assigned() IS NOT NULL
ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
# Written, not only read: that waits for whoever still has the mark in a commit under way, as behind a slow standby.
_MARK_NOW = """INSERT INTO meta (key, value) VALUES (%s, '')
ON CONFLICT (key) DO UPDATE SET value = meta.value RETURNING value"""
# A process that is frozen in mid-transaction must not keep its locks: the server ends it. For this transaction only, as
# poolers want.
_NEVER_IDLE = "SELECT set_config('idle_in_transaction_session_timeout', '10s', true)"
_MOST_TRIES = 50  # of what is rolled back for another's sake
_PAUSE = 1.0  # seconds between tries to reach the server, give or take half


def server_outage() -> Outage:
    """Return what says that the server is away, for all parts of a store together."""
    return Outage(
        log,
        away="waiting for the ledger's server",
        still="still waiting for the ledger's server",
        back="the ledger's server is back",
    )


class PostgresWriter(GroupCommitWriter):
    """`patient`: a server that is away is waited for until `give_up`; else the units fail with Unreachable."""

    def __init__(
        self, url: URL, name: str, *, writer_id: str, patient: bool, outage: Outage | None = None
    ) -> None:
        super().__init__(writing_engine(url))
        self._outage = outage or server_outage()
        self._name = name
        self._mark = MARK + writer_id
        self._commits = 0
        self._patient = patient
        self._given_up = threading.Event()
        self._connection: Connection | None = None
        self.away = False
        self.channel: str | None = None  # notified at each commit, where somebody is to hear

    def give_up(self) -> None:
        """Wait no longer for the server."""
        self._given_up.set()

    def _open(self) -> None:
        with explained(self._name):
            self._connection = self._engine.connect()

    def _close(self) -> None:
        if self._connection is None:
            return
        with contextlib.suppress(Exception), self._connection.begin():  # the server may be gone
            self._connection.exec_driver_sql("DELETE FROM meta WHERE key = %s", (self._mark,))
        self._drop()

    def _run_batch(self, units: Sequence[Unit[Any]]) -> list[Any]:
        results = super()._run_batch(units)
        for tries in count(1):
            again = [at for at, one in enumerate(results) if isinstance(one, Again | Unreachable)]
            if not again or not self._may_try_again(results[again[0]], tries):
                break
            for at, result in zip(again, super()._run_batch([units[at] for at in again]), strict=True):
                results[at] = result
        if self.away and not any(isinstance(one, Unavailable | Unreachable) for one in results):
            self.away = False
            self._outage.over()
        if self._given_up.is_set():
            gone = Unavailable(f"{self._name}: the server did not come back in time")
            return [gone if isinstance(one, Unreachable) else one for one in results]
        return results

    def _may_try_again(self, error: Again | Unreachable, tries: int) -> bool:
        """Wait until it makes sense to try again; False where it does not."""
        if isinstance(error, Again):
            pause = random.uniform(0, 0.02)  # noqa: S311 - no secret
            return tries < _MOST_TRIES and not self._given_up.wait(pause)
        if not self._patient:
            return False
        self._say_away(error)
        return not self._given_up.wait(_PAUSE * random.uniform(0.5, 1.5))  # noqa: S311 - no secret

    def _say_away(self, error: Again | Unreachable) -> None:
        self.away = True
        self._outage.met(reason=str(error))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        connection = self._connected()
        self._commits += 1
        transaction = connection.begin()
        try:
            connection.exec_driver_sql(_NEVER_IDLE)
            yield connection
            connection.exec_driver_sql(_COUNT_UP, (self._mark, str(self._commits)))
            if self.channel:
                connection.exec_driver_sql("SELECT pg_notify(%s, '')", (self.channel,))
        except BaseException:
            self._roll_back(transaction.rollback)
            raise
        try:
            transaction.commit()
        except Exception as error:
            self._drop()
            if not isinstance(explain(error, self._name), Unreachable) or not self._was_committed():
                raise
        failpoints.reached("ledger.committed")

    def _roll_back(self, rollback: Callable[[], None]) -> None:
        try:
            rollback()
        except Exception:  # noqa: BLE001 - with its connection the transaction ends as well
            self._drop()
        else:
            if self._connection is not None and self._connection.invalidated:
                self._drop()

    def _drop(self) -> None:
        """Let the connection go, whatever state it is in."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.invalidate()
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.invalidated:
            self._drop()
            self._connection = self._engine.connect()
        return self._connection

    def _was_committed(self) -> bool:
        """Ask the server whether the commit happened whose answer was lost; wait for it as long as may be."""
        while True:
            try:
                with self._connected().begin():
                    found = self._connected().exec_driver_sql(_MARK_NOW, (self._mark,))
                    return bool(found.scalar_one() == str(self._commits))
            except Exception as error:
                known = explain(error, self._name)
                self._drop()
                if not isinstance(known, Again | Unreachable):  # a time-out of the operator's says no more
                    raise
                if not self._patient:
                    raise Unavailable(
                        f"{self._name}: the connection was lost during the commit; whether it happened is unknown; "
                        "the same again is told from new by its id"
                    ) from error
                self._say_away(known)
                if self._given_up.wait(_PAUSE):
                    raise Unavailable(f"{self._name}: the server did not come back in time") from error

    def _explain(self, error: Exception) -> FeedbackAppError | None:
        return error if isinstance(error, FeedbackAppError) else explain(error, self._name)

    def _is_passing(self, known: FeedbackAppError | None) -> bool:
        return isinstance(known, Again | Unreachable | Unavailable)
