"""The shipped analyser of tone."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedback_app import Feedback
from tests.plugin_host.conftest import info

if TYPE_CHECKING:
    from feedback_app import Analyser
    from tests.plugin_host.conftest import Place

FILE = Path(__file__).parents[2] / "plugins" / "vader_sentiment.py"
ENABLED = "[plugins.vader_sentiment]\nenabled = true\n"


@pytest.fixture
def analyser(place: Place) -> Analyser:
    """Load it as configured."""
    pytest.importorskip("vaderSentiment")
    place.write("vader_sentiment.py", FILE.read_text("utf-8"))
    [(_, found)] = place.load(ENABLED).analysers
    return found


@pytest.mark.parametrize(
    ("comment", "label"),
    [
        ("I love it, it is great!", "positive"),
        ("Terrible. I hate it.", "negative"),
        ("It is not great.", "negative"),
        ("The umbrella is blue.", None),
        ("", None),
        ("Der Schirm ist super, aber die Lieferung war nicht gut.", None),
        ("\ud83d love \x00", "positive"),
    ],
)
async def test_the_tone_is_told(analyser: Analyser, comment: str, label: str | None) -> None:
    """With VADER's figure; nothing where it knows no word, and of another language."""
    facts = await analyser.analyse(Feedback(rating=3, comment=comment))

    assert facts.get("label") == label
    assert facts.keys() in ({"compound", "label"}, set())


@pytest.mark.parametrize("comment", ["not great and terrible " * 40_000, "😀" * 300_000, "!" * 1_000_000])
async def test_a_huge_comment_does_not_hold_others_up(analyser: Analyser, comment: str) -> None:
    """VADER's time grows with the square of the length, so it is given the beginning."""
    started = time.process_time()
    await analyser.analyse(Feedback(rating=1, comment=comment))
    assert time.process_time() - started < 0.05


def test_it_is_idle_until_it_is_enabled(place: Place) -> None:
    """Needs nothing then."""
    place.write("vader_sentiment.py", FILE.read_text("utf-8"))
    assert info(place.load(), "vader_sentiment").state == "idle"


def test_without_its_package_the_start_fails_and_says_how_to_mend_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the extra."""
    monkeypatch.setitem(sys.modules, "vaderSentiment", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    place.write("vader_sentiment.py", FILE.read_text("utf-8"))

    [problem] = place.load(ENABLED).problems
    assert "pip install 'feedback-app[vader]'" in problem
