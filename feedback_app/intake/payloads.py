"""From the payloads of a source to ratings that can be stored, and dead letters of what is no rating."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from feedback_app.errors import UsageError, fault_site
from feedback_app.intake import fields
from feedback_app.intake.field_map import FieldMap, suggestion
from feedback_app.intake.json_records import parse_object
from feedback_app.intake.ratings import RATINGS, RatingForm, rules_of
from feedback_app.intake.records import Row
from feedback_app.store.sources import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from feedback_app.intake.records import Incoming
    from feedback_app.intake.scale import Scale
    from feedback_app.model import Milliseconds, Received

LARGEST = 1024 * 1024  # bytes of a payload
KEPT = 64 * 1024  # bytes that are kept of a larger one

_NO_ID = 'id is missing, and the source gives none: say where it is by map = { id = "KEY" }'


def field_map(
    maps: Mapping[str, str], sets: Mapping[str, str], *, scale: Scale, now: Milliseconds
) -> FieldMap:
    """Return where the fields of a payload come from. Raises UsageError with a line for each mistake."""
    problems = [*_unknown("map", maps), *_unknown("set", sets)]
    problems += [f"map.{field} and set.{field}: give one of them" for field in maps if field in sets]
    if RATINGS.one_each in sets:
        problems.append(f"set.{RATINGS.one_each}: every rating would get the same {RATINGS.one_each}")
    rules = rules_of(scale, now)
    for field, value in sets.items():
        try:
            rules.get(field, str)(value)
        except ValueError as problem:
            problems.append(f"set.{field}: {problem}")
    if problems:
        raise UsageError("\n".join(problems))
    columns = {field: maps.get(field, field) for field in RATINGS.fields if field not in sets}
    return FieldMap(columns=columns, constants=dict(sets))


def _unknown(key: str, given: Mapping[str, str]) -> Iterator[str]:
    for field in given:
        if field not in RATINGS.fields:
            hint = suggestion(field, RATINGS.fields)
            yield f"{key}.{field}: there is no such field{hint}; fields are {', '.join(RATINGS.fields)}"


class PayloadForm:
    """Judges the payloads of one source."""

    def __init__(self, known: FieldMap, *, scale: Scale, source: str) -> None:
        self._field_map = known
        self._scale = scale
        self._source = source

    def judge(self, received: Sequence[Received], now: Milliseconds) -> list[Incoming | DeadLetter]:
        """Return for each payload what it is; `now` is the present, against which times in the future are refused."""
        form = RatingForm(self._field_map, self._picker, scale=self._scale, now=now, source=self._source)
        return [self._judged(one, form) for one in received]

    def _judged(self, received: Received, form: RatingForm) -> Incoming | DeadLetter:
        payload = received.payload
        if received.reason:
            return dead_letter(received, received.reason)
        if len(payload) > LARGEST:
            return dead_letter(received, f"the payload has {len(payload):,} bytes, more than {LARGEST:,}")
        try:
            row = Row(0, parse_object(payload.decode()), received.id)
        except UnicodeDecodeError as problem:
            return dead_letter(received, f"not UTF-8 at byte {problem.start + 1}")
        except ValueError as problem:
            return dead_letter(received, str(problem))
        try:
            return form.incoming(row, _far_id)
        except ValueError as problem:
            return dead_letter(received, form.reasons(row) or str(problem))
        except Exception as error:  # noqa: BLE001 - one payload that a rule's own fault meets must not hold up the others
            return dead_letter(received, f"a bug in the program: {fault_site(error)}")

    def _picker(self, wanted: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
        columns, constants = self._field_map.columns, self._field_map.constants
        plan = [(columns.get(field), constants.get(field, "")) for field in wanted]

        def pick(cells: Mapping[str, Any]) -> Sequence[Any]:
            # A key with a field's name is that field, in capitals or not; the exact one comes first.
            found = {**{key.lower(): value for key, value in cells.items()}, **cells}
            return [constant if key is None else found.get(key, constant) for key, constant in plan]

        return pick


def _far_id(row: Row) -> str:
    """Return the source's own id of the payload, which came as the row's text. Raises ValueError."""
    found = fields.identifier("id", row.raw)
    if found is None:
        raise ValueError(_NO_ID)
    return found


def dead_letter(received: Received, reason: str) -> DeadLetter:
    """Keep what is no rating, and why."""
    payload = bytes(received.payload)
    key = blake2b(
        payload, digest_size=16, key=blake2b(received.id.encode("utf-8", "replace")).digest()
    ).digest()
    if len(payload) > LARGEST:
        reason, payload = f"{reason}; its first {KEPT:,} are kept", payload[:KEPT]
    try:
        external_id = fields.identifier("id", received.id)
    except ValueError:
        external_id = None
    # A source's own words may hold what no database's text can.
    reason = reason.encode("utf-8", "backslashreplace").decode().replace("\0", " ")
    return DeadLetter(key=key, external_id=external_id, payload=payload, reason=reason)
