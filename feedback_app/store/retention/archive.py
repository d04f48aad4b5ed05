"""What was archived of reports, the starts of daemons, and how many tries a provider was given when."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from feedback_app.store import daemons
from feedback_app.store.retention.kind import Cutoffs, Gone, Kind, Page
from feedback_app.store.sql import POSTGRESQL, SQLITE, Members, Rows, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_SUMMED_UP = ("ratings", "average", "low")
_OLD_REPORT = "made_at < ? AND substr(figures, 2, 9) <> '\"deleted\"'"
_REPORTS = Statement(f"SELECT id FROM report_run WHERE {_OLD_REPORT} ORDER BY id LIMIT ?")  # noqa: S608 - constants
_FIGURES = Statement("SELECT id, figures FROM report_run WHERE id IN ({bigints})")
_SUM_UP = Statement("UPDATE report_run SET figures = ? WHERE id = ?")
_COUNT_REPORTS = Statement(f"SELECT count(*) FROM report_run WHERE {_OLD_REPORT}")  # noqa: S608 - constants


class Reports(Kind):
    """The figures of reports that were made; that one was made stays known, or it would be made again."""

    name = "reports"

    def find(self, connection: Connection, cutoffs: Cutoffs, after: int, limit: int) -> Page:
        """Take the oldest."""
        del after
        ids = list(_REPORTS(connection, cutoffs.reports, limit).scalars())
        return Page(ids, 0 if ids else None)

    def delete(
        self, connection: Connection, cutoffs: Cutoffs, ids: Sequence[Any], gone: Gone
    ) -> Counter[str]:
        """Leave a few numbers in the place of the figures, which hold customers' words."""
        del cutoffs, gone
        rows = _FIGURES(connection, Members(ids)).all()
        for number, figures in rows:
            kept = {name: value for name, value in json.loads(figures).items() if name in _SUMMED_UP}
            _SUM_UP(connection, json.dumps({"deleted": True, **kept}), number)
        return Counter(reports=len(rows))

    def count(self, connection: Connection, cutoffs: Cutoffs) -> int:
        """Count them."""
        return int(_COUNT_REPORTS(connection, cutoffs.reports).scalar_one())


_STARTS = Statement(
    "SELECT boot_id FROM daemon WHERE heartbeat_at < ? AND {ended} ORDER BY heartbeat_at LIMIT ?",
    only={"ended": {SQLITE: "1 = 1", POSTGRESQL: "(stopped_at IS NOT NULL OR fenced_at IS NOT NULL)"}},
)
_MANY = 1_000_000
_DELETE_STARTS = Statement("DELETE FROM daemon WHERE boot_id IN ({texts})")


class Starts(Kind):
    """Starts of daemons that ended long ago."""

    name = "daemons"

    def find(self, connection: Connection, cutoffs: Cutoffs, after: int, limit: int) -> Page:
        """Take the oldest, but never the newest of all: it tells whether the last daemon ended in order."""
        del after
        newest = daemons.last(connection)
        old = _STARTS(connection, cutoffs.daemons, limit + 1).scalars()
        ids = [one for one in old if newest is not None and one != newest["boot_id"]]
        return Page(ids, 0 if ids else None)

    def delete(
        self, connection: Connection, cutoffs: Cutoffs, ids: Sequence[Any], gone: Gone
    ) -> Counter[str]:
        """They are in no figures."""
        del cutoffs, gone
        return Counter(daemons=_DELETE_STARTS(connection, Members(ids)).rowcount)

    def count(self, connection: Connection, cutoffs: Cutoffs) -> int:
        """Count them."""
        return len(self.find(connection, cutoffs, 0, _MANY).ids)


_DAY = 86_400_000  # milliseconds
_TRIES = Statement("SELECT provider, minute FROM tries_by_minute WHERE minute < ? ORDER BY minute LIMIT ?")
_DELETE_TRIES = Statement(
    "DELETE FROM tries_by_minute WHERE (provider, minute) IN (SELECT provider, minute FROM {rows} AS old)",
    columns={"provider": "text", "minute": "bigint"},
)
_COUNT_TRIES = Statement("SELECT count(*) FROM tries_by_minute WHERE minute < ?")


class Tries(Kind):
    """How many tries a provider was given, by the minute, long after they count for its `per_day`."""

    name = "tries"

    def find(self, connection: Connection, cutoffs: Cutoffs, after: int, limit: int) -> Page:
        """Take the oldest."""
        del after
        ids = [tuple(row) for row in _TRIES(connection, _minute(cutoffs), limit)]
        return Page(ids, 0 if ids else None)

    def delete(
        self, connection: Connection, cutoffs: Cutoffs, ids: Sequence[Any], gone: Gone
    ) -> Counter[str]:
        """They are in no figures."""
        del cutoffs, gone
        return Counter(tries=_DELETE_TRIES(connection, Rows(ids)).rowcount)

    def count(self, connection: Connection, cutoffs: Cutoffs) -> int:
        """Count the minutes."""
        return int(_COUNT_TRIES(connection, _minute(cutoffs)).scalar_one())


def _minute(cutoffs: Cutoffs) -> int:
    """Return the first minute that stays: of a day, else there would be some to delete, and to log, at each look."""
    return cutoffs.tries // _DAY * _DAY // 60_000
