"""Low ratings as files: CSV that a spreadsheet only shows, JSON, JSON lines."""

from __future__ import annotations

import csv
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias

from feedback_app.cli.low_ratings import case_data
from feedback_app.cli.paging import pages, write_array
from feedback_app.errors import CannotCreate, FeedbackAppError, StorageFailed
from feedback_app.report.export import harmless

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from feedback_app.cli.paging import PageQuery
    from feedback_app.store.low_ratings import Case
    from feedback_app.store.store import Store

FileFormat: TypeAlias = Literal["csv", "json", "jsonl"]

_COLUMNS = (
    "id", "feedback_id", "rating", "item", "customer", "customer_name", "comment", "state", "owner", "given_at",
    "received_at", "stored_at", "acknowledged_at", "resolved_at", "source", "external_id", "notes", "analysis",
)  # fmt: skip


async def write(
    store: Store, query: PageQuery[Case], out: TextIO, *, file_format: FileFormat, raw: bool
) -> int:
    """Write the cases that `query` finds and return how many; `raw` leaves dangerous texts of a CSV alone."""
    found = pages(store, query)
    if file_format == "csv":
        return await _write_csv(found, out, raw=raw)
    return await write_array(found, case_data, out, brackets=file_format == "json")


async def _write_csv(found: AsyncIterator[Sequence[Case]], out: TextIO, *, raw: bool) -> int:
    # Texts are always quoted, numbers never, so that neither is taken for the other.
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(_COLUMNS)
    count = 0
    async for page in found:
        for case in page:
            data = case_data(case)
            data |= {name: json.dumps(data[name], ensure_ascii=False) for name in ("notes", "analysis")}
            writer.writerow([data[name] if raw else harmless(data[name]) for name in _COLUMNS])
        count += len(page)
    return count


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Give a file that stands at `path` only once the block has ended well; until then the old one stays.

    Only its owner may read it, for it holds customers' words. Raises CannotCreate and StorageFailed.
    """
    if path.exists() and not path.is_file():
        raise CannotCreate(f"{path} is no ordinary file; choose another name")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise CannotCreate(f"{path}: cannot be written: {problem.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    except FeedbackAppError:
        raise
    except OSError as problem:
        raise StorageFailed(f"{path}: writing failed: {problem.strerror}") from problem
    finally:
        part.unlink(missing_ok=True)
