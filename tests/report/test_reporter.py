"""Each local day's report is made once, whole, and with what plugins and templates add."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from feedback_app.errors import BadConfig, NotFound
from feedback_app.model import Section
from feedback_app.report.reporter import Reporter
from feedback_app.settings import Settings
from tests.report.conftest import CONFIG
from tests.report.ledgers import DAY, arrive, rows
from tests.report.reporting import MAILS, RUNS, Wall, configured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from feedback_app.report.figures import DayFigures
    from feedback_app.store.sqlite.store import SqliteStore


async def test_a_report_is_made_once_with_one_message_for_each_recipient(
    store: SqliteStore, settings: Settings
) -> None:
    """The messages' ids and keys are stable; the figures are kept."""
    reporter = Reporter(store, settings, clock=(wall := Wall("2026-11-21 10:00")))
    await reporter.make_due("daily")
    await arrive(store, 5, 5, 1)
    wall.set("2026-11-22 08:00:20")
    assert [await reporter.make_due("daily") for _ in range(3)] == [[DAY], [], []]
    found = await rows(
        store, "SELECT dedupe_key, message_id, channel, recipient, subject, text, html, state FROM message"
    )
    assert [row[0] for row in found] == [
        "report:daily:2026-11-21:ops@example.com",
        "report:daily:2026-11-21:lead@example.com",
    ]
    assert found[0][1] == f"report.daily.2026-11-21.c3f714a0.{store.ledger_id}"
    assert found[0][1] != found[1][1]
    assert found[0][2:5] == (
        "email",
        "ops@example.com",
        "Ratings on 2026-11-21: 3 ratings, average 3.7, 1 low",
    )
    assert found[0][5].startswith("Maple & Finch\n")
    assert found[0][6].startswith("<!DOCTYPE html>")
    assert {row[7] for row in found} == {"queued"}
    ((figures, zone),) = await rows(store, "SELECT figures, timezone FROM report_run")
    assert (json.loads(figures)["ratings"], zone) == (3, "Europe/Berlin")


async def test_row_and_messages_are_one_unit(store: SqliteStore, settings: Settings) -> None:
    """When the messages cannot be stored no report counts as made, and the next call makes it whole."""
    reporter = Reporter(store, settings, clock=(wall := Wall("2026-11-21 10:00")))
    await reporter.make_due("daily")
    wall.set("2026-11-22 08:00")
    refuse = (
        "CREATE TRIGGER refuse BEFORE INSERT ON message WHEN NEW.recipient = 'lead@example.com' "
        "BEGIN SELECT RAISE(ABORT, 'refused by the test'); END"
    )
    await store.write(lambda connection: connection.exec_driver_sql(refuse) and None)
    with pytest.raises(Exception, match="refused by the test"):
        await reporter.make_due("daily")
    assert [await rows(store, RUNS), await rows(store, MAILS)] == [[], []]
    await store.write(lambda connection: connection.exec_driver_sql("DROP TRIGGER refuse") and None)
    assert await reporter.make_due("daily") == [DAY]
    assert len(await rows(store, MAILS)) == 2


_RACER = """
import asyncio, sys
from datetime import datetime, UTC
from feedback_app.report.reporter import Reporter
from feedback_app.settings import load_settings
from feedback_app.store.sqlite.store import SqliteStore

async def main():
    settings = load_settings(sys.argv[1], environ={})
    now = datetime(2026, 11, 22, 7, tzinfo=UTC)
    async with SqliteStore(settings.store_path) as store:
        reporter = Reporter(store, settings, clock=lambda: now)
        print("ready", flush=True)
        sys.stdin.readline()
        print(len(await reporter.make_due("daily")), flush=True)

asyncio.run(main())
"""


def race(config: Path, racers: int) -> list[str]:
    """Let processes ask for what is due at the same moment; return how many dates each made."""
    command = [sys.executable, "-c", _RACER, str(config)]
    with ExitStack() as stack:
        running = []
        for _ in range(racers):
            racer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(racer)
            stack.callback(racer.kill)
            running.append(racer)
        for racer in running:
            assert racer.stdout
            assert racer.stdout.readline() == "ready\n"
        for racer in running:
            assert racer.stdin
            racer.stdin.write("\n")
            racer.stdin.flush()
        return [racer.communicate(timeout=60)[0].strip() for racer in running]


