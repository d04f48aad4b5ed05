"""JSON lines: one object a line. A broken line is a reject, the others go on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from feedback_app.errors import BadData
from feedback_app.intake.field_map import Columns, map_fields
from feedback_app.intake.records import Format, Input, Records, Reject, Row
from feedback_app.intake.shown import shown
from feedback_app.intake.text import MAX_LINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_REJECT_LIMIT = 1000  # characters of an over-long line that are kept


class JsonRecords(Records):
    """A file of JSON lines whose first lines have been looked at, to learn its keys.

    Raises BadData for a file that is one JSON array or has an object over several lines, UsageError for options
    that do not fit.
    """

    def __init__(self, given: Input) -> None:
        super().__init__(given)
        self.format: Format = "jsonl"
        head = [line for line in given.text.head(given.source).split("\n") if line.strip()]
        if is_json_array(head):
            hint = f"jq -c '.[]' {self.name or 'FILE'}"
            raise BadData(f"{self.label} is a JSON array; one object a line is wanted: {hint}")
        if len(head) > 1 and head[0].strip() == "{":
            hint = f"jq -c . {self.name or 'FILE'}"
            raise BadData(f"{self.label} has objects over several lines; one object a line is wanted: {hint}")
        columns = Columns(label=self.label, names=_keys(head), complete=False)
        self.field_map = map_fields(columns, given.wanted, maps=given.options.maps, sets=given.options.sets)

    def rows(self) -> Iterator[Row | Reject]:
        """Yield every line that is not blank."""
        damage = self._text.damage
        for number, line in enumerate(self._text, 1):
            if len(line) > MAX_LINE:
                yield Reject(number, f"the line exceeds {MAX_LINE:,} characters", line[:_REJECT_LIMIT])
                continue
            raw = line.strip()
            if not raw:
                continue
            problem = None if raw.isascii() else damage(line)
            try:
                if problem is None:
                    yield Row(number, parse_object(raw), raw)
                    continue
            except ValueError as refused:
                problem = str(refused)
            yield Reject(number, problem, raw)

    def picker(self, fields: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
        """Take the values by key; a constant is the default of a key that no object has."""
        plan = [
            (self.field_map.columns.get(field), self.field_map.constants.get(field, "")) for field in fields
        ]
        return lambda cells: [cells.get(key, constant) for key, constant in plan]

    def content(self, row: Row) -> str:
        """Return the line itself."""
        return row.raw


class _RefusedError(ValueError):
    """The text is JSON by the letter, and not fit to be taken."""


def is_json_array(head: Sequence[str]) -> bool:
    """Say whether a file that begins so is one array, and not lines of which one is an array."""
    if not head or not head[0].lstrip().startswith("["):
        return False
    try:
        json.loads(head[0])
    except ValueError:
        return True  # it goes on in the next line
    except RecursionError:
        pass
    return len(head) == 1


def _keys(head: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of the objects in these lines; the last line may be cut off."""
    keys: dict[str, None] = {}
    for line in head:
        try:
            keys.update(dict.fromkeys(parse_object(line)))
        except ValueError:
            continue
    return tuple(keys)


def parse_object(text: str) -> dict[str, Any]:
    """Return the object that `text` is. Raises ValueError with a sentence."""
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as problem:
        raise ValueError(_reason(problem, text)) from None
    except RecursionError:
        raise ValueError("invalid JSON: nested too deeply") from None
    except _RefusedError:
        raise
    except ValueError:  # int() itself refuses more than 4,300 digits
        raise ValueError("invalid JSON: a number has too many digits") from None
    if type(value) is not dict:
        raise ValueError(f"a JSON object is wanted, got {shown(value)}")
    return value


def _reason(problem: json.JSONDecodeError, text: str) -> str:
    if problem.msg == "Extra data":
        return f"more than one JSON value in the line, from column {problem.pos + 1}"
    if problem.pos >= len(text) or problem.msg.startswith("Unterminated string"):
        return "invalid JSON: the line ends in the middle (cut off?)"
    return f"invalid JSON at column {problem.pos + 1}: {problem.msg.lower()}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise _RefusedError(f"the key {shown(twice)} stands twice in an object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise _RefusedError(f"invalid JSON: {name} is not a JSON value")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
