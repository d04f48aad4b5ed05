"""What may have happened since a backup was made: nothing that may have left is sent again on purpose."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from feedback_app.model import Milliseconds

# `new` is the ledger made of the backup, `main` the old one, or nothing where that cannot be read.
_HOLD = """UPDATE new.message
   SET state = 'held', lease_owner = NULL, lease_until = NULL, may_leave_at = NULL,
       maybe_sent_at = COALESCE(maybe_sent_at, NULLIF(may_leave_at, 0), ?),
       error = 'restored from a backup: it may have left since'
 WHERE state IN ('queued', 'sending')"""
# Of a message that had not ended the old ledger may know how it did: then nobody needs to be asked whether it left.
_ENDED_SINCE = """UPDATE new.message SET {columns} FROM main.message AS known
 WHERE known.id = message.id AND known.dedupe_key = message.dedupe_key
   AND (known.state IN ('sent', 'suppressed', 'dead') AND message.state IN ('queued', 'sending', 'held')
     OR known.state = 'sent' AND message.state IN ('suppressed', 'dead'))
RETURNING id"""
_TRIED_SINCE = """INSERT INTO new.delivery_attempt ({columns}) SELECT {columns} FROM main.delivery_attempt AS known
 WHERE message_number = ? AND NOT EXISTS (SELECT 1 FROM new.delivery_attempt AS there
   WHERE there.message_number = known.message_number AND there.started_at = known.started_at) ORDER BY id"""
_COLUMNS = """SELECT there.name FROM pragma_table_info(?, 'new') AS there
  JOIN pragma_table_info(?, 'main') AS known USING (name) WHERE there.name <> 'id'"""
_WAITING = "SELECT count(*) FROM new.message WHERE state IN ('queued', 'sending')"
_UNPROCESSED = "SELECT count(*) FROM new.feedback WHERE state = 'received'"
# Of a rating that waited in the backup the old ledger may know that its thank-you has left, or retention may have
# deleted it since, with the rating or without. Ratings are known by their source's id: an earlier restore may have
# given a number anew.
_KNOWN = (
    "main.feedback AS known WHERE known.source = feedback.source AND known.external_id = feedback.external_id"
)
_THANKED = f"""UPDATE new.feedback SET thank = 0
 WHERE state = 'received' AND thank AND (
   EXISTS (SELECT 1 FROM {_KNOWN} AND EXISTS (
     SELECT 1 FROM main.message AS m WHERE m.dedupe_key = 'thanks:' || known.id
        AND (m.state IN ('sent', 'sending', 'held') OR m.maybe_sent_at IS NOT NULL)))
   OR received_at < (SELECT CAST(value AS INTEGER) FROM main.meta WHERE key = 'deleted_before')
      AND NOT EXISTS (SELECT 1 FROM {_KNOWN} AND (known.state <> 'processed' OR EXISTS (
        SELECT 1 FROM main.message AS m WHERE m.dedupe_key = 'thanks:' || known.id))))"""  # noqa: S608 - constants
# Who has said no since then must not be asked again, were it that they come with a file once more.
_OPTED_OUT = """UPDATE new.customer SET opted_out_at = known.opted_out_at FROM main.customer AS known
 WHERE known.id = customer.id AND known.opted_out_at IS NOT NULL AND customer.opted_out_at IS NULL"""
_PEOPLE = (
    "id, name, email, phone, preferred_channels, addresses, locale, timezone, opted_out_at, created_at,"
    " updated_at"
)
_OPTED_OUT_NEW = f"""INSERT OR IGNORE INTO new.customer ({_PEOPLE})
 SELECT {_PEOPLE} FROM main.customer WHERE opted_out_at IS NOT NULL"""  # noqa: S608 - constants
_HAS_SUPPRESSED = "SELECT count(*) FROM {}.sqlite_master WHERE name = 'suppressed_address'"  # since 0003
_SUPPRESSED = """INSERT OR IGNORE INTO new.suppressed_address (channel, address, reason, since)
 SELECT channel, address, reason, since FROM main.suppressed_address"""
# A number makes the Message-ID: given twice, a far side would take the second message for the first one again, and a
# bounce of the first would be laid to the second.
_NUMBERED = ("feedback", "message")
_HIGHEST = "SELECT coalesce(max(seq), 0) FROM {}.sqlite_sequence WHERE name = ?"
_GO_ON = ("DELETE FROM new.sqlite_sequence WHERE name = ?", "INSERT INTO new.sqlite_sequence VALUES (?, ?)")
_SURELY_UNUSED = 1_000_000  # numbers left out where nobody knows which were given since
_LOST = """SELECT count(*) FROM main.feedback AS known WHERE NOT EXISTS (
   SELECT 1 FROM new.feedback AS there WHERE there.source = known.source AND there.external_id = known.external_id)"""
_ID = "SELECT value FROM {}.meta WHERE key = 'ledger_id'"


class Since(NamedTuple):
    """What a restored ledger had under way, and what the old one knew of it."""

    ended: int = 0  # messages that had not, of which the old ledger knows how they did; they are now as there
    held: int = 0  # messages that may have left
    left: int = 0  # messages that stay due, as was asked for
    unprocessed: int = 0  # ratings that are yet to be processed
    thanked: int = 0  # of them, those of which the old ledger knows that their thank-you may have left
    opted_out: int = 0  # customers who opted out since, as the old ledger knows; they stay so
    suppressed: int = 0  # addresses that were suppressed since, as it knows; they stay so
    lost: int | None = None  # ratings of the old ledger that the backup lacks; None: it cannot be read
    same: bool | None = None  # whether both are states of one ledger; None: it cannot be read
    unread: tuple[str, ...] = ()  # what was not, or not wholly, taken over for damage: names of fields above


def settle_since(old: sqlite3.Connection | None, draft: Path, *, resend: bool, now: Milliseconds) -> Since:
    """Hold the messages that wait in `draft`, unless `resend`, and say what else there is to know.

    `old` is the only connection to the old ledger, None where that cannot be read.
    """
    with contextlib.ExitStack() as stack:
        both = old or stack.enter_context(
            contextlib.closing(sqlite3.connect(":memory:", isolation_level=None, uri=True))
        )
        both.execute(f"ATTACH 'file:{quote(str(draft))}?mode=rw' AS new")
        stack.callback(both.execute, "DETACH new")
        since = _compared(both, resend=resend)
        waiting = both.execute(_WAITING).fetchone()[0]
        if not resend:
            both.execute(_HOLD, (now,))
        _go_on_numbering(both, is_known=bool(since.same))
        return since._replace(
            held=0 if resend else waiting,
            left=waiting if resend else 0,
            unprocessed=both.execute(_UNPROCESSED).fetchone()[0],
        )


def _compared(both: sqlite3.Connection, *, resend: bool) -> Since:
    """Ask the old ledger; what it cannot say, because it is broken there, stays as in the backup and is named."""
    facts = _answers(both, {"same": _are_same, "lost": _count_lost})
    if facts.get("same") is False:  # what it knows is of others
        return Since(**facts)
    questions = {"opted_out": _opt_out, "suppressed": _suppress}
    if not resend:
        questions |= {"ended": _end, "thanked": _spare_thanked}
    taken = _answers(both, questions) if facts.get("same") else {}
    return Since(**facts, **taken, unread=tuple(name for name in questions if name not in taken))


def _answers(
    both: sqlite3.Connection, questions: Mapping[str, Callable[[sqlite3.Connection], int]]
) -> dict[str, Any]:
    """Ask one after the other: a page that is broken keeps only those from an answer that need it."""
    found = {}
    for name, answer in questions.items():
        with contextlib.suppress(sqlite3.DatabaseError):
            found[name] = answer(both)
    return found


def _are_same(both: sqlite3.Connection) -> bool:
    old, new = (both.execute(_ID.format(name)).fetchone() for name in ("main", "new"))
    return bool(old == new)


def _count_lost(both: sqlite3.Connection) -> int:
    return int(both.execute(_LOST).fetchone()[0])


def _opt_out(both: sqlite3.Connection) -> int:
    return both.execute(_OPTED_OUT).rowcount + both.execute(_OPTED_OUT_NEW).rowcount


def _suppress(both: sqlite3.Connection) -> int:
    are_there = all(both.execute(_HAS_SUPPRESSED.format(name)).fetchone()[0] for name in ("main", "new"))
    return both.execute(_SUPPRESSED).rowcount if are_there else 0


def _spare_thanked(both: sqlite3.Connection) -> int:
    return both.execute(_THANKED).rowcount


def _end(both: sqlite3.Connection) -> int:
    """Let messages be as they are in the old ledger, where they have ended, with the tries that they took."""
    put = ", ".join(f"{name} = known.{name}" for name in _columns(both, "message"))
    tries = _TRIED_SINCE.format(columns=", ".join(_columns(both, "delivery_attempt")))
    with _transaction(both):
        ended = both.execute(_ENDED_SINCE.format(columns=put)).fetchall()
        both.executemany(tries, ended)
    return len(ended)


def _columns(both: sqlite3.Connection, table: str) -> list[str]:
    """Return the names that both ledgers know: each may be of an earlier schema than the other."""
    return [name for (name,) in both.execute(_COLUMNS, (table, table))]


def _go_on_numbering(both: sqlite3.Connection, *, is_known: bool) -> None:
    """Give no number that was given since, which the old ledger knows if anybody does."""
    remove, put = _GO_ON
    for table in _NUMBERED:
        highest = _highest(both, "new", table)
        known = highest + _SURELY_UNUSED
        if is_known:
            with contextlib.suppress(sqlite3.DatabaseError):
                known = _highest(both, "main", table)
        both.execute(remove, (table,))
        both.execute(put, (table, max(highest, known)))


def _highest(both: sqlite3.Connection, ledger: str, table: str) -> int:
    return int(both.execute(_HIGHEST.format(ledger), (table,)).fetchone()[0])


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # a disk that cannot be read ends it too
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
