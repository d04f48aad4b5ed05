"""Who has what in hand, where many daemons share a ledger.

A daemon's leases are the rows that carry its boot id, and they hold as long as its heartbeat is young by the server's
clock. Whoever finds a daemon dead fences it: its rows are free again, and what it still writes under that id, should it
only have slept, changes nothing. It goes on under a new id. Who ends in order frees its rows itself. One rule covers
whatever is left over: what is in the hands of an id that is not among the living is free.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from feedback_app.store import recovery
from feedback_app.store.ratings import COLUMNS, Claimed, claimed_rows
from feedback_app.store.sql import Members, Statement, walking_indices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds

LEASE = 20.0  # seconds that a heartbeat counts
HEARTBEAT = 5.0  # seconds between two of them
_AFTERMATH = 600.0  # seconds after a fencing in which what is left over is looked for at any price
_PARTING = 30.0  # the same after an orderly end, which frees its own rows, but for a claim under way then
_DEATHS = 3  # of daemons that had nothing but this rating in hand; one may be chance
_GROUP = 50  # ratings that are tried together once a daemon died with them in hand

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

_REGISTER = f"""INSERT INTO daemon (boot_id, host, pid, started_at, heartbeat_at, process)
VALUES (%s, %s, %s, {_NOW}, {_NOW}, %s)"""
_BEAT = f"""UPDATE daemon SET heartbeat_at = {_NOW}, channels = %s, sources = %s, process = %s
 WHERE boot_id = %s AND fenced_at IS NULL"""
_SIGN_OFF = f"UPDATE daemon SET stopped_at = {_NOW}, heartbeat_at = {_NOW} WHERE boot_id = %s"
_LIVING = f"""SELECT pid FROM daemon WHERE stopped_at IS NULL AND fenced_at IS NULL
 AND heartbeat_at > {_NOW} - {int(LEASE * 1000)} ORDER BY started_at"""
_OTHERS = """SELECT boot_id, process FROM daemon
 WHERE stopped_at IS NULL AND fenced_at IS NULL AND boot_id <> %s AND process IS NOT NULL"""
# A daemon whose row is locked is in the middle of its heartbeat; the age counts as it is once the lock is ours.
_FENCE = f"""UPDATE daemon SET fenced_at = {_NOW} WHERE boot_id = ANY (ARRAY (
  SELECT boot_id FROM daemon WHERE stopped_at IS NULL AND fenced_at IS NULL AND boot_id <> %s
     AND (heartbeat_at < {_NOW} - {int(LEASE * 1000)} OR boot_id = ANY(%s)) FOR UPDATE SKIP LOCKED))
