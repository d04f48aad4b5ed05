"""Two daemons on one server, as their users see them: one report a day, one status, one limit."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest

from feedback_app.cli import run_command_line
from feedback_app.delivery.fallback import FallBack
from feedback_app.delivery.receipts import Receipts
from feedback_app.model import Customer, DeliveryReceipt
from feedback_app.report.reporter import Reporter
from feedback_app.settings import load_settings
from feedback_app.store import ratings
from feedback_app.store.receipts import Noted
from tests.making import NOW, incoming
from tests.postgres import ask, store_on
from tests.running import RECORDER, business, daemon, running, sent, until

DAYS = [date(2027, 1, day) for day in range(2, 8)]


async def test_whoever_is_asked_each_days_report_is_made_once(postgres_url: str, tmp_path: Path) -> None:
    """Six daemons at the same moment, on six days in a row: one run row and one mail each, and no leader."""
    (tmp_path / "config.toml").write_text('[reports.daily]\nto = ["team@example.com"]\n')
    settings = load_settings(tmp_path / "config.toml", environ={})
    now = datetime(2027, 1, 1, 12, tzinfo=UTC)
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(store_on(postgres_url, "daemon")) for _ in range(6)]
        reporters = [Reporter(one, settings, clock=lambda: now) for one in stores]
        assert await reporters[0].make_due("daily") == []
        for day in DAYS:
            now = datetime(day.year, day.month, day.day, 8, 0, 1, tzinfo=UTC)
            made = await asyncio.gather(*(one.make_due("daily") for one in reporters))
            assert len([one for one in made if one]) == 1
    assert ask(postgres_url, "SELECT count(*), count(DISTINCT local_date) FROM report_run") == [(6, 6)]
    assert ask(postgres_url, "SELECT count(*) FROM message WHERE purpose = 'report'") == [(6,)]


async def test_two_daemons_do_each_rating_once_and_keep_one_limit(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They share the work; of a limit of 50 a day exactly 50 leave; `status` names both with their heartbeats."""
    store = f'[store]\nurl = "{postgres_url}"\n[limits.chat]\nper_day = 50\n'
    config = business(tmp_path, config=store)
    contacts = [Customer(id=f"c{number}", preferred_channels=("chat",)) for number in range(80)]
    arrivals = [incoming(f"r{one.id}", customer=one.id, contact=one) for one in contacts]
    async with running(daemon(config)), running(daemon(config)):
        async with store_on(postgres_url) as command:
            await command.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))
        done = "SELECT count(*) FROM message WHERE state = 'sent'"
        await until(lambda: ask(postgres_url, done) == [(50,)])
        arguments = ["--config", str(config), "status", "--json"]
        assert await asyncio.to_thread(run_command_line, arguments) == 0
        told = json.loads(capsys.readouterr().out)
    assert Counter(sent(tmp_path)).most_common(1)[0][1] == 1
    assert len(sent(tmp_path)) == 50
    assert told["feedback"] == {"received": 0, "processed": 80, "dead": 0}
    assert told["messages"]["queued"] == 30
    assert len(told["daemons"]) == 2
    assert all(one["heartbeat_at"] for one in told["daemons"])


_SAYS_NUL = RECORDER.replace(
    "    async def send",
    """    def address(self, customer):
        if customer.id == "c3":
            raise LookupError("nobody\\0")
        return customer.id

    async def answer(self, message):
        if message.recipient == "c1":
            raise TemporaryFailure("later\\0")
        return Receipt(provider_id="a\\0b", detail="\\0")

    async def send""",
).replace("return Receipt(provider_id=message.id)", "return await self.answer(message)")


async def test_a_nul_in_what_a_plugin_says_ends_no_daemon(postgres_url: str, tmp_path: Path) -> None:
    """The server's texts cannot hold it, so the sign for a character that is none stands there instead."""
    config = business(tmp_path, plugin=_SAYS_NUL, config=f'[store]\nurl = "{postgres_url}"\n')
    contacts = [Customer(id=f"c{number}", preferred_channels=("chat",)) for number in (1, 2, 3)]
    arrivals = [incoming(f"r{one.id}", customer=one.id, contact=one) for one in contacts]
    async with running(daemon(config)):
        async with store_on(postgres_url) as command:
            await command.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))
        tries = "SELECT error, provider_id, detail FROM delivery_attempt ORDER BY message_number"
        await until(lambda: len(ask(postgres_url, tries)) == 2)
        failures = "SELECT error FROM feedback WHERE attempts = 1"
        await until(lambda: ask(postgres_url, failures))
    assert ask(postgres_url, tries) == [("later\ufffd", None, None), (None, "a\ufffdb", "\ufffd")]
    assert ask(postgres_url, failures) == [("LookupError: nobody\ufffd",)]


async def test_a_nul_in_what_a_receipt_is_about_is_only_strange(postgres_url: str) -> None:
    """Anybody can write a mail that claims to be a bounce."""
    async with store_on(postgres_url) as store:
        receipts = Receipts(store, FallBack(store, None, on_queued=list), clock=lambda: NOW)  # type: ignore[arg-type] # not asked
        assert await receipts.note(DeliveryReceipt(message_id="a\0b", state="failed")) is Noted.STRANGE
