"""Files that are no ordinary text files."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
from pathlib import Path

import pytest

from feedback_app.errors import (
    BadData,
    FeedbackAppError,
    NotFound,
    NotPermitted,
    StorageFailed,
    UsageError,
)
from feedback_app.intake.ratings import RATINGS, read_ratings
from feedback_app.intake.reader import open_records
from feedback_app.intake.records import ReadOptions
from feedback_app.intake.scale import Scale
from feedback_app.intake.source import open_input
from tests.intake.reading import NOW, good, ratings

TABLE = "rating,item\n5,Käse 李\n4,b\n"


def test_an_ordinary_file_is_opened(tmp_path: Path) -> None:
    """Also by a symbolic link."""
    (tmp_path / "r.csv").write_text(TABLE)
    (tmp_path / "link.csv").symlink_to("r.csv")
    with open_input(tmp_path / "link.csv") as stream:
        assert stream.read().decode() == TABLE


def test_a_pipe_a_folder_and_a_device_are_refused_without_waiting(tmp_path: Path) -> None:
    """What may never end is read from standard input only (S28)."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path, kind in [
        ("pipe", "a named pipe"),
        ("link", "a device"),
        (".", "a folder"),
        ("pipe/x", "Not a dir"),
    ]:
        with pytest.raises(UsageError, match=kind):
            open_input(tmp_path / path)


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """A link that leads nowhere as well."""
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("none.csv", "link"):
        with pytest.raises(NotFound, match="no such file"):
            open_input(tmp_path / name)


def test_a_path_that_cannot_be_is_refused() -> None:
    """A NUL character, or a name that is too long."""
    for path in ("a\0b", "x" * 300):
        with pytest.raises(UsageError, match="cannot be opened"):
            open_input(Path(path))


def test_a_file_that_may_not_be_read_is_not_permitted(tmp_path: Path) -> None:
    """Exit code 77. Root may read everything, so the test becomes nobody for a moment."""
    path = tmp_path / "r.csv"
    path.write_text(TABLE)
    path.chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(NotPermitted, match="not readable"):
            open_input(path)
    finally:
        if os.getuid() == 0:
            os.seteuid(0)


class _Broken(io.BytesIO):
    """A stream on a disk that fails after the first part."""

    def read1(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError(5, "Input/output error")
        return super().read1(size)


def test_a_disk_that_fails_ends_the_reading() -> None:
    """Exit code 74, not a short file."""
    with pytest.raises(StorageFailed, match=r"r.csv: reading failed: Input/output error"):
        open_records(_Broken(TABLE.encode()), name="r.csv", options=ReadOptions(), wanted=RATINGS)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_wide_encodings_are_read_when_named(encoding: str) -> None:
    """With and without a byte order mark, CSV and JSON lines."""
    content = (TABLE + "3,c\n" * 40_000).encode(encoding)
    results = good(ratings(content, encoding=encoding))
    assert (len(results), results[0].feedback.item) == (40_002, "Käse 李")
    line = '{"rating": 5, "item": "Käse 李"}\n'.encode(encoding)
    assert good(ratings(line, name="", encoding=encoding))[0].feedback.item == "Käse 李"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("named", [None, "cp1252"])
def test_a_wide_encoding_is_recognised(encoding: str, named: str | None) -> None:
    """The message says which --encoding to give."""
    content = TABLE.replace("Käse 李", "a").encode(encoding)
    with pytest.raises(BadData, match=f"use --encoding {encoding}$"):
        ratings(content, encoding=named)


def test_a_wide_file_with_a_stray_byte_is_refused_whole() -> None:
    """All that follows would be shifted."""
    with pytest.raises(BadData, match=r"r.csv is not utf-16"):
        ratings(TABLE.encode("utf-16") + b"\n", encoding="utf-16")


@pytest.mark.parametrize("name", ["utf-9", "hex", "rot13", "a\0b", "undefined", "ü"])
def test_an_unknown_encoding_is_a_usage_error(name: str) -> None:
    """Codecs that are not for text are unknown as well."""
    with pytest.raises(UsageError, match=r"--encoding .* is no text encoding; names are utf-8, utf-16"):
        ratings(TABLE, encoding=name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b"rating\n5\n"), "compressed by gzip"),
        (b"PK\x03\x04rest", "a ZIP or Excel file: export the sheet as CSV"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x7fELF" + bytes(100), "is not text"),
        (bytes(100), "is not text"),
    ],
)
def test_what_is_no_text_is_named(content: bytes, reason: str) -> None:
    """In one line."""
    with pytest.raises(BadData, match=reason):
        ratings(content)


def test_a_file_name_with_a_line_break_is_shown_on_one_line() -> None:
    """Names come from anywhere."""
    with pytest.raises(BadData, match=r"^'a\\nb\\udce9.csv' is empty$"):
        ratings("", name="a\nb\udce9.csv")


def test_an_unknown_format_is_a_usage_error() -> None:
    """The known ones are named."""
    with pytest.raises(UsageError, match="--format 'xml': one of csv, tsv, jsonl is wanted"):
        ratings(TABLE, format="xml")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("r.csv", TABLE, "csv"),
        ("r.txt", TABLE.replace(",", "\t"), "tsv"),
        ("r.csv", '{"rating": 5}', "jsonl"),
        ("r.jsonl", 'garbage\n{"rating": 5}', "jsonl"),
        ("", ' {"rating": 5}', "jsonl"),
    ],
)
def test_the_format_is_recognised(name: str, content: str, expected: str) -> None:
    """By the content, then by the name."""
    records = open_records(io.BytesIO(content.encode()), name=name, options=ReadOptions(), wanted=RATINGS)
    assert records.format == expected


def test_the_progress_is_told_and_the_stream_left_open() -> None:
    """In bytes of the file; who opened the stream closes it."""
    content = b"rating\n" + b"5\n" * 200_000
    stream = io.BytesIO(content)
    records = open_records(stream, name="r.csv", options=ReadOptions(), wanted=RATINGS)
    assert records.bytes_read == 65_536
    assert sum(1 for _ in read_ratings(records, scale=Scale(), now=NOW)) == 200_000
    assert records.bytes_read == len(content)
    del records
    assert not stream.closed


def test_a_pipe_is_read_as_it_comes() -> None:
    """Parts that end in the middle of a character or a line are put together."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as feeder:
        for byte in TABLE.encode():
            feeder.write(bytes([byte]))
        feeder.close()
        records = open_records(stream, name="", options=ReadOptions(), wanted=RATINGS)
        items = [one.feedback.item for one in good(list(read_ratings(records, scale=Scale(), now=NOW)))]
    assert (records.label, items) == ("standard input", ["Käse 李", "b"])


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"\xef\xbb\xbf", b"{", b"[", b'"', b"sep=", b"\0", b"rating", b"\r"]
)
@pytest.mark.parametrize("chosen", [None, "csv", "tsv", "jsonl"])
def test_a_few_odd_bytes_end_in_a_sentence(content: bytes, chosen: str | None) -> None:
    """Records, rejects or an error of the family: never anything else."""
    with contextlib.suppress(FeedbackAppError):
        assert isinstance(ratings(content, format=chosen), list)
