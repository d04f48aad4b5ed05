"""What a log line shows, and what it never does."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from feedback_app.cli.logs import set_up_logging
from feedback_app.logs import flush_logs


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("feedback_app")
    before = (root.handlers[:], root.level, ours.level, logging.raiseExceptions)
    yield
    root.handlers[:], level, our_level, logging.raiseExceptions = before
    root.setLevel(level)
    ours.setLevel(our_level)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_traceback_shows_places_and_no_values(
    terminal: bool,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The values of variables are what customers are called and what they wrote."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    set_up_logging()
    _fail_with(comment="the words of a customer")
    flush_logs()
    said = capfd.readouterr().err
    assert "_fail_with" in said
    assert "ZeroDivisionError" in said
    assert "the words of a customer" not in said


def _fail_with(comment: Any) -> None:
    try:
        len(comment) / 0
    except ZeroDivisionError:
        logging.getLogger("feedback_app.test").exception("it failed")
