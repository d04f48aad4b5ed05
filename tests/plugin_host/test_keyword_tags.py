"""The shipped analyser: tags from words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedback_app import Feedback
from tests.plugin_host.conftest import info

if TYPE_CHECKING:
    from collections.abc import Callable

    from feedback_app import Analyser
    from tests.plugin_host.conftest import Place

FILE = Path(__file__).parents[2] / "plugins" / "keyword_tags.py"
TAGS = """
[plugins.keyword_tags.tags]
fit = ["too small", "TOO LARGE", "size"]
delivery = ["late", "shipping", "size"]
quality = ["späte", "doesn't hold", "C"]
"""


@pytest.fixture
def analyser(place: Place) -> Callable[[str], Analyser]:
    """Return what loads the plugin with a configuration."""

    def load(config: str) -> Analyser:
        place.write("keyword_tags.py", FILE.read_text("utf-8"))
        [found] = [analyser for plugin, analyser in place.load(config).analysers if plugin == "keyword_tags"]
        return found

    return load


@pytest.mark.parametrize(
    ("comment", "tags"),
    [
        ("", []),
        ("Fine.", []),
        ("LATE!", ["delivery"]),
        ("lately, late-ish", ["delivery"]),
        ("lately, belated, too-smallish", []),
        ("Too  small,\nand late", ["delivery", "fit"]),
        ("it is too\nlarge", ["fit"]),
        ("small, too", []),
        ("The size", ["delivery", "fit"]),
        ("It doesn't hold", ["quality"]),
        ("vitamin c", ["quality"]),
        ("Spa\u0308te Lieferung", ["quality"]),  # the dots on the a are a character of their own
        ("\ud83d late \x00", ["delivery"]),  # half a surrogate pair, and NUL
    ],
)
async def test_whole_words_make_tags(
    analyser: Callable[[str], Analyser], comment: str, tags: list[str]
) -> None:
    """Capitals, punctuation and line breaks do not count; the tags are in alphabetical order."""
    facts = await analyser(TAGS).analyse(Feedback(rating=1, comment=comment))

    assert facts == ({"tags": tags} if tags else {})  # nothing is stored where nothing fits


@pytest.mark.parametrize("comment", ["late " * 200_000, "a " * 500_000, "x" * 1_000_000, "too " * 250_000])
async def test_a_huge_comment_does_not_hold_others_up(
    analyser: Callable[[str], Analyser], comment: str
) -> None:
    """A megabyte of the most awkward text takes less than 50 ms, with a hundred phrases too."""
    many = ", ".join(f'"too small{number}"' for number in range(100))
    found = analyser(f"{TAGS}many = [{many}]\n")
    started = time.process_time()

    await found.analyse(Feedback(rating=1, comment=comment))

    assert time.process_time() - started < 0.05


def test_without_tags_it_is_idle(place: Place) -> None:
    """Nobody has asked for it."""
    place.write("keyword_tags.py", FILE.read_text("utf-8"))

    assert info(place.load(), "keyword_tags").state == "idle"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("fit = []", "fit: must not be empty"),
        ("fit = 'small'", "fit: must be a list"),
        ("fit = ['']", "fit[0]: must be a word or several"),
        ("fit = ['small', '!?']", "fit[1]: must be a word or several"),
        ("fit = [1]", "fit[0]: must be text in quotes"),
        (f"fit = ['{'x' * 101}']", "fit[0]: "),
        ("Fit = ['small']", "Fit: "),
    ],
)
def test_tags_that_are_none_are_refused(place: Place, line: str, problem: str) -> None:
    """With the place in the file."""
    place.write("keyword_tags.py", FILE.read_text("utf-8"))

    [found] = place.load(f"[plugins.keyword_tags.tags]\n{line}\n").problems

    assert found.startswith(f"config.toml: [plugins.keyword_tags.tags] {problem}")
