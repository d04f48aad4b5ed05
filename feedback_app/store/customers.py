"""Customers: whom to thank and by which channel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, select, update

from feedback_app.model import Customer, Milliseconds
from feedback_app.store.bulk import insert_rows
from feedback_app.store.sql import Members, Statement
from feedback_app.store.tables import customer as table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_COLUMNS = (
    "id", "name", "email", "phone", "preferred_channels", "addresses", "locale", "timezone", "created_at", "updated_at",
)  # fmt: skip
_IN_MODEL = 9  # columns of the table that `from_columns` takes, the first ones
# What a later record leaves blank is kept from the earlier one.
_UPSERT = """ON CONFLICT (id) DO UPDATE SET
    name = COALESCE(excluded.name, customer.name),
    email = COALESCE(excluded.email, customer.email),
    phone = COALESCE(excluded.phone, customer.phone),
    preferred_channels = COALESCE(NULLIF(excluded.preferred_channels, ''), customer.preferred_channels),
    addresses = COALESCE(excluded.addresses, customer.addresses),
    locale = COALESCE(excluded.locale, customer.locale),
    timezone = COALESCE(excluded.timezone, customer.timezone),
    updated_at = excluded.updated_at"""

_KNOWN = Statement("SELECT id FROM customer WHERE id IN ({texts})")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredCustomer:
    """A customer with what the ledger knows beside the customer's own data."""

    id: str
    customer: Customer
    opted_out_at: Milliseconds | None
    created_at: Milliseconds
    updated_at: Milliseconds


def put(connection: Connection, customers: Sequence[Customer], now: Milliseconds) -> int:
    """Create or update; blanks never overwrite what is known. Returns how many existed before."""
    merged: dict[str, tuple[Any, ...]] = {}
    for one in customers:
        earlier = merged.get(one.id)
        merged[one.id] = _merge(earlier, _values(one, now)) if earlier else _values(one, now)
    before = len(known(connection, merged))
    # In one order, so that two writers of one server never wait for each other in a circle.
    rows = [merged[whom] for whom in sorted(merged)]
    insert_rows(connection, "customer", _COLUMNS, rows, tail=_UPSERT)
    return before + len(customers) - len(merged)


def _values(one: Customer, now: Milliseconds) -> tuple[Any, ...]:
    addresses = json.dumps(dict(one.addresses)) if one.addresses else None
    preferred = ",".join(one.preferred_channels)
    return (
        one.id, one.name, one.email, one.phone, preferred, addresses, one.locale, one.timezone, now, now,
    )  # fmt: skip


def _merge(earlier: tuple[Any, ...], later: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(new or old for old, new in zip(earlier, later, strict=True))


def known(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Return which of these customers exist."""
    return set(_KNOWN(connection, Members(ids)).scalars())


def from_columns(  # noqa: PLR0913, PLR0917 - the table's
    id_: str,
    name: str | None,
    email: str | None,
    phone: str | None,
    preferred_channels: str,
    addresses: str | None,
    locale: str | None,
    timezone: str | None,
    opted_out_at: Milliseconds | None,
) -> Customer:
    """Turn a row of the table into the model's form; the columns in the order of the table."""
    return Customer(
        id=id_,
        name=name,
        email=email,
        phone=phone,
        preferred_channels=tuple(preferred_channels.split(",")) if preferred_channels else (),
        addresses=json.loads(addresses) if addresses else {},
        locale=locale,
        timezone=timezone,
        opted_out=opted_out_at is not None,
    )


def to_customer(row: Row[Any]) -> Customer:
    """Turn a whole row of the table into the model's form."""
    return from_columns(*row[:_IN_MODEL])


def get(connection: Connection, customer_id: str) -> Customer | None:
    """Return one customer, or None."""
    row = connection.execute(select(table).where(table.c.id == customer_id)).one_or_none()
    return to_customer(row) if row is not None else None


def page(
    connection: Connection, *, opted_out: bool | None = None, after: str | None, limit: int
) -> Sequence[StoredCustomer]:
    """Return the next customers by id, those behind `after`; `opted_out` filters when given."""
    query = select(table).order_by(table.c.id).limit(limit)
    if after is not None:
        query = query.where(table.c.id > after)
    if opted_out is not None:
        query = query.where(
            table.c.opted_out_at.is_not(None) if opted_out else table.c.opted_out_at.is_(None)
        )
    return [_to_stored(row) for row in connection.execute(query)]


def stored(connection: Connection, customer_id: str) -> StoredCustomer | None:
    """Return one customer with the ledger's own facts, or None."""
    row = connection.execute(select(table).where(table.c.id == customer_id)).one_or_none()
    return _to_stored(row) if row is not None else None


def _to_stored(row: Row[Any]) -> StoredCustomer:
    return StoredCustomer(
        id=row.id,
        customer=to_customer(row),
        opted_out_at=row.opted_out_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def set_opted_out(connection: Connection, customer_id: str, when: Milliseconds | None) -> bool:
    """Opt a customer out at `when`, or in again with None; False when there is no such customer.

    Opting out twice keeps the first time.
    """
    moment = None if when is None else func.coalesce(table.c.opted_out_at, when)
    change = update(table).where(table.c.id == customer_id).values(opted_out_at=moment)
    return connection.execute(change).rowcount == 1


def preferred_channels(connection: Connection) -> set[str]:
    """Return every channel that some customer prefers."""
    lists = connection.execute(select(table.c.preferred_channels).distinct()).scalars()
    return {name for one in lists for name in one.split(",") if name}
