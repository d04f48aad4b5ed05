"""Files that no ledger can be restored from: each function makes one of a sound backup, and says what is said of it."""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.store.restoring import sql

BROKEN: dict[str, tuple[Callable[[Path], None], int, str]] = {}


def _broken(code: int, said: str) -> Callable[[Callable[[Path], None]], None]:
    """Register what breaks a sound backup, and what is said of it."""

    def register(make: Callable[[Path], None]) -> None:
        BROKEN[make.__name__.strip("_").replace("_", " ")] = make, code, said

    return register


def _cut(path: Path, size: int) -> None:
    with path.open("r+b") as opened:
        opened.truncate(size)


def _overwrite(path: Path, at: int, text: bytes) -> None:
    with path.open("r+b") as opened:
        opened.seek(at)
        opened.write(text)


@_broken(65, "no such file or directory")
def _missing(path: Path) -> None:
    path.unlink()


@_broken(65, "no such file or directory")
def _link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


@_broken(65, "too many levels of symbolic links")
def _link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


@_broken(65, "is a folder")
def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@_broken(65, "is no regular file")
def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@_broken(65, "is no regular file")
def _socket(path: Path) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


@_broken(65, "is no regular file")
def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@_broken(65, "is empty")
def _empty(path: Path) -> None:
    _cut(path, 0)


@_broken(65, "is no SQLite database, or an encrypted one")
def _text(path: Path) -> None:
    path.write_text("id,rating\nr1,5\n")


@_broken(65, "is no SQLite database, or an encrypted one")
def _encrypted(path: Path) -> None:
    path.write_bytes(bytes(range(1, 256)) * 4096)  # as SQLCipher: salt, then noise, whole pages


@_broken(65, "is packed by gzip; unpack it first")
def _packed(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()))


@_broken(65, "is a dump of PostgreSQL")
def _dump_of_postgresql(path: Path) -> None:
    path.write_bytes(b"PGDMP\x01\x10\x00")


@_broken(65, "is cut short: 60 bytes are not even its header")
def _cut_in_its_header(path: Path) -> None:
    _cut(path, 60)


@_broken(65, r"is cut short: it has 8,192 of \d+,\d+ bytes")
def _cut_in_the_middle(path: Path) -> None:
    _cut(path, 8192)


@_broken(65, r"is cut short: it has [\d,]+ of [\d,]+ bytes")
def _without_its_last_byte(path: Path) -> None:
    _cut(path, path.stat().st_size - 1)


@_broken(65, "is damaged")
def _zeroed_page(path: Path) -> None:
    _overwrite(path, 3 * 4096, bytes(4096))


@_broken(65, "is damaged")
def _schema_page_of_noise(path: Path) -> None:
    _overwrite(path, 100, b"\xff" * 400)


@_broken(65, "is damaged")
def _index_that_lacks_a_row(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
        root = base.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_message_feedback_id'"
        ).fetchone()[0]
    _overwrite(path, (root - 1) * 4096 + 3, b"\x00\x00")  # its number of cells


@_broken(65, "is damaged")
def _wrong_page_size(path: Path) -> None:
    _overwrite(path, 16, b"\x02\x00")  # 512 bytes


@_broken(65, "is a SQLite database of another program")
def _of_another_program(path: Path) -> None:
    path.unlink()
    sql(path, "CREATE TABLE feedback (id INTEGER)")


@_broken(65, "is a SQLite database of another program")
def _with_the_id_of_another_program(path: Path) -> None:
    sql(path, "PRAGMA application_id = 252006673")


@_broken(78, "the ledger has schema 9999, this program knows up to")
def _of_a_newer_program(path: Path) -> None:
    sql(path, "UPDATE alembic_version SET version_num = '9999'")


@_broken(65, "is a ledger whose schema has no number")
def _with_a_strange_schema(path: Path) -> None:
    sql(path, "UPDATE alembic_version SET version_num = 'abc'")


@_broken(65, "is a ledger that has lost its table alembic_version")
def _without_a_schema(path: Path) -> None:
    sql(path, "DROP TABLE alembic_version")


@_broken(65, "is a ledger that has lost its table feedback")
def _without_its_ratings(path: Path) -> None:
    sql(path, "PRAGMA foreign_keys = OFF", "DROP TABLE feedback")


@_broken(65, "is a ledger that has lost its id")
def _without_its_id(path: Path) -> None:
    sql(path, "DELETE FROM meta WHERE key = 'ledger_id'")


@_broken(78, "an unfinished copy")
def _copy_that_is_not_finished(path: Path) -> None:
    sql(path, "INSERT INTO meta VALUES ('unfinished_copy', '[]')")


@_broken(65, r"has a log that is not folded in beside it \(b.db-wal, [\d,]+ bytes\)")
def _with_a_log_beside_it(path: Path) -> None:
    path.with_name("b.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(4000))


@_broken(65, "has a journal of a change that was not finished beside it")
def _with_a_journal_beside_it(path: Path) -> None:
    path.with_name("b.db-journal").write_bytes(bytes(600))
