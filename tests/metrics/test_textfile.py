"""The file for Prometheus: whole at every moment, and what is said when it cannot be written."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.metrics.reading import METRICS, samples_of, told_in, value_of
from tests.running import DEADLINE, business, daemon, running, serving, until


def _drafts(folder: Path) -> list[Path]:
    return list(folder.glob(".feedback_app*"))


async def test_the_file_is_whole_at_every_moment(tmp_path: Path) -> None:
    """Somebody who reads it all the time sees all of it each time; it can be read by everybody, whatever the umask."""
    before = os.umask(0o077)
    ended = threading.Event()
    seen: list[bool] = []

    def read() -> None:
        while not ended.is_set():
            text = (tmp_path / "feedback_app.prom").read_text()
            seen.append("feedback_app_report_made_timestamp_seconds" in text and text.endswith("\n"))

    one = daemon(business(tmp_path, config=METRICS))
    try:
        async with running(one):
            await until((tmp_path / "feedback_app.prom").exists)
            reader = threading.Thread(target=read)
            reader.start()
            textfile = serving(one)._textfile
            assert textfile is not None
            try:
                for _ in range(30):
                    await textfile.write()
            finally:
                ended.set()
                reader.join()
    finally:
        os.umask(before)
    assert len(seen) > 30
    assert all(seen)
    assert (tmp_path / "feedback_app.prom").stat().st_mode & 0o777 == 0o644
    assert not _drafts(tmp_path)


async def test_a_folder_that_is_not_there_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And when it is there again; the daemon works meanwhile."""
    config = business(tmp_path, config=METRICS.replace('"feedback', '"folder/feedback'))
    one = daemon(config)
    with caplog.at_level("INFO"):
        async with running(one):
            textfile = serving(one)._textfile
            assert textfile is not None
            for _ in range(5):
                await textfile.write()
            (tmp_path / "folder").mkdir()
            await textfile.write()
    said = [record.message for record in caplog.records if "metrics" in record.message]
    assert said == ["metrics not written", "metrics are written again"]
    assert samples_of((tmp_path / "folder" / "feedback_app.prom").read_text())


async def test_a_disk_that_does_not_answer_is_said_once_and_waited_for_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the next write nor the end waits again; once it answers all goes on."""
    monkeypatch.setattr("feedback_app.metrics.textfile._PATIENCE", 0.1)
    one = daemon(business(tmp_path, config=METRICS.replace("1s", "1h")))
    async with running(one):
        draft = tmp_path / ".feedback_app.prom.tmp"
        os.mkfifo(draft)  # its opening waits for who reads
        textfile = serving(one)._textfile
        assert textfile is not None
        with caplog.at_level("INFO"):
            await textfile.write()
            stuck = textfile._stuck
            await textfile.write()
            assert textfile._stuck is stuck is not None
            assert stuck.daemon  # the interpreter does not wait for it
            reader = os.open(draft, os.O_RDONLY | os.O_NONBLOCK)
            stuck.join(DEADLINE)
            os.close(reader)
            (tmp_path / "feedback_app.prom").unlink()
            await textfile.write()
    said = [record.message for record in caplog.records if "metrics" in record.message]
    assert said == ["metrics not written", "metrics are written again"]
    assert value_of(told_in(tmp_path), "running") == 0