async def test_ten_processes_at_the_same_second_make_one_report(
    store: SqliteStore, settings: Settings
) -> None:
    """The unit looks again inside its transaction."""
    await arrive(store, *[5, 4, 1] * 300)
    await Reporter(store, settings, clock=Wall("2026-11-20 10:00")).make_due("daily")
    made = await asyncio.to_thread(race, settings.files[0], 10)
    assert sorted(made) == ["0"] * 9 + ["2"]
    assert await rows(store, RUNS) == [("2026-11-20", "late"), ("2026-11-21", "scheduled")]
    assert len(await rows(store, MAILS)) == 2


async def test_a_report_made_by_hand_is_not_made_again(store: SqliteStore, settings: Settings) -> None:
    """By hand twice, then by the schedule: once."""
    reporter = Reporter(store, settings, clock=(wall := Wall("2026-11-21 10:00")))
    await reporter.make_due("daily")
    wall.set("2026-11-22 01:00")
    assert [await reporter.make("daily", DAY), await reporter.make("daily", DAY)] == [True, False]
    wall.set("2026-11-22 09:00")
    assert await reporter.make_due("daily") == []
    assert await rows(store, RUNS) == [("2026-11-21", "manual")]


async def test_two_reports_do_not_stand_in_each_others_way(store: SqliteStore, settings: Settings) -> None:
    """Each name has its own schedule, zone, channel and recipients; one to nobody is only kept."""
    more = (
        '[reports.quiet]\nto = []\n[reports.text]\nat = "09:00"\nchannel = "sms"\nto = ["+4915112345678"]\n'
    )
    reporter = Reporter(
        store, configured(settings.directory, CONFIG + more), clock=(wall := Wall("2026-11-21 12:00"))
    )
    for name in ("daily", "quiet", "text"):
        await reporter.make_due(name)
    wall.set("2026-11-22 12:00")
    for name in ("daily", "quiet", "text"):
        assert await reporter.make_due(name) == [DAY]
    assert await rows(store, "SELECT channel, count(*) FROM message GROUP BY channel") == [
        ("email", 2),
        ("sms", 1),
    ]
    assert len(await rows(store, RUNS)) == 3


async def test_a_template_that_fails_delays_the_report_and_loses_nothing(
    store: SqliteStore, settings: Settings
) -> None:
    """The error names the template; once it is mended the report is made, late."""
    settings.templates_directory.mkdir()
    template = settings.templates_directory / "report.html"
    template.write_text("{{ days[0].averge }}")
    wall = Wall("2026-11-21 10:00")
    reporter = Reporter(store, settings, clock=wall)
    await reporter.make_due("daily")
    wall.set("2026-11-22 08:00")
    with pytest.raises(BadConfig, match=r"report\.html line 1: .*'averge'"):
        await reporter.make_due("daily")
    template.write_text("{{ days[0].average | mean }}")
    wall.set("2026-11-22 09:00")
    assert await Reporter(store, settings, clock=wall).make_due("daily") == [DAY]
    assert await rows(store, RUNS) == [("2026-11-21", "late")]


async def test_sections_are_asked_for_each_day(store: SqliteStore, settings: Settings) -> None:
    """What a plugin adds is in the mail, and it is asked once for the text and the HTML."""
    asked = []

    async def sections(figures: DayFigures) -> Sequence[Section]:
        asked.append(figures.date)
        return [Section(title="Extra", text=f"about {figures.date}")]

    reporter = Reporter(
        store,
        settings,
        clock=Wall("2026-11-22 10:00"),
        sections=sections,
    )
    await reporter.make("daily", DAY)
    ((text,), _) = await rows(store, "SELECT text FROM message")
    assert "Extra\nabout 2026-11-21\n" in text
    assert asked == [DAY]


async def test_building_stores_nothing(store: SqliteStore, settings: Settings) -> None:
    """Looking at figures leaves no trace."""
    await arrive(store, 4)
    built = await Reporter(store, settings, clock=Wall("2026-11-21 15:00")).build("daily", DAY)
    assert (built.ratings, built.read_at < built.end) == (1, True)
    assert [await rows(store, RUNS), await rows(store, MAILS)] == [[], []]


async def test_a_name_that_is_not_configured_is_said(store: SqliteStore, settings: Settings) -> None:
    """No report is invented."""
    with pytest.raises(NotFound, match="no report is named 'weekly'"):
        await Reporter(store, settings).make_due("weekly")
