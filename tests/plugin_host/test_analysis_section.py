"""The shipped section of the report: what the analysers found, counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedback_app.plugin_host import Sections
from feedback_app.report.facts import Fact
from feedback_app.report.sample import sample_day

if TYPE_CHECKING:
    from feedback_app import Section
    from tests.plugin_host.conftest import Place

FILE = Path(__file__).parents[2] / "plugins" / "analysis_section.py"
FACTS = (
    Fact(analyser="disagreement", name="disagrees", value="true", ratings=3, low=1),
    Fact(analyser="keyword_tags", name="tags", value="delivery", ratings=1200, low=900),
    Fact(analyser="keyword_tags", name="tags", value="<fit>", ratings=8, low=1),
    Fact(analyser="my_own", name="mood", value="odd", ratings=1, low=0),
)


async def section(place: Place, facts: tuple[Fact, ...], config: str = "") -> list[Section]:
    """Return what it adds to a day with these facts."""
    place.write("analysis_section.py", FILE.read_text("utf-8"))
    return await Sections(place.load(config))(replace(sample_day(), facts=facts))


async def test_each_fact_has_a_line_with_counts_and_low_shares(place: Place) -> None:
    """In plain words for the shipped analysers, by their names for others."""
    (found,) = await section(place, FACTS)

    assert found.title == "What the comments were about"
    assert found.text.splitlines() == [
        "  Words against the rating: 3 (33% low)",
        "  Tags: delivery 1,200 (75% low), <fit> 8 (12% low)",
        "  my_own, mood: odd 1 (0% low)",
    ]
    assert "&lt;fit&gt; <b>8 (12% low)</b>" in found.html
    assert "<fit>" not in found.html


@pytest.mark.parametrize(
    ("facts", "config"),
    [
        ((), ""),
        (FACTS[3:], "[plugins.analysis_section]\nleave_out = ['my_own']"),
        (FACTS[3:], "[plugins.analysis_section]\nleave_out = ['my_own.mood']"),
    ],
)
async def test_where_nothing_was_found_there_is_no_section(
    place: Place, facts: tuple[Fact, ...], config: str
) -> None:
    """Nor where all of it is left out."""
    assert await section(place, facts, config) == []


async def test_the_title_is_the_operators(place: Place) -> None:
    """As configured."""
    (found,) = await section(place, FACTS, "[plugins.analysis_section]\ntitle = 'Themen'")

    assert found.title == "Themen"
