"""The channel `sms` keeps its contract with each of its gateways, as the kit sees it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from feedback_app import Notifier
from feedback_app.plugins import sms_notifier
from feedback_app.testing import NotifierContract, RecordingHttpServer
from tests.servers import Act, HttpAnswer, RecordingHttpGateway, twilio_error
from tests.testing.far_sides import Lines

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


class TestTwilio(NotifierContract):
    """Through Twilio's API."""

    plugin = sms_notifier
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


class TestFile(NotifierContract):
    """Into a file."""

    plugin = sms_notifier

    @pytest.fixture
    def far_side(self, tmp_path: Path) -> Lines:
        """Return the file."""
        return Lines(tmp_path / "sms.jsonl")

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        notifier: Notifier = sms_notifier.make_notifier(sms_notifier.Settings(file=far_side.file))
        return notifier


class Kannel(RecordingHttpServer):
    """A Kannel: it takes a message with 202, and refuses the login with 403."""

    fault_answers: Mapping[Any, HttpAnswer | Act] = {
        "temporary": HttpAnswer(status=503, body=b"Temporal failure, try again later."),
        "permanent": HttpAnswer(status=400, body=b"Not routable. Do not try again."),
        "channel_down": HttpAnswer(status=403, body=b"Authorization failed for sendsms"),
        "silence": Act.HANG,
        "unknown": Act.DROP,
    }

    def work(self, request: Any) -> HttpAnswer:
        """Return what Kannel says of a message that it took."""
        if request.headers.get("x-kannel-password") != "canary-password":
            return self.fault_answers["channel_down"]  # type: ignore[return-value]
        return HttpAnswer(status=202, body=b"0: Accepted for delivery")


class TestKannel(NotifierContract):
    """Through Kannel's sendsms."""

    plugin = sms_notifier
    secrets = ("canary-password",)

    @pytest.fixture
    def far_side(self) -> Any:
        """Run a gateway."""
        with Kannel() as gateway:
            yield gateway

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        notifier: Notifier = sms_notifier.make_notifier(
            sms_notifier.Settings(
                gateway="kannel",
                url=f"{far_side.url}/cgi-bin/sendsms",
                sender="Shop",
                username="shop",
                password=SecretStr(self.secrets[0]),
            )
        )
        return notifier


class Forgetful(RecordingHttpServer):
    """A gateway that tells no second copy: of a message that it answered with 503 nobody knows."""

    fault_answers: Mapping[Any, HttpAnswer | Act] = {
        **RecordingHttpServer.fault_answers,
        "unknown": HttpAnswer(status=503),
    }


class TestHttp(NotifierContract):
    """Through a gateway that is spoken to as the settings say: a form, the key in a header."""

    plugin = sms_notifier
    secrets = ("canary-key",)

    @pytest.fixture
    def far_side(self) -> Any:
        """Run a gateway."""
        with Forgetful() as gateway:
            yield gateway

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        return self.through(
            url=f"{far_side.url}/sms",
            headers={"Authorization": "Bearer {secret}"},
            body_form={"to": "{to}", "text": "{text}"},
        )

    def through(self, **http: Any) -> Notifier:
        """Return the notifier with this table for its gateway."""
        settings = {"gateway": "http", "http": {"secret": self.secrets[0], **http}}
        notifier: Notifier = sms_notifier.make_notifier(sms_notifier.Settings.model_validate(settings))
        return notifier


class TestHttpWithAKey(TestHttp):
    """The same through one that tells a second copy: JSON, the key in the query, the id in a header."""

    @pytest.fixture
    def far_side(self, http_server: RecordingHttpServer) -> RecordingHttpServer:
        """Run a gateway."""
        return http_server

    def make(self, far_side: Any) -> Notifier:
        """Return the notifier as configured."""
        return self.through(
            url=f"{far_side.url}/sms?key={{secret}}",
            body_json={"to": "{to}", "text": "{text}"},
            id_json="id",
            idempotency_header="Idempotency-Key",
        )
