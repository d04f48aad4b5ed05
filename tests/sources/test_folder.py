"""Files that are dropped into a folder: whole ones only, the same ids as an import gives, and where they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedback_app import Batch, SourceDown, read_rows
from feedback_app.cli import run_command_line
from feedback_app.plugins._dropped_file import DroppedFile
from feedback_app.plugins.folder import Settings, make_source
from tests.running import business, rows, until
from tests.sources.test_contract import drained, taken

TABLE = '[plugins.folder]\npath = "drop"\nsettle = 0.05\n'


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """Make the folder."""
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


async def test_rows_have_the_ids_that_an_import_gives(tmp_path: Path, drop: Path) -> None:
    """So that a file can be imported first and dropped later, under one name of a source."""
    text = "Rating;comment\n5;good\n5;good\n2;bad\n"
    (tmp_path / "monday.csv").write_text(text)
    config = business(tmp_path, config=TABLE)
    said = ["--config", str(config), "feedback", "import", str(tmp_path / "monday.csv"), "--source", "folder"]
    assert await asyncio.to_thread(run_command_line, said) == 0
    (tmp_path / "monday.csv").rename(drop / "monday.csv")
    await drained(config)
    assert len(taken(tmp_path / "feedback.db")) == 3
    assert (drop / "done" / "monday.csv").read_text() == text


async def test_what_is_not_whole_is_not_read(tmp_path: Path, drop: Path) -> None:
    """By its name, or because it still grows."""
    names = (".hidden.csv", "a.csv.part", "b.tmp", "c.csv.filepart")
    for name in names:
        (drop / name).write_text("rating\n5\n")
    (drop / "folder.csv").mkdir()
    (drop / "link.csv").symlink_to(tmp_path / "config.toml")
    await drained(business(tmp_path, config=TABLE))
    assert taken(tmp_path / "feedback.db") == []
    assert all((drop / name).is_file() for name in (*names, "link.csv"))


def test_a_file_that_became_a_link_since_the_look_is_not_followed(tmp_path: Path, drop: Path) -> None:
    """It could lead to what only the daemon may read."""
    (tmp_path / "secret.csv").write_text("rating,comment\n5,secret\n")
    (drop / "a.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(SourceDown, match="cannot read"):
        DroppedFile(drop / "a.csv", {}).read(500)


def test_a_file_that_grows_waits_until_it_has_settled(drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change begins the waiting anew."""
    now = 0.0
    monkeypatch.setattr("feedback_app.plugins.folder.time.monotonic", lambda: now)
    source: Any = make_source(Settings(path=drop, settle=5))
    file = drop / "slow.csv"
    file.write_text("rating\n")
    seen = []
    for now, text in ((0.0, ""), (4.0, ""), (4.5, "5\n"), (6.0, ""), (9.4, ""), (9.6, "")):  # noqa: B007
        with file.open("a") as growing:
            growing.write(text)
        settled, waits = source._look()
        seen.append((settled is not None, waits))
    assert seen == [(False, True)] * 5 + [(True, True)]


