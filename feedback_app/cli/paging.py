"""Prints what may be long page by page: no command holds a whole table, nor a snapshot of the ledger, for long."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, Protocol, TextIO, TypeVar

import click

from feedback_app.cli.context import echo_table, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from feedback_app.store.store import Store

PAGE = 1000  # rows


class HasKey(Protocol):
    """A row of a list in the order of `id`."""

    @property
    def id(self) -> Any: ...  # noqa: D102 - the key, a number or a text


Row = TypeVar("Row", bound=HasKey)
RowOut_co = TypeVar("RowOut_co", bound=HasKey, covariant=True)


class PageQuery(Protocol[RowOut_co]):
    """Returns the first `limit` rows behind the key `after`, in order; None is the beginning."""

    def __call__(self, connection: Connection, *, after: Any, limit: int) -> Sequence[RowOut_co]:
        """Run on a connection that only reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Form(Generic[Row]):
    """How the rows of a list are shown."""

    data: Callable[[Row], Mapping[str, object]]  # the JSON object
    header: tuple[str, ...]
    cells: Callable[[Row], Sequence[object]]  # one line for people, in the order of the header


async def pages(
    store: Store, query: PageQuery[Row], limit: int | None = None
) -> AsyncIterator[Sequence[Row]]:
    """Yield the rows in pages, each read in a snapshot of its own; `limit` bounds all of them together."""
    after, left = None, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = await store.read(partial(query, after=after, limit=size))
        if page:
            yield page
            after = page[-1].id
        if len(page) < size:
            return
        left = None if left is None else left - size


async def print_rows(
    store: Store, query: PageQuery[Row], form: Form[Row], *, as_json: bool, limit: int | None
) -> None:
    """Print a list: a JSON array with a row in each line, a table on a terminal, else tab-separated lines."""
    found = pages(store, query, limit)
    if as_json:
        await write_array(found, form.data, sys.stdout)
    else:
        await _print_table(found, form)


async def write_array(
    found: AsyncIterator[Sequence[Row]],
    data: Callable[[Row], Mapping[str, object]],
    out: TextIO,
    *,
    brackets: bool = True,
) -> int:
    """Write a JSON array with a row in each line, without `brackets` JSON lines; returns how many rows."""
    beginning, between, end = ("[\n", ",\n", "\n]\n") if brackets else ("", "\n", "\n")
    written = 0
    async for page in found:
        for row in page:
            out.write((between if written else beginning) + json.dumps(data(row), ensure_ascii=False))
            written += 1
    if written:
        out.write(end)
    elif brackets:
        out.write("[]\n")
    return written


async def _print_table(found: AsyncIterator[Sequence[Row]], form: Form[Row]) -> None:
    number = count()
    async for page in found:
        rows = [form.cells(row) for row in page]
        if next(number) == 0 or sys.stdout.isatty():
            echo_table(form.header, rows)
        else:
            click.echo("\n".join("\t".join(shown(cell) for cell in row) for row in rows))
    if next(number) == 0:
        click.echo("nothing to list", err=True)


def echo_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, a line each; what is unknown is left out."""
    known = {name: value for name, value in facts.items() if value not in (None, "", [], {})}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        click.echo(f"{name:<{width}}  {shown(value)}")


def echo_text(text: str) -> None:
    """Print a text of several lines, without what could move a terminal's cursor."""
    for line in text.splitlines():
        click.echo(shown(line))
