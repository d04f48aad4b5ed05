"""What must be true of any ledger at any moment, also while daemons work on it: each as a query for rows that break it.

Only what a row says of itself and of those that it refers to: history that was removed breaks none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from feedback_app.model import FEEDBACK_STATES, LOW_RATING_STATES, MESSAGE_STATES, Ended, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator

Ask: TypeAlias = Callable[[str], Sequence[tuple[Any, ...]]]  # a query → its rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One check and what it found."""

    check: str  # what is to be true
    problem: str = ""  # "" when it is


SCHEMA = "the schema is one that this program knows"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """All that was looked at."""

    schema: str | None  # revision; None: it cannot be read
    findings: Sequence[Finding]

    @property
    def problems(self) -> list[Finding]:
        """Those that are not true."""
        return [one for one in self.findings if one.problem]

    @property
    def is_whole(self) -> bool:
        """Whether all that is wrong is that the schema is another program's."""
        return self.schema is not None and all(one.check == SCHEMA for one in self.problems)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _but(column: str, table: str, words: Sequence[str]) -> str:
    """Return the query for the rows whose word is none of these."""
    return f"SELECT id FROM {table} WHERE {column} NOT IN ({_listed(words)})"  # noqa: S608 - all of it our own


def _without(table: str, column: str, other: str) -> str:
    """Return the query for the rows that refer to no row of the other table."""
    there = f"SELECT 1 FROM {other} WHERE {other}.id = {table}.{column}"  # noqa: S608
    return f"SELECT id FROM {table} WHERE {column} IS NOT NULL AND NOT EXISTS ({there})"  # noqa: S608


def _twice(column: str, table: str, condition: str = "1 = 1") -> str:
    """Return the query for values that stand in more than one row."""
    grouped = f"GROUP BY {column} HAVING count(*) > 1"
    return f"SELECT min(id) AS id FROM {table} WHERE {condition} {grouped}"  # noqa: S608


# What is to be true, and the query for the rows of which it is not, by their column `id`.
RULES = {
    "each rating is received, processed or dead": _but("state", "feedback", FEEDBACK_STATES),
    "each processed rating says where its road ended, no other does": (
        "SELECT id FROM feedback WHERE (state = 'processed') <> (ended IS NOT NULL)"
    ),
    "roads end where the program lets them end": _but("ended", "feedback", get_args(Ended)),
    "each low rating has its rating": _without("low_rating", "feedback_id", "feedback"),
    "a rating is a low one at most once": _twice("feedback_id", "low_rating"),
    "each low rating is open, acknowledged or resolved": _but("state", "low_rating", LOW_RATING_STATES),
    "each message is in a state that there is": _but("state", "message", MESSAGE_STATES),
    "each message has a purpose that there is": _but("purpose", "message", get_args(Purpose)),
    "a message about a rating has that rating": _without("message", "feedback_id", "feedback"),
    "a rating is thanked for at most once": _twice(
        "feedback_id", "message", "purpose <> 'report' AND feedback_id IS NOT NULL"
    ),
    "a dedupe key is given once": _twice("dedupe_key", "message"),
    "each message that ended says when, no other does": (
        "SELECT id FROM message WHERE (state IN ('sent', 'suppressed', 'dead')) <> (settled_at IS NOT NULL)"
    ),
    "each message that is being sent says by whom, no other does": (
        "SELECT id FROM message WHERE (state = 'sending') <> (lease_owner IS NOT NULL)"
    ),
    "each delivery attempt has its message": _without("delivery_attempt", "message_number", "message"),
    "there is one report for a name and date": _twice("name, local_date", "report_run"),
}
_ID = "SELECT 1 FROM meta WHERE key = 'ledger_id' AND value <> ''"


def findings(ask: Ask) -> Iterator[Finding]:
    """Yield what became of each rule; `ask` may raise for a query, and then what follows is still asked."""
    yield Finding(check="the ledger has its id", problem="" if ask(_ID) else "it has lost it")
    for check, query in RULES.items():
        ((rows, example),) = ask(f"SELECT count(*), min(id) FROM ({query}) AS broken")  # noqa: S608 - our own
        yield Finding(check=check, problem=f"{rows:,} not so, such as number {example}" if rows else "")
