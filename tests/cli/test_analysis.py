"""What analysers said, as a person sees it: in a rating's story, in the lists of low ratings, in the report."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from feedback_app.cli.facts import short

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

CONFIG = """
[plugins.keyword_tags.tags]
delivery = ["late"]
[plugins.language]
enabled = true
[plugins.disagreement]
languages = ["en"]
"""
COMMENT = "I love it, and it is late. The umbrella is perfect."
ANALYSIS = {
    "disagreement": {"disagrees": True, "words": ["love", "perfect"]},
    "keyword_tags": {"tags": ["delivery"]},
    "language": {"language": "en"},
}
SHORT = "disagreement: disagrees, words love, perfect; keyword_tags: delivery; language: en"


@pytest.fixture
def analysed(cli: Cli, folder: Path) -> Cli:
    """Return the program after a rating was analysed."""
    (folder / "config.toml").write_text(CONFIG, "utf-8")
    cli.ok("feedback", "add", "--id", "r1", "--rating", "1", "--comment", COMMENT)
    cli.ok("run", "--drain")
    return cli


@pytest.mark.parametrize(
    ("analysis", "line"),
    [
        (ANALYSIS, SHORT),
        ({}, ""),
        ({"a": {"tags": []}, "b": {}, "c": {"x": None}}, ""),
        ({"a": {"failed": "TimeoutError"}}, "a: failed (TimeoutError)"),
        ({"a": {"score": -0.64, "label": "negative"}}, "a: score -0.64, label negative"),
        ({"a": {"sure": False, "n": 3, "deep": {"b": 1}}}, 'a: not sure, n 3, deep {"b": 1}'),
        ({"a": "odd"}, "a: odd"),
    ],
)
def test_a_short_form_for_people(analysis: dict[str, object], line: str) -> None:
    """Nothing where nothing was found; a single fact without its name."""
    assert short(analysis) == line


def test_the_story_has_a_line_for_each_analyser(analysed: Cli) -> None:
    """With the time at which the rating was processed."""
    lines = [line.partition("  ")[2] for line in analysed.ok("feedback", "explain", "1").out.splitlines()]
    assert [line for line in lines if line.startswith("analysed")] == [
        "analysed by disagreement: disagrees, words love, perfect",
        "analysed by keyword_tags: delivery",
        "analysed by language: en",
    ]
    told = json.loads(analysed.ok("feedback", "explain", "1", "--json").out)
    assert told["feedback"]["analysis"] == ANALYSIS


def test_low_ratings_show_it(analysed: Cli) -> None:
    """Short in the list, by analyser in one of them, whole in JSON and in files."""
    header, row = (line.split("\t") for line in analysed.ok("low-ratings", "list").out.splitlines())
    assert row[header.index("analysis")].startswith("disagreement: disagrees, words love, perfect")
    shown = analysed.ok("low-ratings", "show", "1").out.splitlines()
    assert "analysis, keyword_tags  delivery" in shown
    (listed,) = json.loads(analysed.ok("low-ratings", "list", "--json").out)
    assert listed["analysis"] == ANALYSIS
    (exported,) = csv.DictReader(io.StringIO(analysed.ok("low-ratings", "export").out))
    assert json.loads(exported["analysis"]) == ANALYSIS
    assert json.loads(analysed.ok("low-ratings", "export", "--format", "jsonl").out)["analysis"] == ANALYSIS


def test_the_report_counts_it(analysed: Cli) -> None:
    """In a section of its own, and in the figures for programs."""
    (rating,) = analysed.ok("feedback", "list", "--json").json
    today = str(rating["received_at"][:10])
    text = analysed.ok("report", "build", "--date", today).out
    assert (
        "What the comments were about\n"
        "  Words against the rating: 1 (100% low)\n"
        "  Which words: love 1 (100% low), perfect 1 (100% low)\n"
        "  Tags: delivery 1 (100% low)\n"
        "  Languages: en 1 (100% low)\n"
    ) in text
    facts = json.loads(analysed.ok("report", "build", "--date", today, "--format", "json").out)["facts"]
    assert {"analyser": "language", "name": "language", "value": "en", "ratings": 1, "low": 1} in facts


def test_a_plugin_with_later_hooks_alone_can_be_tested(cli: Cli, folder: Path) -> None:
    """It is loaded and fits; without its table it is idle, and that is said."""
    (folder / "config.toml").write_text("[plugins.settled_log]\nfile = 'settled.jsonl'\n", "utf-8")
    assert "it is loaded, its hooks and its settings fit" in cli.ok("plugins", "test", "settled_log").out
    assert cli.ok("plugins", "test", "analysis_section").said == [
        "analysis_section: 1 ok, 0 failed, 0 not tested"
    ]
    (folder / "config.toml").write_text("", "utf-8")
    assert "it is idle" in cli("plugins", "test", "settled_log").out
