"""What plugins add to the daily report: whatever one does, the report goes out, and soon."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from feedback_app.model import Section
from feedback_app.plugin_host import PluginHost, Sections, sections
from feedback_app.plugin_host.started import Hooked
from feedback_app.report.sample import sample_day
from feedback_app.settings import Settings
from tests.plugin_host.conftest import info

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place

DAY = sample_day()
SECTION = Section(title="Mood", text="good")

PLUGIN = """\
from feedback_app import Section, hookimpl

@hookimpl
def add_report_section(figures):
    return Section(title="Count", text=f"{figures.ratings} ratings on {figures.date}")
"""
WITH_SETTINGS = """\
from pydantic import BaseModel
from feedback_app import Section, hookimpl

class Settings(BaseModel):
    title: str

@hookimpl
def add_report_section(settings, figures):
    return Section(title=settings.title, text="") if figures.ratings else None
"""


def asking(*hooks: Hooked) -> Sections:
    """Return what asks these, as if they were the plugins."""
    return Sections(replace(PluginHost.load(Settings()), later={"add_report_section": hooks}))


def hooked(plugin: str, result: object) -> Hooked:
    """Return the hook of a plugin that returns this, or raises it."""

    def call(**_: object) -> list[object]:
        if isinstance(result, BaseException):
            raise result
        return [result]

    return Hooked(plugin=plugin, call=call)


async def test_a_plugin_file_adds_its_section(place: Place) -> None:
    """With the day's figures; it is active without any settings."""
    place.write("count.py", PLUGIN)
    host = place.load("[plugins]\ndisabled = ['analysis_section']")

    assert info(host, "count").state == "active"
    assert await Sections(host)(DAY) == [Section(title="Count", text="10 ratings on 2026-01-31")]


async def test_the_plugins_settings_come_along(place: Place) -> None:
    """Its own table; without the one that it needs it is idle and not asked."""
    place.write("titled.py", WITH_SETTINGS)
    place.write("zcount.py", PLUGIN)
    disabled = "[plugins]\ndisabled = ['analysis_section']\n"

    host = place.load(f"{disabled}[plugins.titled]\ntitle = 'My own'")
    found = await Sections(host)(DAY)
    assert [one.title for one in found] == ["My own", "Count"]
    quiet = await Sections(host)(replace(DAY, ratings=0))
    assert [one.title for one in quiet] == ["Count"]

    idle = place.load(disabled)
    assert info(idle, "titled").state == "idle"
    assert [one.plugin for one in idle.later["add_report_section"]] == ["zcount"]


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        (ValueError("my secret"), "ValueError at "),
        (SystemExit(3), "SystemExit at "),
        (KeyboardInterrupt(), "KeyboardInterrupt at "),
        (StopIteration(), "RuntimeError at "),
        ("text", "add_report_section returned str; want a Section or None"),
        (Section(title=1, text=""), "title, text and html of a Section must be texts"),  # type: ignore[arg-type]
        (Section(title="", text="x" * 20_001), "a Section has 20,001 characters, at most 20,000 are shown"),
    ],
)
async def test_one_that_fails_is_named_and_costs_its_section_only(
    result: object, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without what it said, which may be of customers."""
    with caplog.at_level(logging.ERROR):
        found = await asking(hooked("bad", result), hooked("good", SECTION))(DAY)

    assert found == [SECTION]
    (record,) = caplog.records
    assert (record.message, record.__dict__["plugin"]) == ("section left out", "bad")
    assert record.__dict__["fault"].startswith(fault)
    assert "secret" not in str(record.__dict__)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooked]:
    """Give a hook that hangs until the test is over."""
    monkeypatch.setattr(sections, "LIMIT", 0.5)
    over = threading.Event()

    def call(**_: object) -> list[object]:
        over.wait()
        return [SECTION]

    yield Hooked(plugin="stuck", call=call)
    over.set()


async def test_one_that_hangs_cannot_hang_the_report(stuck: Hooked, caplog: pytest.LogCaptureFixture) -> None:
    """It is left behind, and not asked again while it hangs."""
    sections_of = asking(stuck, hooked("good", SECTION))
    with caplog.at_level(logging.ERROR):
        assert [await sections_of(DAY), await sections_of(DAY)] == [[SECTION]] * 2

    faults = [record.__dict__["fault"] for record in caplog.records]
    assert faults == ["took longer than 0.5 s", "still busy with an earlier one"]


async def test_a_section_cannot_pose_as_another_part() -> None:
    """Its title is one line; what no ledger could hold is replaced."""
    (found,) = await asking(hooked("odd", Section(title="a\nb\u202e", text="half \ud83d, nul \0")))(DAY)

    assert found == Section(title="a b[U+202E]", text="half ?, nul ")
