"""The shipped notifiers keep their contract, as the kit sees it, against real servers on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from feedback_app import Notifier
from feedback_app.plugins import (
    apprise_notifier,
    console_notifier,
    email_notifier,
    file_notifier,
    webhook_notifier,
)
from feedback_app.testing import NotifierContract, RecordingHttpServer, RecordingSmtpServer
from tests.testing.far_sides import Lines, Terminal

pytest_plugins = ["feedback_app.testing.fixtures"]


class TestEmail(NotifierContract):
    """To a mail server."""

    plugin = email_notifier

    @pytest.fixture
    def far_side(self, smtp_server: RecordingSmtpServer) -> RecordingSmtpServer:
        """Run a mail server."""
        return smtp_server

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        notifier: Notifier = email_notifier.make_notifier(
            email_notifier.Settings(transport="smtp", host=far_side.host, port=far_side.port)
        )
        return notifier


class TestMaildir(NotifierContract):
    """Into a folder."""

    plugin = email_notifier

    @pytest.fixture
    def far_side(self, tmp_path: Path) -> Path:
        """Return the folder."""
        return tmp_path

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        notifier: Notifier = email_notifier.make_notifier(email_notifier.Settings(maildir=far_side / "mail"))
        return notifier


class TestWebhook(NotifierContract):
    """Signed posts."""

    plugin = webhook_notifier
    secrets = ("Y2FuYXJ5LXNlY3JldC1jYW5hcnktc2VjcmV0",)

    @pytest.fixture
    def far_side(self, http_server: RecordingHttpServer) -> RecordingHttpServer:
        """Run a receiver."""
        return http_server

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        notifier: Notifier = webhook_notifier.make_notifier(
            webhook_notifier.Settings(
                url=f"{far_side.url}/hook", secret=SecretStr(f"whsec_{self.secrets[0]}")
            )
        )
        return notifier


class TestFile(NotifierContract):
    """Into a file."""

    plugin = file_notifier

    @pytest.fixture
    def far_side(self, tmp_path: Path) -> Lines:
        """Return the file."""
        return Lines(tmp_path / "messages.jsonl")

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        notifier: Notifier = file_notifier.make_notifier(file_notifier.Settings(file=far_side.file))
        return notifier


class TestConsole(NotifierContract):
    """Lines for programs."""

    plugin = console_notifier
    form = "json"

    @pytest.fixture
    def far_side(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Read the standard output."""
        with Terminal(monkeypatch) as terminal:
            yield terminal

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        far_side.take_over()
        notifier: Notifier = console_notifier.make_notifier(
            console_notifier.Settings.model_validate({"format": self.form})
        )
        return notifier


class Blocks(Terminal):
    """A terminal on which each message is a block of lines that begins with three dashes."""

    def received(self) -> list[str]:
        """Return the blocks."""
        return "\n".join(super().received()).split("--- ")[1:]


class TestConsoleForPeople(TestConsole):
    """Blocks for people."""

    form = "text"

    @pytest.fixture
    def far_side(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Read the standard output."""
        with Blocks(monkeypatch) as terminal:
            yield terminal


def _only(notifiers: list[Notifier] | None) -> Notifier:
    assert notifiers is not None
    (notifier,) = notifiers
    return notifier


class TestApprise(NotifierContract):
    """Through Apprise to one service for all."""

    plugin = apprise_notifier
    secrets = ("canary-password",)

    @pytest.fixture
    def far_side(self) -> Any:
        """Run a service."""
        pytest.importorskip("apprise")
        with RecordingHttpServer() as service:
            yield service

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        url = f"json://shop:{self.secrets[0]}@127.0.0.1:{far_side.port}/{{recipient}}"
        return _only(
            apprise_notifier.make_notifier(apprise_notifier.Settings.model_validate({"urls": {"team": url}}))
        )


class CustomersOwn(RecordingHttpServer):
    """A service that a customer named by a URL of their own."""

    @property
    def faults(self) -> Any:
        """There is no account for all, so the channel is never down."""
        return {kind: fault for kind, fault in super().faults.items() if kind != "channel_down"}

    def address(self) -> str:
        """Return the URL."""
        return f"json://shop:canary-password@127.0.0.1:{self.port}/"


class TestAppriseForCustomersOwnUrls(NotifierContract):
    """Through Apprise to the URL that is stored for the customer."""

    plugin = apprise_notifier
    secrets = ("canary-password",)

    @pytest.fixture
    def far_side(self) -> Any:
        """Run a service."""
        pytest.importorskip("apprise")
        with CustomersOwn() as service:
            yield service

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        return _only(
            apprise_notifier.make_notifier(apprise_notifier.Settings.model_validate({"schemas": ["json"]}))
        )
