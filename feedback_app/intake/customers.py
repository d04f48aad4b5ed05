"""From the rows of a file to customers that can be stored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from feedback_app.intake import fields
from feedback_app.intake.contact import CONTACT_FIELDS, contact, contact_value
from feedback_app.intake.field_map import Wanted
from feedback_app.intake.ratings import refuse_constants
from feedback_app.intake.records import IncomingCustomer, Records, Reject, Row
from feedback_app.model import Customer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CUSTOMER_FIELDS = ("id", *CONTACT_FIELDS)
CUSTOMERS = Wanted(fields=CUSTOMER_FIELDS, required="id", one_each="id")


def read_customers(records: Records) -> Iterator[IncomingCustomer | Reject]:
    """Return every record as a customer or, when it has no id, as a reject; made as they are asked for.

    Contact data that is no good is left out with a warning. Raises UsageError at once for a --set that no row
    could pass; while reading, BadData and StorageFailed.
    """
    rules: dict[str, Callable[[object], object]] = {
        name: partial(contact_value, name) for name in CONTACT_FIELDS
    }
    refuse_constants(records.field_map.constants, rules)
    return _read(records)


def _read(records: Records) -> Iterator[IncomingCustomer | Reject]:
    pick = records.picker(CUSTOMER_FIELDS)
    for row in records.rows():
        result: IncomingCustomer | Reject
        if isinstance(row, Reject):
            result = row
        else:
            try:
                result = _customer(row, pick(row.cells))
            except ValueError as problem:
                result = Reject(row.line, str(problem), row.raw.rstrip("\r\n"))
        yield result


def _customer(row: Row, values: Sequence[object]) -> IncomingCustomer:
    customer_id, *rest = values
    name = fields.identifier("id", customer_id)
    if name is None:
        raise ValueError("id is missing")
    known, warnings = contact(name, rest)
    return IncomingCustomer(known or Customer(id=name), row.line, warnings)
