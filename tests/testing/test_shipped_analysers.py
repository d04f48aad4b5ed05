"""The shipped analysers keep their contract, as the kit sees it."""

from __future__ import annotations

from typing import Any

import pytest

from feedback_app import Analyser
from feedback_app.plugins import disagreement, keyword_tags, language, vader_sentiment
from feedback_app.testing import AnalyserContract

pytest_plugins = ["feedback_app.testing.fixtures"]


class TestKeywordTags(AnalyserContract):
    """Tags by words."""

    plugin = keyword_tags

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        analyser = keyword_tags.make_analyser(
            keyword_tags.Settings(tags={"delivery": ["late", "never again"]})
        )
        assert analyser is not None
        return analyser  # type: ignore[no-any-return]


class TestLanguage(AnalyserContract):
    """The language by words and letters."""

    plugin = language

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        return language.make_analyser(language.Settings(enabled=True))  # type: ignore[no-any-return]


class TestDisagreement(AnalyserContract):
    """Words against the rating."""

    plugin = disagreement

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        return disagreement.make_analyser(disagreement.Settings(languages=["en", "de"]))  # type: ignore[no-any-return]


class TestVaderSentiment(AnalyserContract):
    """The tone."""

    plugin = vader_sentiment

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        pytest.importorskip("vaderSentiment")
        return vader_sentiment.make_analyser(vader_sentiment.Settings(enabled=True))  # type: ignore[no-any-return]
