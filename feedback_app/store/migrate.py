"""The schema of a ledger: which revision this program knows, and Alembic's migrations to it."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from feedback_app import failpoints
from feedback_app.errors import BadConfig

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = "0004"  # the newest revision that this program knows
# Under this key, table `meta` says "REVISION:OLDEST", the oldest program's HEAD that can work on that revision: so a
# newer program may have upgraded a ledger on which older ones still run.
READABLE_FROM = "readable_from"


def apply(connection: Connection) -> None:
    """Bring the schema to HEAD, in the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("feedback_app.migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    failpoints.reached("ledger.migrated")


def is_revision(found: str) -> bool:
    """Whether this could be one of our revisions' numbers."""
    return re.fullmatch(r"\d{4}", found, re.ASCII) is not None


def refuse_newer(name: str, found: str, readable_from: str | None) -> None:
    """Raise BadConfig for a schema that is newer than this program and does not serve it."""
    revision, _, oldest = (readable_from or "").partition(":")
    if found > HEAD and not (revision == found and is_revision(oldest) and oldest <= HEAD):
        raise BadConfig(
            f"{name}: the ledger has schema {found}, this program knows up to {HEAD}; upgrade feedback_app"
        )
