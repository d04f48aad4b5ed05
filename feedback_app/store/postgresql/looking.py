"""What `db check` and `db size` ask a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feedback_app.store import checks, migrate
from feedback_app.store.checks import Checked, Finding
from feedback_app.store.postgresql import schema
from feedback_app.store.sizes import Room, Size, TableSize, largest_first
from feedback_app.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_INVALID = """SELECT index.relname FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
 WHERE NOT indisvalid AND indrelid = ANY (ARRAY (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name))"""
_SIZES = """SELECT pg_table_size(to_regclass(%s)), pg_indexes_size(to_regclass(%s))"""


def check(connection: Connection) -> Checked:
    """Check indices, schema and the rules of `checks`, on one snapshot; pages are for `pg_amcheck`."""
    connection.exec_driver_sql(_READ_ONLY)
    found = schema.found(connection)

    def ask(query: str) -> Sequence[tuple[Any, ...]]:
        return [tuple(row) for row in connection.exec_driver_sql(query)]

    invalid = list(connection.exec_driver_sql(_INVALID, (list(metadata.tables),)).scalars())
    behind = "" if found and found >= migrate.HEAD else f"{found}, this program wants {migrate.HEAD}"
    return Checked(
        schema=found,
        findings=[
            Finding(check="every index is valid", problem=", ".join(invalid)),
            Finding(check=checks.SCHEMA, problem=behind),
            *checks.findings(ask),
        ],
    )


def room_of(connection: Connection) -> Room:
    """Return what the database takes, indices included."""
    found = connection.exec_driver_sql("SELECT pg_database_size(current_database())")
    return Room(ledger=int(found.scalar_one()))


def size_of(connection: Connection) -> Size:
    """Measure tables and indices, and count rows, on one snapshot."""
    connection.exec_driver_sql(_READ_ONLY)
    tables = []
    for name in metadata.tables:
        table, indices = connection.exec_driver_sql(_SIZES, (name, name)).one()
        if table is None:
            continue  # the schema is an older one
        rows = connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()  # noqa: S608 - our own
        tables.append(TableSize(name=name, rows=int(rows), table=int(table), indices=int(indices)))
    total = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
    return Size(tables=largest_first(tables), total=int(total), free=None, file=None, log=None, exact=True)
