"""From the rows of a file to ratings that can be stored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from feedback_app.errors import UsageError
from feedback_app.intake import fields
from feedback_app.intake.contact import CONTACT_FIELDS, contact, contact_value
from feedback_app.intake.field_map import Wanted
from feedback_app.intake.identity import RowIds, content_hash
from feedback_app.intake.records import Incoming, Records, Reject, Row
from feedback_app.model import Feedback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from feedback_app.intake.field_map import FieldMap
    from feedback_app.intake.scale import Scale
    from feedback_app.model import Customer, Milliseconds

RATING_FIELDS = ("id", "customer", "item", "rating", "comment", "given_at")
RATINGS = Wanted(fields=RATING_FIELDS + CONTACT_FIELDS, required="rating", one_each="id")


def read_ratings(
    records: Records, *, scale: Scale, now: Milliseconds, source: str = "import", thank: bool = True
) -> Iterator[Incoming | Reject]:
    """Return every record as a rating or, when it cannot be one, as a reject; made as they are asked for.

    `now` is the present, against which times in the future are refused. Raises UsageError at once for a --set
    that no row could pass; while reading, BadData and StorageFailed.
    """
    form = RatingForm(records.field_map, records.picker, scale=scale, now=now, source=source, thank=thank)
    refuse_constants(records.field_map.constants, form.rules)
    return _read(records, form)


def _read(records: Records, form: RatingForm) -> Iterator[Incoming | Reject]:
    """Yield the ratings in the order of the rows."""
    ids = RowIds(records.name)
    for row in records.rows():
        result: Incoming | Reject
        if isinstance(row, Reject):
            result = row
        else:
            try:
                result = form.incoming(row, lambda row: ids.next_id(records.content(row)))
            except ValueError:
                result = Reject(row.line, form.reasons(row), row.raw.rstrip("\r\n"))
        yield result


def refuse_constants(constants: Mapping[str, str], rules: Mapping[str, Callable[[object], object]]) -> None:
    """Raise UsageError for a --set that no record could pass."""
    for field, value in constants.items():
        try:
            rules[field](value)
        except ValueError as problem:
            raise UsageError(f"--set {field}: {problem}") from None


def rules_of(scale: Scale, now: Milliseconds) -> dict[str, Callable[[object], object]]:
    """Return the rule of each field: a value as it came → as it is kept, ValueError with a sentence."""
    return {
        "id": partial(fields.identifier, "id"),
        "customer": partial(fields.identifier, "customer"),
        "item": fields.item,
        "rating": scale.parse,
        "comment": fields.comment,
        "given_at": partial(fields.given_at, now=now),
        **{name: partial(contact_value, name) for name in CONTACT_FIELDS},
    }


class RatingForm:
    """Makes ratings out of rows. `picker` gives what takes the values of some fields out of a row's cells."""

    def __init__(
        self,
        field_map: FieldMap,
        picker: Callable[[Sequence[str]], Callable[[Any], Sequence[Any]]],
        *,
        scale: Scale,
        now: Milliseconds,
        source: str,
        thank: bool = True,
    ) -> None:
        self.rules = rules_of(scale, now)
        self._scale, self._now = scale, now
        self._source, self._thank = source, thank
        self._pick = picker(RATING_FIELDS)
        present = field_map.columns.keys() | field_map.constants.keys()
        has_contact = "customer" in present and not present.isdisjoint(CONTACT_FIELDS)
        self._pick_contact = picker(CONTACT_FIELDS) if has_contact else None

    def incoming(self, row: Row, unnamed: Callable[[Row], str]) -> Incoming:
        """Check one row; `unnamed` gives the id of one without its own. Raises ValueError.

        This is what a large file spends its time in.
        """
        row_id, customer, item, rating, comment, given_at = self._pick(row.cells)
        feedback = Feedback(
            rating=self._scale.parse(rating),
            customer=fields.identifier("customer", customer),
            item=fields.item(item),
            comment=fields.comment(comment),
            given_at=fields.given_at(given_at, now=self._now),
            # Below all that may refuse the row, because a new id is counted.
            id=fields.identifier("id", row_id) or unnamed(row),
            source=self._source,
            thank=self._thank,
        )
        if self._pick_contact is None:
            return Incoming(feedback, None, content_hash(feedback), row.line, ())
        known, warnings = _contact_of(feedback.customer, self._pick_contact(row.cells))
        return Incoming(feedback, known, content_hash(feedback), row.line, warnings)

    def reasons(self, row: Row) -> str:
        """Name everything that is wrong with a row."""
        reasons = []
        for field, value in zip(RATING_FIELDS, self._pick(row.cells), strict=True):
            try:
                self.rules[field](value)
            except ValueError as problem:
                reasons.append(str(problem))
        return "; ".join(reasons)


def _contact_of(customer: str | None, values: Sequence[object]) -> tuple[Customer | None, tuple[str, ...]]:
    if customer is not None:
        return contact(customer, values)
    if any(value not in (None, "") for value in values):
        return None, ("contact data without a customer; left out",)
    return None, ()
