"""The checks as tests: inherit, say how to make one, and pytest shows a test for each promise.

pytest_plugins = ["feedback_app.testing.fixtures"]

class TestChat(NotifierContract):
    @pytest.fixture
    def far_side(self, http_server):
        return http_server

    def make(self, far_side):
        return Chat(url=far_side.url)
"""

from __future__ import annotations

import asyncio
import unittest
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from feedback_app.concurrency.bounded import leaving_nothing
from feedback_app.testing.analysers import ANALYSER_CHECKS, check_analyser
from feedback_app.testing.far_side import FarSide
from feedback_app.testing.findings import assert_conforms
from feedback_app.testing.notifiers import NOTIFIER_CHECKS, check_notifier
from feedback_app.testing.sources import SOURCE_CHECKS, check_source

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from feedback_app.contracts import Analyser, Notifier, Source
    from feedback_app.testing.findings import Finding

Kit: TypeAlias = "Callable[..., Coroutine[Any, Any, list[Finding]]]"


class _Contract:
    """A test for each check; one for which a means is missing is skipped and says which."""

    secrets: ClassVar[Sequence[str]] = ()  # what must be seen in no error, repr or log
    _checks: ClassVar[tuple[str, ...]]
    kit: ClassVar[Kit]

    def make(self, far_side: Any) -> Any:
        """Return a new one, not opened; `far_side` is the fixture of that name."""
        raise NotImplementedError(f"{type(self).__name__} needs a method make(self, far_side)")

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Make a test for each check (pytest's name for this hook)."""
        if "check" in metafunc.fixturenames:
            metafunc.parametrize("check", self._checks)

    def test_promise(self, check: str, far_side: Any) -> None:
        """Hold the plugin to one promise of the contract."""
        known = far_side if isinstance(far_side, FarSide) else None  # whatever `make` needs may be one
        checking = self.kit(lambda: self.make(far_side), known, secrets=self.secrets, only=(check,))
        findings = asyncio.run(leaving_nothing(checking))
        assert_conforms(findings)
        for one in findings:
            if one.state == "not tested":
                raise unittest.SkipTest(one.happened)


class NotifierContract(_Contract):
    """A test for each promise of a notifier."""

    _checks = tuple(check.name for check in NOTIFIER_CHECKS)
    kit = staticmethod(check_notifier)

    def make(self, far_side: Any) -> Notifier:
        """Return a new notifier, not opened; `far_side` is the fixture of that name."""
        notifier: Notifier = super().make(far_side)
        return notifier


class AnalyserContract(_Contract):
    """A test for each promise of an analyser."""

    _checks = tuple(check.name for check in ANALYSER_CHECKS)
    kit = staticmethod(check_analyser)

    def make(self, far_side: Any) -> Analyser:
        """Return a new analyser."""
        analyser: Analyser = super().make(far_side)
        return analyser


class SourceContract(_Contract):
    """A test for each promise of a source."""

    _checks = tuple(check.name for check in SOURCE_CHECKS)
    kit = staticmethod(check_source)

    def make(self, far_side: Any) -> Source:
        """Return a new source, not opened; `far_side` is the fixture of that name."""
        source: Source = super().make(far_side)
        return source
