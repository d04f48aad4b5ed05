"""How far a table was read, as text: a value of its order with the kind of it, and of which table it is."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from feedback_app import SourceDown

if TYPE_CHECKING:
    import sqlalchemy as sa

    from feedback_app.plugins.database_table import Settings


def order_of(url: sa.URL, settings: Settings) -> str:
    """Return what tells one order of rows from another: a position in one says nothing about another.

    Host and login are left out: a database that moves, or a new password, must not have all of it read again.
    """
    known = (url.get_backend_name(), url.database, settings.table, settings.key, settings.time)
    return blake2b(json.dumps(known).encode(), digest_size=8).hexdigest()


def written(order: str, value: object) -> str:
    """Return a position as text. Raises SourceDown for a value that has no place in an order."""
    return json.dumps({"of": order, "at": _tagged(value)})


def value_in(position: str, order: str) -> object | None:
    """Return the value to go on from, None where it is of another order."""
    found = json.loads(position)
    if isinstance(found, list):  # the former form, which did not say of which
        return _untagged(found)
    return _untagged(found["at"]) if found["of"] == order else None


def _tagged(value: object) -> list[object]:
    """Return a value with its kind, as JSON."""
    match value:
        case dt.datetime():
            return ["datetime", value.isoformat()]
        case dt.date():
            return ["date", value.isoformat()]
        case int() | float() | str():
            return ["plain", value]
        case decimal.Decimal():
            return ["decimal", str(value)]
        case _:
            raise SourceDown(f"rows cannot be read in the order of values of the kind {type(value).__name__}")


def _untagged(tagged: list[Any]) -> object:
    kind, value = tagged
    match kind:
        case "datetime":
            return dt.datetime.fromisoformat(value)
        case "date":
            return dt.date.fromisoformat(value)
        case "decimal":
            return decimal.Decimal(value)
        case _:
            return value