RETURNING boot_id"""
# Fenced, stopped, or forgotten since; who is not among the living never comes to be.
_OF_NOBODY = """AND lease_owner IS NOT NULL AND NOT EXISTS (
  SELECT FROM daemon WHERE boot_id = lease_owner AND stopped_at IS NULL AND fenced_at IS NULL)"""
_WORKERS_GONE = f"SELECT lease_owner FROM feedback WHERE state = 'received' {_OF_NOBODY} ORDER BY id + 0"
_SENDERS_GONE = f"""SELECT lease_owner FROM message
 WHERE state IN ('sending', 'held', 'suppressed', 'dead') AND state = 'sending' {_OF_NOBODY}"""
_ENDED_LATELY = f"""SELECT 1 FROM daemon WHERE fenced_at > {_NOW} - {int(_AFTERMATH * 1000)}
    OR stopped_at > {_NOW} - {int(_PARTING * 1000)} LIMIT 1"""

# A rating that a daemon died with is suspected: tried in a group, then alone, then no more.
_FREE = f"""UPDATE feedback SET lease_owner = NULL, suspicion = suspicion + %(deaths)s,
       state = CASE WHEN suspicion + %(deaths)s <= {_DEATHS + 1} THEN state ELSE 'dead' END,
       error = CASE WHEN suspicion + %(deaths)s <= {_DEATHS + 1} THEN error
                    ELSE 'the program ended {_DEATHS} times while it worked on this rating alone' END
 WHERE id = ANY (ARRAY (
  SELECT id FROM feedback WHERE state = 'received' AND lease_owner = ANY(%(owners)s) FOR UPDATE SKIP LOCKED))"""


class Free(NamedTuple):
    """What was in the hands of nobody who lives."""

    daemons: list[str]  # boot ids of those that were found dead now
    ratings: int
    queued: int  # messages that are due again
    held: int  # messages that may have left and must not double


def register(
    connection: Connection, *, boot_id: str, host: str, pid: int, process: Mapping[str, object]
) -> None:
    """Note a start."""
    connection.exec_driver_sql(_REGISTER, (boot_id, host, pid, json.dumps(dict(process))))


def beat(
    connection: Connection,
    *,
    boot_id: str,
    channels: Mapping[str, object],
    sources: Mapping[str, object],
    process: Mapping[str, object],
) -> bool:
    """Note that it still runs; False when it has been fenced."""
    told = [json.dumps(dict(one)) for one in (channels, sources, process)]
    done = connection.exec_driver_sql(_BEAT, (*told, boot_id))
    return done.rowcount == 1


def sign_off(connection: Connection, *, boot_id: str, now: Milliseconds, suspect: bool) -> tuple[int, int]:
    """Note an end and free what is still in hand; `suspect` says that a rating of it may be the reason.

    Returns how many messages are (due again, held).
    """
    _free(connection, [boot_id], deaths=int(suspect))
    settled = recovery.recover(connection, now=now, owners=[boot_id])
    connection.exec_driver_sql(_SIGN_OFF, (boot_id,))
    return settled


def _free(connection: Connection, owners: Sequence[str], *, deaths: int) -> int:
    return connection.exec_driver_sql(_FREE, {"owners": owners, "deaths": deaths}).rowcount if owners else 0


def living(connection: Connection) -> list[int]:
    """Return the pids of the daemons that run, on whatever host, the longest-running first."""
    return [int(pid) for (pid,) in connection.exec_driver_sql(_LIVING)]


def take_over(
    connection: Connection,
    *,
    boot_id: str,
    is_gone: Callable[[Mapping[str, object]], bool],
    now: Milliseconds,
) -> Free:
    """Fence the daemons that are dead and free what is in the hands of nobody who lives.

    Dead is whose heartbeat is too old, and at once who `is_gone` knows from what it noted of its process. Waits for no
    lock: a daemon that froze in mid-transaction would else stop all others; what it holds is freed at a later look.
    """
    gone = [
        other
        for other, process in connection.exec_driver_sql(_OTHERS, (boot_id,))
        if is_gone(json.loads(process))
    ]
    fenced = [one for (one,) in connection.exec_driver_sql(_FENCE, (boot_id, gone))]
    senders = _ids(connection, _SENDERS_GONE)
    queued, held = recovery.recover(connection, now=now, owners=senders) if senders else (0, 0)
    # Leases have no index of their own, for claims need no new index entries. So all that waits is looked through:
    # where it is little, and after an end, for a daemon may claim in the very moment of its fencing.
    is_worth_it = connection.exec_driver_sql(_ENDED_LATELY).first() is not None or not is_waiting(connection)
    workers = _ids(connection, _WORKERS_GONE) if is_worth_it else []
    return Free(fenced, _free(connection, workers, deaths=1), queued, held)


def _ids(connection: Connection, query: str) -> list[str]:
    walking_indices(connection)
    return list({str(one) for (one,) in connection.exec_driver_sql(query)})


_PICKED = (
    """WITH picked AS (
  SELECT id, customer_id FROM feedback WHERE state = 'received' AND lease_owner IS NULL AND {which}
   LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE feedback AS f SET lease_owner = %s FROM picked LEFT JOIN customer AS c ON c.id = picked.customer_id
 WHERE f.id = picked.id RETURNING """
    + COLUMNS
)
# Over id + 0 is the index on what waits, and no other.
_FRESH = _PICKED.format(which="retry_at IS NULL AND suspicion = 0 ORDER BY id + 0")
_RETRIES = _PICKED.format(which="retry_at <= %s AND suspicion = 0 ORDER BY retry_at")
_SUSPECTS = _PICKED.format(which="suspicion = 1 AND coalesce(retry_at, 0) <= %s ORDER BY id + 0")
_ALONE = _PICKED.format(which="suspicion > 1 AND coalesce(retry_at, 0) <= %s ORDER BY suspicion, id + 0")
_WAITING = Statement(
    "SELECT 1 FROM feedback WHERE state = 'received' AND lease_owner IS NULL AND retry_at IS NULL AND suspicion = 0"
    " ORDER BY id + 0 LIMIT 1"
)
_FIRST = Statement(
    "SELECT suspicion FROM feedback WHERE state = 'received' AND lease_owner IS NULL"
    " AND (retry_at IS NULL OR suspicion > 0 AND retry_at <= ?) ORDER BY id + 0 LIMIT 1"
)


def is_waiting(connection: Connection) -> bool:
    """Whether a new rating waits that nobody has in hand."""
    walking_indices(connection)
    return _WAITING(connection).first() is not None


def suspicion_of_first(connection: Connection, now: Milliseconds) -> int | None:
    """Return how many daemons died with the first rating that is new, or that is due and suspected; None: none waits.

    Where all that waits is to be tried again later, it looks through all of it.
    """
    walking_indices(connection)
    return _FIRST(connection, now).scalar_one_or_none()


def claim_fresh(connection: Connection, owner: str, limit: int) -> list[Claimed]:
    """Take new ratings in hand, about in the order of their numbers."""
    return _claim(connection, _FRESH, (limit, owner))


def claim_retries(connection: Connection, owner: str, now: Milliseconds, limit: int) -> list[Claimed]:
    """Take ratings in hand whose last attempt failed and that are due again."""
    return _claim(connection, _RETRIES, (now, limit, owner))


def claim_suspects(connection: Connection, owner: str, now: Milliseconds) -> list[Claimed]:
    """Take a group in hand that a daemon died with, or one that did so in a group; the caller has nothing else."""
    return _claim(connection, _SUSPECTS, (now, _GROUP, owner)) or _claim(connection, _ALONE, (now, 1, owner))


def _claim(connection: Connection, query: str, parameters: tuple[object, ...]) -> list[Claimed]:
    walking_indices(connection)
    found = claimed_rows(connection.exec_driver_sql(query, parameters))
    return sorted(found, key=lambda one: one.feedback.number)  # RETURNING promises no order


_RELEASE = Statement(
    "UPDATE feedback SET lease_owner = NULL WHERE state = 'received' AND lease_owner = ? AND id IN ({bigints})"
)


def release(connection: Connection, owner: str, numbers: Sequence[int]) -> None:
    """Give back ratings that were claimed and not worked on to the end."""
    _RELEASE(connection, owner, Members(numbers))
