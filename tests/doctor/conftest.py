"""Runs `feedback-app doctor` in a folder of its own, as in the tests of the commands."""

from __future__ import annotations

from typing import Any

import pytest

from feedback_app.doctor import configuration
from tests.cli.conftest import cli, folder, ledger

__all__ = ["cli", "folder", "ledger"]  # fixtures


@pytest.fixture(autouse=True)
def _no_units_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "UNITS", ())


def told_of(findings: list[dict[str, Any]], about: str) -> list[dict[str, Any]]:
    """Return the findings about one thing."""
    return [one for one in findings if one["about"] == about]
