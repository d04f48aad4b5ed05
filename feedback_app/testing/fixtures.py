"""Fixtures for the tests of plugins: `pytest_plugins = ["feedback_app.testing.fixtures"]` brings them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feedback_app.testing.app import App
from feedback_app.testing.clock import ManualClock
from feedback_app.testing.far_side import FarSide
from feedback_app.testing.http_server import RecordingHttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feedback_app.testing.smtp_server import RecordingSmtpServer


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still until it is turned."""
    return ManualClock()


@pytest.fixture
def app(tmp_path: Path, clock: ManualClock) -> App:
    """Make the whole program in a folder of its own, on the test's clock."""
    return App(tmp_path / "business", clock)


@pytest.fixture
def http_server() -> Iterator[RecordingHttpServer]:
    """Run a web server that records what it is told."""
    with RecordingHttpServer() as server:
        yield server


@pytest.fixture
def smtp_server() -> Iterator[RecordingSmtpServer]:
    """Run a mail server that records what it takes (needs aiosmtpd)."""
    from feedback_app.testing.smtp_server import RecordingSmtpServer

    with RecordingSmtpServer() as server:
        yield server


@pytest.fixture
def far_side() -> FarSide:
    """Return a far side of which nothing is known; the class of a contract overrides it where more is."""
    return FarSide()
