"""A far side that takes each message and then says that it failed: no copy goes by another channel, each is marked."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path

import pytest

from feedback_app import Customer
from feedback_app.store import customers
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming
from tests.plugins.http_helpers import answer
from tests.plugins.scripted_http import ScriptedHttpServer
from tests.running import add, daemon, rows, running, until

WEBHOOK = """
[plugins.webhook_notifier]
url = "{url}"
secret_file = "secret"
"""
SMS = """
[plugins.sms_notifier]
gateway = "http"
sender = "Shop"
[plugins.sms_notifier.http]
url = "{url}"
body_form = {{ to = "{{to}}", text = "{{text}}" }}
idempotency_header = "Webhook-Id"
"""
CONFIG = """
[delivery]
max_attempts = 2
backoff_initial = "1ms"
[plugins.email_notifier]
transport = "maildir"
maildir = "mail"
sender = "shop@example.com"
"""


@pytest.mark.parametrize(("channel", "config"), [("webhook", WEBHOOK), ("sms", SMS)])
async def test_what_a_failing_far_side_may_have_taken_goes_by_no_other_channel(
    tmp_path: Path, channel: str, config: str
) -> None:
    """It says 503 until the attempts are used up: the message ends there, under one id, and its row says so."""
    ledger = tmp_path / "feedback.db"
    zoe = Customer(
        id="c1", email="zoe@example.com", phone="+4915112345678", preferred_channels=(channel, "email")
    )
    async with SqliteStore(ledger) as store:
        await store.write(partial(customers.put, customers=[zoe], now=NOW))
    await add(ledger, [incoming("r1")], NOW)
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "secret").write_text("whsec_" + base64.b64encode(b"s" * 32).decode())
    async with ScriptedHttpServer([answer("503 Later")] * 9) as far_side:
        (tmp_path / "config.toml").write_text(CONFIG + config.format(url=far_side.url))
        async with running(daemon(tmp_path / "config.toml")):
            await until(lambda: rows(ledger, "SELECT 1 FROM message WHERE settled_at IS NOT NULL"))
    ids = [request.headers["webhook-id"] for request in far_side.requests]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert not list((tmp_path / "mail").glob("new/*"))
    found = rows(ledger, "SELECT state, channel, maybe_sent_at IS NOT NULL FROM message")
    assert found == [("dead", channel, 1)]
