"""The shipped plugins keep their contracts, as the kit sees it, against real servers on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from feedback_app import Analyser, Notifier, Source
from feedback_app.plugins import (
    disagreement,
    email_notifier,
    file_notifier,
    folder,
    keyword_tags,
    language,
    sms_notifier,
    vader_sentiment,
    webhook_notifier,
)
from feedback_app.testing import (
    AnalyserContract,
    FarSide,
    NotifierContract,
    RecordingHttpServer,
    RecordingSmtpServer,
    SourceContract,
)
from tests.servers import Act, HttpAnswer, RecordingHttpGateway, twilio_error

pytest_plugins = ["feedback_app.testing.fixtures"]


class Gateway(RecordingHttpGateway):
    """Twilio with its faults."""

    fault_answers: Mapping[Any, HttpAnswer | Act] = {
        "temporary": twilio_error(429, 20429),
        "permanent": twilio_error(400, 21614),
        "channel_down": twilio_error(401, 20003),
        "silence": Act.HANG,
        "unknown": Act.DROP,
    }


class TestSms(NotifierContract):
    """Through Twilio's API."""

    secrets = (RecordingHttpGateway.auth_token,)

    @pytest.fixture
    def far_side(self) -> Any:
        """Run a gateway."""
        with Gateway() as gateway:
            yield gateway

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        notifier: Notifier = sms_notifier.make_notifier(
            sms_notifier.Settings(
                gateway="twilio",
                url=far_side.url,
                sender="+12025550100",
                account_sid=Gateway.account_sid,
                auth_token=SecretStr(Gateway.auth_token),
            )
        )
        return notifier


class TestEmail(NotifierContract):
    """To a mail server."""

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

    @pytest.fixture
    def far_side(self, tmp_path: Path) -> Path:
        """Return the folder."""
        return tmp_path

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        notifier: Notifier = email_notifier.make_notifier(email_notifier.Settings(maildir=far_side / "mail"))
        return notifier


class Lines(FarSide):
    """A file with a line for each message."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def received(self) -> Sequence[str]:
        """Return the lines."""
        return self.file.read_text("utf-8").splitlines() if self.file.exists() else []


class TestSmsFile(NotifierContract):
    """Into a file."""

    @pytest.fixture
    def far_side(self, tmp_path: Path) -> Lines:
        """Return the file."""
        return Lines(tmp_path / "sms.jsonl")

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        notifier: Notifier = sms_notifier.make_notifier(sms_notifier.Settings(file=far_side.file))
        return notifier


class TestWebhook(NotifierContract):
    """Signed posts."""

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

    @pytest.fixture
    def far_side(self, tmp_path: Path) -> Lines:
        """Return the file."""
        return Lines(tmp_path / "messages.jsonl")

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        notifier: Notifier = file_notifier.make_notifier(file_notifier.Settings(file=far_side.file))
        return notifier


class TestKeywordTags(AnalyserContract):
    """Tags by words."""

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        analyser = keyword_tags.make_analyser(
            keyword_tags.Settings(tags={"delivery": ["late", "never again"]})
        )
        assert analyser is not None
        return analyser  # type: ignore[no-any-return]


class TestLanguage(AnalyserContract):
    """The language by words and letters."""

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        return language.make_analyser(language.Settings(enabled=True))  # type: ignore[no-any-return]


class TestDisagreement(AnalyserContract):
    """Words against the rating."""

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        return disagreement.make_analyser(disagreement.Settings(languages=["en", "de"]))  # type: ignore[no-any-return]


class TestVaderSentiment(AnalyserContract):
    """The tone."""

    def make(self, far_side: Any) -> Analyser:
        """Return the analyser as configured."""
        pytest.importorskip("vaderSentiment")
        return vader_sentiment.make_analyser(vader_sentiment.Settings(enabled=True))  # type: ignore[no-any-return]


class Drop(FarSide):
    """A folder into which payloads come as files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._count = 0

    @property
    def faults(self) -> Mapping[Any, Callable[[], Any]]:
        """It may be gone."""
        return {"channel_down": self._gone}

    def put(self, payloads: Sequence[bytes]) -> bool:
        """Write a file."""
        self._count += 1
        if payloads:
            half = self.path / f"{self._count:04}.jsonl.tmp"
            half.write_bytes(b"\n".join(payloads) + b"\n")
            half.rename(half.with_suffix(""))
        return True

    @contextlib.contextmanager
    def _gone(self) -> Iterator[None]:
        away = self.path.rename(self.path.with_name("away"))
        yield
        away.rename(self.path)


class TestFolder(SourceContract):
    """Files in a folder."""

    @pytest.fixture
    def far_side(self, tmp_path: Path) -> Drop:
        """Return the folder."""
        return Drop(tmp_path / "drop")

    def make(self, far_side: Any) -> Source:
        """Return the source as configured."""
        source: Source = folder.make_source(folder.Settings(path=far_side.path, settle=0.05))
        return source
