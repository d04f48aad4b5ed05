"""Which column, key or constant each field is read from."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from feedback_app.errors import BadData, UsageError
from feedback_app.intake.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NAMED = 20  # columns that a message lists


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The fields that a kind of record is made of."""

    fields: tuple[str, ...]
    required: str  # the one without which there is no record
    one_each: str  # the one that no two records may share, so that --set makes no sense


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The names that a file offers."""

    label: str  # of the file
    names: tuple[str, ...]
    complete: bool  # False for JSON: a key that the first rows lack may come later


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldMap:
    """Where the fields of a record come from; a field in neither is blank."""

    columns: Mapping[str, str]  # field → column or key
    constants: Mapping[str, str]  # field → the value of every row


def assignments(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Read the FIELD=VALUE texts of a repeated option. Raises UsageError."""
    found: dict[str, str] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not equals or not field:
            what = "COLUMN" if option == "--map" else "VALUE"
            raise UsageError(f"{option} {shown(text)}: FIELD={what} is wanted")
        if field in found:
            raise UsageError(f"{option} {field} is given twice")
        found[field] = value
    return found


def map_fields(
    columns: Columns, wanted: Wanted, *, maps: Mapping[str, str], sets: Mapping[str, str]
) -> FieldMap:
    """Find each field's column: by `maps`, else the column of its name, exact or but for capitals.

    Raises UsageError with a line for each mistake in `maps` and `sets`, BadData when the file lacks what is
    required.
    """
    problems = [*_unknown("--map", maps, wanted), *_unknown("--set", sets, wanted)]
    problems += [f"--map {field} and --set {field}: give one of them" for field in maps if field in sets]
    if wanted.one_each in sets:
        problems.append(f"--set {wanted.one_each}: every row would get the same {wanted.one_each}")
    problems += _absent(maps, wanted, columns)
    if problems:
        raise UsageError("\n".join(problems))
    chosen: dict[str, str] = {}
    for field in wanted.fields:
        if field in maps:
            chosen[field] = maps[field]
        elif field not in sets and (column := _column_named(field, columns)) is not None:
            chosen[field] = column
    _refuse_ambiguous(chosen, columns)
    _demand(wanted.required, chosen, sets, columns)
    return FieldMap(columns=chosen, constants=dict(sets))


def _absent(maps: Mapping[str, str], wanted: Wanted, columns: Columns) -> list[str]:
    return [
        f"--map {field}: {columns.label} has no column {shown(name)}{suggestion(name, columns.names)}"
        for field, name in maps.items()
        if columns.complete and field in wanted.fields and name not in columns.names
    ]


def _unknown(option: str, given: Iterable[str], wanted: Wanted) -> list[str]:
    return [
        f"{option} {field}: there is no such field{suggestion(field, wanted.fields)}; fields are "
        + ", ".join(wanted.fields)
        for field in given
        if field not in wanted.fields
    ]


def _column_named(field: str, columns: Columns) -> str | None:
    if field in columns.names:
        return field
    alike = [name for name in columns.names if name.lower() == field]
    if len(alike) > 1:
        raise BadData(
            f"{columns.label} has the columns {_listed(alike)}: say which one by --map {field}=COLUMN"
        )
    if alike:
        return alike[0]
    return None if columns.complete else field


def _refuse_ambiguous(chosen: Mapping[str, str], columns: Columns) -> None:
    for field, column in chosen.items():
        if columns.names.count(column) > 1:
            places = [str(n) for n, name in enumerate(columns.names, 1) if name == column]
            where = (
                f"{columns.label} names {len(places)} columns {shown(column)} (columns {', '.join(places)})"
            )
            raise BadData(f"{where}: rename all but the one that is the {field}")


def _demand(field: str, chosen: Mapping[str, str], sets: Mapping[str, str], columns: Columns) -> None:
    """Raise BadData when `field` is read from nowhere, or from a key that none of the first rows has."""
    name = chosen.get(field, field)
    if field in sets or name in columns.names or not (columns.names or columns.complete):
        return
    kind = "columns" if columns.complete else "keys"
    raise BadData(
        f"{columns.label} has no {shown(name)}{suggestion(name, columns.names)}; its {kind} are "
        f"{_listed(columns.names)}: say which one is the {field} by --map {field}={kind[:-1].upper()}"
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(map(shown, names[:_NAMED])) + (f" and {more:,} more" if more > 0 else "")


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return the known word that was probably meant, as the end of a sentence; "" where none is near."""
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_lower, n=1)
    return f" (did you mean {shown(by_lower[close[0]])}?)" if close else ""
