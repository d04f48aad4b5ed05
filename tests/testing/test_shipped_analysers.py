"""The shipped analysers keep their contract, as the kit sees it."""

from __future__ import annotations

from typing import Any

import pytest

from feedback_app import Analyser
from feedback_app.plugins import disagreement, keyword_tags, language, vader_sentiment
from feedback_app.testing import AnalyserContract

pytest_plugins = ["feedback_app.testing.fixtures"]


def _made(analyser: Analyser | None) -> Analyser:
    assert analyser is not None
    return analyser


class TestKeywordTags(AnalyserContract):
    """Tags by words."""

    plugin = keyword_tags

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        return _made(
            keyword_tags.make_analyser(keyword_tags.Settings(tags={"delivery": ["late", "never again"]}))
        )


class TestLanguage(AnalyserContract):
    """The language by words and letters."""

    plugin = language

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        return _made(language.make_analyser(language.Settings(enabled=True)))


class TestDisagreement(AnalyserContract):
    """Words against the rating."""

    plugin = disagreement

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        return _made(disagreement.make_analyser(disagreement.Settings(languages=["en", "de"])))


class TestVaderSentiment(AnalyserContract):
    """The tone."""

    plugin = vader_sentiment

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        pytest.importorskip("vaderSentiment")
        return _made(vader_sentiment.make_analyser(vader_sentiment.Settings(enabled=True)))
