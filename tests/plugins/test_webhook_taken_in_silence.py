"""A receiver that takes each message and then fails: no copy leaves by another channel, and each is marked."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path

from feedback_app import Customer
from feedback_app.store import customers
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming
from tests.plugins.http_helpers import answer
from tests.plugins.scripted_http import ScriptedHttpServer
from tests.running import add, daemon, rows, running, until

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


async def test_what_a_failing_receiver_may_have_taken_goes_by_no_other_channel(tmp_path: Path) -> None:
    """It says 503 until the attempts are used up: the message ends there, and the row says that it may have left."""
    ledger = tmp_path / "feedback.db"
    async with SqliteStore(ledger) as store:
        zoe = Customer(id="c1", email="zoe@example.com", preferred_channels=("webhook", "email"))
        await store.write(partial(customers.put, customers=[zoe], now=NOW))
    await add(ledger, [incoming("r1")], NOW)
    async with ScriptedHttpServer([answer("503 Later")] * 9) as receiver:
        (tmp_path / "secret").write_text(SECRET)
        (tmp_path / "secret").chmod(0o600)
        (tmp_path / "config.toml").write_text(f"""\
[delivery]
max_attempts = 2
backoff_initial = "1ms"
[plugins.webhook_notifier]
url = "{receiver.url}"
secret_file = "secret"
[plugins.email_notifier]
transport = "maildir"
maildir = "mail"
sender = "shop@example.com"
""")
        async with running(daemon(tmp_path / "config.toml")):
            await until(lambda: rows(ledger, "SELECT 1 FROM message WHERE settled_at IS NOT NULL"))
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert not list((tmp_path / "mail").glob("new/*"))
    found = rows(ledger, "SELECT state, channel, maybe_sent_at IS NOT NULL FROM message")
    assert found == [("dead", "webhook", 1)]
