"""The tone of English comments, by VADER: a list of words and some rules, without any service. Needs the extra `vader`.

Settings, `[plugins.vader_sentiment]`; without them the plugin is idle:

    enabled = true

Facts: `{"vader_sentiment": {"compound": -0.64, "label": "negative"}}`. `compound` goes from -1 to 1; `label` is
`positive` from 0.05 on, `negative` up to -0.05 and else `neutral`, as its authors propose (Hutto and Gilbert 2014).
Nothing is said of comments in which VADER knows no word, nor of those that are clearly in another language (see
`language.py`).
"""

# Annotations are read at run time by pydantic, so they are not postponed here.

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from pydantic import BaseModel, ConfigDict

from feedback_app import Analyser, Feedback, hookimpl
from feedback_app.plugins._languages import language_of
from feedback_app.plugins._settings_checks import need

_LONGEST = 1000  # characters that are read, a few milliseconds: its time grows with the square of the length
_EMOJI = 20  # that are read: each becomes several words
_TONE = 0.05


class Settings(BaseModel):
    """The table `[plugins.vader_sentiment]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False


class VaderSentiment(Analyser):
    """Asks VADER."""

    name = "vader_sentiment"

    def __init__(self, vader: Any) -> None:
        self._vader = vader

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Return `compound` and `label`, or nothing."""
        if language_of(feedback.comment) not in ("en", None):
            return {}
        found = self._vader.polarity_scores(self._beginning(feedback.comment))
        if not found["pos"] and not found["neg"]:
            return {}
        compound = found["compound"]
        label = "positive" if compound >= _TONE else "negative" if compound <= -_TONE else "neutral"
        return {"compound": compound, "label": label}

    def _beginning(self, comment: str) -> str:
        text = comment[:_LONGEST]
        emoji = accumulate(letter in self._vader.emojis for letter in text)
        return text[: sum(count <= _EMOJI for count in emoji)]


@hookimpl
def make_analyser(settings: Settings) -> Analyser | None:
    """Return the analyser, or None where it is not enabled. Raises ValueError where VADER is not installed."""
    if not settings.enabled:
        return None
    need("vaderSentiment", "vader")
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return VaderSentiment(SentimentIntensityAnalyzer())