async def test_a_stop_in_the_middle_of_reading_leaves_the_file_where_it_is(
    tmp_path: Path, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread still reads when the file is closed; that is no fault of the file, and the next start reads all."""
    (drop / "a.csv").write_text("rating,comment\n" + "".join(f"5,{n}{'x' * 9000}\n" for n in range(40)))
    reading, closing = threading.Event(), threading.Event()

    def slowly(*file: Any, **options: Any) -> Iterator[Any]:
        for row in read_rows(*file, **options):
            reading.set()
            closing.wait(0.5)  # as long as a close that does not wait for the thread would need, and more
            yield row

    with monkeypatch.context() as slow:
        slow.setattr("feedback_app.plugins._dropped_file.read_rows", slowly)
        source = make_source(Settings(path=drop, settle=0))
        await source.open(None)
        receiving = asyncio.create_task(source.receive(500))
        await until(reading.is_set)
        receiving.cancel()
        closed = asyncio.create_task(source.close())
        await asyncio.sleep(0)
        closing.set()
        await closed
    assert (drop / "a.csv").exists()
    await drained(business(tmp_path, config=TABLE))
    assert len(taken(tmp_path / "feedback.db")) == 40


@pytest.mark.parametrize("replaced", [False, True])
async def test_what_comes_while_a_file_is_read_is_read_as_well(
    tmp_path: Path, drop: Path, replaced: bool
) -> None:
    """Rows at its end, and another file under its name: it does not move away unread."""
    source = make_source(Settings(path=drop, settle=0))
    (drop / "a.csv").write_text("rating,comment\n5,first\n")
    await source.open(None)
    await source.acknowledge((await source.receive(500)).received)
    if replaced:
        (drop / "b.tmp").write_text("rating,comment\n5,then\n")
        (drop / "b.tmp").rename(drop / "a.csv")
    else:
        with (drop / "a.csv").open("a") as growing:
            growing.write("5,then\n")
    found = (await source.receive(500)).received
    await source.acknowledge(found)
    assert b"then" in found[-1].payload
    assert (await source.receive(500)).received == ()
    await source.close()
    assert (drop / "done" / "a.csv").exists()


async def test_a_file_that_goes_on_growing_is_no_source_that_hangs(
    drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call ends in time, however long a file needs to settle."""
    monkeypatch.setattr("feedback_app.plugins.folder._GROWING", 0.1)
    (drop / "a.csv").write_text("rating\n5\n")
    source = make_source(Settings(path=drop, settle=3600))
    await source.open(None)
    assert await asyncio.wait_for(source.receive(500), 5) == Batch()
    await source.close()


@pytest.mark.parametrize("name", ["x" * 251, "評" * 83])
async def test_a_long_name_is_no_trouble(tmp_path: Path, drop: Path, name: str) -> None:
    """As long as the system lets it be, the refused rows have a file beside it."""
    (drop / f"{name}.csv").write_text("rating\n9\n")
    (drop / "评.csv").write_text("rating\n5\n")
    await drained(business(tmp_path, config=TABLE))
    assert len(taken(tmp_path / "feedback.db")) == 1
    assert [len(one.name) for one in (drop / "failed").glob("*.rejects.csv")] == [
        len(name.encode()[:200].decode(errors="ignore")) + len(".rejects.csv")
    ]


async def test_refused_rows_stand_beside_the_file(tmp_path: Path, drop: Path) -> None:
    """With line and reason, as an import writes them; the good rows are in."""
    (drop / "week.csv").write_text("rating,comment\n5,good\n9,too high\n4\n3,ok\n")
    await drained(business(tmp_path, config=TABLE))
    assert len(taken(tmp_path / "feedback.db")) == 2
    assert sorted(one.name for one in (drop / "failed").iterdir()) == ["week.csv", "week.csv.rejects.csv"]
    assert (drop / "failed" / "week.csv.rejects.csv").read_text() == (
        "line,reason,row\n"
        '3,"rating must be a whole number from 1 to 5, got \'9\'","9,too high"\n'
        '4,"the row has 1 column, the header 2",4\n'
    )
    assert (drop / "failed" / "week.csv.rejects.csv").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "x.csv is empty"),
        (b"PK\x03\x04", "x.csv is a ZIP or Excel file: export the sheet as CSV"),
        (
            b"stars\n5\n",
            "x.csv has no 'rating'; its columns are 'stars': say which one is the rating by map.rating=COLUMN",
        ),
    ],
)
async def test_a_file_that_is_no_table_blocks_no_other(
    tmp_path: Path, drop: Path, content: bytes, reason: str
) -> None:
    """It goes to failed/ with the reason."""
    (drop / "x.csv").write_bytes(content)
    (drop / "y.csv").write_text("rating\n5\n")
    await drained(business(tmp_path, config=TABLE))
    assert len(taken(tmp_path / "feedback.db")) == 1
    assert reason in (drop / "failed" / "x.csv.rejects.csv").read_text()


async def test_a_name_that_was_there_before_hides_nothing(tmp_path: Path, drop: Path) -> None:
    """Both files are kept."""
    config = business(tmp_path, config=TABLE)
    for text in ("rating\n5\n", "rating\n4\n"):
        (drop / "day.csv").write_text(text)
        await drained(config)
    assert sorted(one.name for one in (drop / "done").iterdir()) == ["day-2.csv", "day.csv"]
    assert rows(tmp_path / "feedback.db", "SELECT count(*) FROM feedback") == [(2,)]


async def test_a_large_file_comes_in_portions(tmp_path: Path, drop: Path) -> None:
    """Each a commit of its own."""
    (drop / "large.csv").write_text("rating,comment\n" + "".join(f"5,{n}\n" for n in range(1201)))
    await drained(business(tmp_path, config=TABLE))
    assert rows(tmp_path / "feedback.db", "SELECT received FROM source") == [(1201,)]
    assert len(taken(tmp_path / "feedback.db")) == 1201


async def test_a_file_that_cannot_be_read_now_is_not_given_up(
    tmp_path: Path, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk or the network is in trouble, not the file: it stays, and the source says which it is."""

    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(5, "Input/output error")

    (drop / "x.csv").write_text("rating\n5\n")
    config = business(tmp_path, config=TABLE)
    with monkeypatch.context() as broken:
        broken.setattr("feedback_app.plugins._dropped_file.read_rows", fails)
        figures = await drained(config)
    assert figures.sources_down == {"folder": f"cannot read {drop / 'x.csv'}: Input/output error"}
    await drained(config)
    assert len(taken(tmp_path / "feedback.db")) == 1
