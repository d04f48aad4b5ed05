"""What a check found: a promise of the contract that holds, is broken, or could not be tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

State: TypeAlias = Literal["ok", "fails", "not tested"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """How one check ended."""

    check: str  # what was looked at, a sentence
    promise: str  # the line of the contract that it is about
    state: State
    expected: str = ""  # where it fails: what should have happened
    happened: str = ""  # and what did; where it was not tested: why not
    where: str | None = None  # file:line of the plugin, where an error or a stack tells

    def __str__(self) -> str:
        """One line for people."""
        if self.state == "ok":
            return f"ok          {self.check}"
        if self.state == "not tested":
            return f"not tested  {self.check}: {self.happened}"
        place = f" ({self.where})" if self.where else ""
        return f"fails       {self.check}: wanted {self.expected}; {self.happened}{place} [{self.promise}]"


class BrokenPromise(Exception):
    """A check's word for a plugin that does not do what the contract says."""

    def __init__(
        self, expected: str, happened: str, *, error: BaseException | None = None, where: str | None = None
    ) -> None:
        super().__init__(f"wanted {expected}; {happened}")
        self.expected = expected
        self.happened = happened
        self.error = error  # its traceback tells where in the plugin
        self.where = where


class NotTested(Exception):
    """A check's word for what it has no means to see; the text says what is missing."""


def failures(findings: Iterable[Finding]) -> list[Finding]:
    """Return those that fail."""
    return [finding for finding in findings if finding.state == "fails"]


def assert_conforms(findings: Iterable[Finding]) -> None:
    """Raise AssertionError with a line for each promise that is broken; for any test runner."""
    broken = failures(findings)
    if broken:
        raise AssertionError("\n".join(map(str, broken)))
