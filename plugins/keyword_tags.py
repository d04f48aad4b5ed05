"""Tags comments by the words in them, so that low ratings can be sorted: an analyser without any service.

Settings, `[plugins.keyword_tags.tags]`: for each tag the words, or the words in a row, that stand for it.

    [plugins.keyword_tags.tags]
    delivery = ["late", "shipping", "never arrived"]
    fit = ["too small", "too large"]

Facts: `{"keyword_tags": {"tags": ["delivery", "fit"]}}`.
"""

# Annotations are read at run time by pydantic, so they are not postponed here.

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from feedback_app import Analyser, Feedback, hookimpl

# Words are looked up, not searched for with a pattern made of them: the time depends on the comment alone.
_WORD = re.compile(r"\w+")
_LONGEST_COMMENT = 100_000  # characters that are read, a few milliseconds; other ratings wait meanwhile


def _words(text: str) -> list[str]:
    """Return the words in one spelling: "Zu SPÄT!" is ["zu", "spät"], however the ä was typed."""
    return _WORD.findall(unicodedata.normalize("NFC", text).casefold())


def _has_words(text: str) -> str:
    if not _words(text):
        raise ValueError("must be a word or several")
    return text


Tag = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=63)]
Phrase = Annotated[str, Field(max_length=100), AfterValidator(_has_words)]


class Settings(BaseModel):
    """The table `[plugins.keyword_tags]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tags: Annotated[
        dict[Tag, Annotated[list[Phrase], Field(min_length=1, max_length=1000)]], Field(max_length=100)
    ] = {}


class KeywordTags(Analyser):
    """Says which tags fit a comment."""

    name = "keyword_tags"

    def __init__(self, tags: Mapping[str, list[str]]) -> None:
        self._words: dict[str, set[str]] = {}
        self._rows: dict[str, list[str]] = {}  # several words, such as " too small "
        for tag, phrases in sorted(tags.items()):
            rows = [_words(phrase) for phrase in phrases]
            self._words[tag] = {row[0] for row in rows if len(row) == 1}
            self._rows[tag] = [_joined(row) for row in rows if len(row) > 1]

    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Return `{"tags": [...]}` in alphabetical order, `{}` without any; whole words count, capitals do not."""
        words = _words(feedback.comment[:_LONGEST_COMMENT])
        known, text = set(words), _joined(words)
        tags = [
            tag
            for tag, single in self._words.items()
            if not single.isdisjoint(known) or any(row in text for row in self._rows[tag])
        ]
        return {"tags": tags} if tags else {}


def _joined(words: list[str]) -> str:
    return f" {' '.join(words)} "


@hookimpl
def make_analyser(settings: Settings) -> Analyser | None:
    """Return the analyser, or None without any tags."""
    return KeywordTags(settings.tags) if settings.tags else None
