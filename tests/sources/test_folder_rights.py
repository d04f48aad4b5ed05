"""A file of a folder that may not be read or moved holds up no other. Root may all, so the refusals are made up."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from feedback_app import Batch
from feedback_app.plugins.folder import Settings, make_source
from tests.running import business, daemon, running, until
from tests.sources.test_contract import taken

TABLE = '[plugins.folder]\npath = "drop"\nsettle = 0.01\nmap = { id = "number" }\n'


class Refusal:
    """The system's own call, refused for some paths; counts how often it was asked for these."""

    def __init__(self, call: Callable[..., Any], named: str, code: int = errno.EACCES) -> None:
        self.asked = 0
        self.lifted = False
        self._call, self._named, self._code = call, named, code

    def __call__(self, path: Any, *others: Any, **more: Any) -> Any:
        """Refuse, or do it."""
        if self.lifted or self._named not in str(path):
            return self._call(path, *others, **more)
        self.asked += 1
        raise OSError(self._code, os.strerror(self._code))


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """Make the folder with two files, the first of which has a row that is refused."""
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "a.csv").write_text("number,rating\n1,5\n2,9\n")
    (folder / "b.csv").write_text("number,rating\n3,5\n")
    return folder


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Return what was said of files that were set aside."""
    event = "a file cannot be read or moved, the others go on"
    facts = [one.__dict__ for one in caplog.records if one.message == event]
    return [(one["source"], one["file"], one["reason"]) for one in facts]


async def test_a_file_that_may_not_be_read_is_taken_once_it_may(
    tmp_path: Path, drop: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Those after it do not wait for that; it is said once, and its changed rights are noticed."""
    refusal = Refusal(os.open, "a.csv")
    monkeypatch.setattr(os, "open", refusal)
    ledger = tmp_path / "feedback.db"
    async with running(daemon(business(tmp_path, config=TABLE))):
        await until((drop / "done" / "b.csv").exists)
        (drop / "c.csv").write_text("number,rating\n4,5\n")
        await until((drop / "done" / "c.csv").exists)
        assert (taken(ledger), refusal.asked) == (["3", "4"], 1)
        refusal.lifted = True
        (drop / "a.csv").chmod(0o640)
        await until(lambda: taken(ledger) == ["1", "3", "4"])
    assert said(caplog) == [("folder", "a.csv", "Permission denied")]


@pytest.mark.parametrize("code", [errno.EPERM, errno.EROFS])
async def test_a_file_that_may_not_be_moved_is_read_once(
    tmp_path: Path, drop: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """Its good rows are in, those after it as well, and nothing of its refused ones is left lying in the folder."""
    refusal = Refusal(os.rename, "a.csv", code)
    monkeypatch.setattr(os, "rename", refusal)
    async with running(daemon(business(tmp_path, config=TABLE))):
        await until((drop / "done" / "b.csv").exists)
    assert (taken(tmp_path / "feedback.db"), refusal.asked) == (["1", "3"], 1)
    assert said(caplog) == [("folder", "a.csv", os.strerror(code))]
    assert list((drop / "failed").iterdir()) == []


@pytest.mark.parametrize("content", ["number,rating\n2,9\n", ""])
async def test_a_file_whose_refused_rows_may_not_be_written_holds_up_no_other(
    tmp_path: Path, drop: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    """It stays where it is; the ledger has the rows that are no ratings."""
    (drop / "a.csv").write_text(content)
    monkeypatch.setattr(os, "open", Refusal(os.open, "rejects.tmp"))
    async with running(daemon(business(tmp_path, config=TABLE))):
        await until((drop / "done" / "b.csv").exists)
    assert (drop / "a.csv").exists()


async def test_nobody_waits_for_a_file_that_was_set_aside(
    drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drain does for those that have not settled yet."""
    monkeypatch.setattr(os, "open", Refusal(os.open, ".csv"))
    monkeypatch.setattr("feedback_app.plugins.folder._NOTHING", 0.0)
    source: Any = make_source(Settings(path=drop, settle=0))
    await source.open(None)
    assert await source.receive(500) == Batch()
    assert source._look() == (None, False)
    await source.close()
