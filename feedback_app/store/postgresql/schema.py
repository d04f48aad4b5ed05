"""Whether the schema on the server is one that this program can work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.errors import BadConfig
from feedback_app.store import migrate
from feedback_app.store.copying import progress
from feedback_app.store.postgresql.engines import OLDEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

_UPGRADE = "run `feedback-app db upgrade`"


def found(connection: Connection) -> str | None:
    """Return the schema's revision, None where there is none."""
    if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar_one() is None:
        return None
    revision = connection.exec_driver_sql("SELECT max(version_num) FROM alembic_version").scalar_one()
    return None if revision is None else str(revision)


def refuse_old_server(connection: Connection, name: str) -> None:
    """Raise BadConfig for a server that lacks what this program uses."""
    number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    if number < OLDEST * 10_000:
        raise BadConfig(
            f"{name}: the server is PostgreSQL {number // 10_000}, this program wants {OLDEST} or newer"
        )


def check(name: str) -> Callable[[Connection], None]:
    """Return a query that raises BadConfig for a schema that does not serve, with what mends it."""

    def look(connection: Connection) -> None:
        refuse_old_server(connection, name)
        revision = found(connection)
        if revision is None:
            raise BadConfig(f"{name}: there is no ledger yet; {_UPGRADE}")
        if revision < migrate.HEAD:
            raise BadConfig(
                f"{name}: the ledger has schema {revision}, this program wants {migrate.HEAD}; {_UPGRADE}"
            )
        if revision > migrate.HEAD:
            query = "SELECT value FROM meta WHERE key = %s"
            noted = connection.exec_driver_sql(query, (migrate.READABLE_FROM,)).scalar_one_or_none()
            migrate.refuse_newer(name, revision, None if noted is None else str(noted))
        refuse_unfinished_copy(connection, name)

    return look


def refuse_unfinished_copy(connection: Connection, name: str) -> None:
    """Raise BadConfig for the target of a copy that has not come to its end."""
    noted = connection.exec_driver_sql("SELECT value FROM meta WHERE key = %s", (progress.KEY,))
    progress.refuse_unfinished(name, noted.scalar_one_or_none())
