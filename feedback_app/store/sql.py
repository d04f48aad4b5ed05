"""Statements in the words of each database, for the few that are run for every batch of ratings or messages.

SQLAlchemy's own parameter processing costs more than the statements themselves, so these go to the driver as they are.
What differs is written once: a list or a table of values is one JSON text for SQLite, and arrays for PostgreSQL.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from feedback_app.store.postgresql.arrays import array

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, CursorResult

Result: TypeAlias = "CursorResult[*tuple[Any, ...]]"  # rows of any columns

SQLITE = "sqlite"
POSTGRESQL = "postgresql"


class Members:
    """A parameter for `{bigints}` or `{texts}`: the values behind IN."""

    def __init__(self, values: Iterable[object]) -> None:
        self.values = list(values)


class Rows:
    """A parameter for `{rows}`: tuples with the columns that the statement names."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self.rows = rows


class Statement:
    """SQL with `?` for each parameter; called with a connection and the parameters, it returns the result.

    `x IN ({bigints})` and `x IN ({texts})` take a `Members`. `{rows} AS name` in a FROM takes a `Rows`, whose columns
    and PostgreSQL's types of them are `columns`. `only` holds pieces for one database: name → {database: SQL}.
    """

    def __init__(
        self,
        text: str,
        *,
        columns: Mapping[str, str] | None = None,
        only: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._kinds = tuple((columns or {}).values())
        self.texts = {
            database: text.format_map(
                {**words, **{name: pieces.get(database, "") for name, pieces in (only or {}).items()}}
            )
            for database, words in (
                (SQLITE, _sqlite(columns or {})),
                (POSTGRESQL, _postgresql(columns or {})),
            )
        }
        self.texts[POSTGRESQL] = self.texts[POSTGRESQL].replace("?", "%s")

    def __call__(self, connection: Connection, *parameters: object) -> Result:
        """Run it."""
        database = connection.dialect.name
        if database == SQLITE:
            values = tuple(map(_as_json, parameters))
        else:
            values = tuple(chain.from_iterable(map(self._as_arrays, parameters)))
        return connection.exec_driver_sql(self.texts[database], values)

    def _as_arrays(self, parameter: object) -> Iterator[object]:
        if isinstance(parameter, Rows):
            columns = zip(*parameter.rows, strict=True) if parameter.rows else ((),) * len(self._kinds)
            yield from map(array, self._kinds, columns)
        elif isinstance(parameter, Members):
            is_text = any(isinstance(one, str) for one in parameter.values)
            yield array("text" if is_text else "bigint", parameter.values)
        else:
            yield parameter


def walking_indices(connection: Connection) -> None:
    """Let the rest of the transaction find the first rows of an order by an index that has it.

    PostgreSQL would rather read and sort all that waits, as long as it believes that it is little: until the next
    ANALYZE. To the transaction's end only, as poolers want.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql("SELECT set_config('enable_sort', 'off', true)")


def _as_json(parameter: object) -> object:
    if isinstance(parameter, Rows):
        return json.dumps(parameter.rows)
    return json.dumps(parameter.values) if isinstance(parameter, Members) else parameter


def _sqlite(columns: Mapping[str, str]) -> dict[str, str]:
    picked = ", ".join(f"json_extract(value, '$[{at}]') AS {name}" for at, name in enumerate(columns))
    return {
        "bigints": "SELECT value FROM json_each(?)",
        "texts": "SELECT value FROM json_each(?)",
        "rows": f"(SELECT {picked} FROM json_each(?))",
    }


def _postgresql(columns: Mapping[str, str]) -> dict[str, str]:
    arrays = ", ".join(f"?::{kind}[]" for kind in columns.values())
    return {
        "bigints": "SELECT unnest(?::bigint[])",
        "texts": "SELECT unnest(?::text[])",
        "rows": f"(SELECT * FROM unnest({arrays}) AS given ({', '.join(columns)}))",
    }
