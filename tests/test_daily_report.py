"""The daily report on its whole road: ticker, ledger, outbox, notifier plugin."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedback_app.errors import BadConfig
from feedback_app.model import Customer
from tests.making import incoming
from tests.running import DEADLINE, RECORDER, add, business, daemon, rows, running, sent, until

REPORT = """
[reports.daily]
at = "08:00"
timezone = "Europe/Berlin"
channel = "chat"
to = ["team", "boss"]
"""


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


async def _run(folder: Path, config: Path, moment: str) -> None:
    await asyncio.wait_for(daemon(config, clock=lambda: _at(moment)).run(drain=True), DEADLINE)


async def test_the_report_is_made_once_a_day_and_sent_to_each_recipient(tmp_path: Path) -> None:
    """Nothing at the first start; one mail each after the hour; nothing on later starts of the same day."""
    config = business(tmp_path, config=REPORT)
    ledger = tmp_path / "feedback.db"
    await _run(tmp_path, config, "2026-03-10T12:00")
    assert sent(tmp_path) == []
    await add(ledger, [incoming("r1", rating=2, customer=None)], _at("2026-03-10T13:00"))
    await _run(tmp_path, config, "2026-03-11T06:59")
    assert sent(tmp_path) == []
    await _run(tmp_path, config, "2026-03-11T07:00")
    assert len(sent(tmp_path)) == 2
    await _run(tmp_path, config, "2026-03-11T07:00")
    await _run(tmp_path, config, "2026-03-11T23:00")
    assert len(sent(tmp_path)) == 2
    assert rows(ledger, "SELECT name, local_date FROM report_run") == [("daily", "2026-03-10")]
    subjects = rows(ledger, "SELECT DISTINCT subject FROM message WHERE purpose = 'report'")
    assert subjects == [("Ratings on 2026-03-10: 1 rating, average 2.0, 1 low",)]


async def test_days_missed_while_down_come_late_and_in_one_mail(tmp_path: Path) -> None:
    """Three missed days are three runs and one message for each recipient."""
    config = business(tmp_path, config=REPORT)
    ledger = tmp_path / "feedback.db"
    await _run(tmp_path, config, "2026-03-10T12:00")
    await _run(tmp_path, config, "2026-03-13T12:00")
    dates = [row[0] for row in rows(ledger, "SELECT local_date FROM report_run ORDER BY local_date")]
    assert dates == ["2026-03-10", "2026-03-11", "2026-03-12"]
    assert len(sent(tmp_path)) == 2


async def test_a_report_that_cannot_be_made_stops_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its template fails on a day like the one that was missed: ratings are thanked, and it is tried again."""
    (tmp_path / "templates").mkdir()
    template = tmp_path / "templates" / "report.txt"
    template.write_text("Report{% for day in days %}{{ day.nothing if day.ratings == 1 }}{% endfor %}")
    config = business(tmp_path, config=REPORT)
    await _run(tmp_path, config, "2026-03-10T12:00")
    await add(
        tmp_path / "feedback.db",
        [incoming("r1", contact=Customer(id="c1", preferred_channels=("chat",)))],
        _at("2026-03-10T13:00"),
    )
    async with running(daemon(config, clock=lambda: _at("2026-03-11T12:00"))):
        await until(lambda: len(sent(tmp_path)) == 1)
    (late,) = [one for one in caplog.records if one.message == "report not made, trying again"]
    assert "report.txt" in vars(late)["reason"]
    with pytest.raises(BadConfig, match=r"report\.txt"):
        await _run(tmp_path, config, "2026-03-11T12:00")
    template.unlink()
    await _run(tmp_path, config, "2026-03-11T12:00")
    assert len(sent(tmp_path)) == 3


async def test_nobody_to_send_it_to_still_keeps_the_report(tmp_path: Path) -> None:
    """`to = []` archives only."""
    config = business(tmp_path, config=REPORT.replace('["team", "boss"]', "[]"))
    await _run(tmp_path, config, "2026-03-10T12:00")
    await _run(tmp_path, config, "2026-03-11T12:00")
    assert rows(tmp_path / "feedback.db", "SELECT count(*) FROM report_run") == [(1,)]
    assert sent(tmp_path) == []


DOWN_UNTIL_TOLD = RECORDER.replace(
    "with LOG.open",
    'if (LOG.parent / "down").exists():\n            raise ChannelDown("refused")\n        with LOG.open',
)


async def test_reports_of_two_days_without_a_mail_server_both_arrive(tmp_path: Path) -> None:
    """Each in its own mail, once, when the server is back, no attempt burnt; an empty day says so."""
    config = business(tmp_path, plugin=DOWN_UNTIL_TOLD, config=REPORT.replace('"team", "boss"', '"team"'))
    (tmp_path / "down").touch()
    for day in (10, 11, 12):
        await _run(tmp_path, config, f"2026-03-{day}T12:00")
    assert sent(tmp_path) == []
    (tmp_path / "down").unlink()
    await _run(tmp_path, config, "2026-03-12T13:00")
    assert sorted(key[:24] for key in sent(tmp_path)) == [
        "report.daily.2026-03-10.",
        "report.daily.2026-03-11.",
    ]
    texts = rows(tmp_path / "feedback.db", "SELECT text, attempts FROM message ORDER BY id")
    assert all("No ratings arrived." in text and attempts == 1 for text, attempts in texts)
