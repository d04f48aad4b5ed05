"""A reload under load: what is fit takes effect, what is not changes nothing, and no message is lost or doubled."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from feedback_app.daemon import Daemon
from feedback_app.model import Customer
from feedback_app.settings import load_settings
from tests.making import incoming
from tests.running import DEADLINE, RECORDER, add, business, rows, running, sent, serving, until

# Each is wrong in another way; the settings that were valid stay.
BAD = {
    "syntax": "[pipeline",
    "unknown key": "[pipeline]\nworkerz = 3",
    "wrong type": '[pipeline]\nworkers = "many"',
    "out of range": "[pipeline]\nworkers = 0",
    "unknown table": "[pipelines]\nworkers = 3",
    "scale": "[rating]\nminimum = 5\nmaximum = 1",
    "threshold": "[rating]\nlow_below = 9",
    "duration": '[daemon]\ngrace = "5 minuts"',
    "zone": '[reports.daily]\ntimezone = "Berlin"',
    "time": '[reports.daily]\nat = "25:00"',
    "channel of a report": '[reports.daily]\nchannel = "fax"\nto = ["boss@example.com"]',
    "templates": '[templates]\ndirectory = "nowhere"',
    "another ledger": '[store]\nurl = "sqlite:///other.db"',
    "limit of no plugin": "[limits.chad]\nper_day = 1",
    "table of no plugin": "[plugins.chad]\nx = 1",
    "providers": '[channels.chat]\nproviders = ["nobody"]',
    "required": '[plugins]\nrequired = ["nobody"]',
    "backoff": '[delivery]\nbackoff_initial = "1h"\nbackoff_maximum = "1s"',
    "poll": '[intake]\npoll_interval = "0s"',
    "password file": '[store]\npassword_file = "nowhere"',
}
QUIET = '\n[plugins]\ndisabled = ["email_notifier", "sms_notifier"]\n'


def _daemon(config: Path) -> Daemon:
    read = partial(load_settings, config, environ={})
    return Daemon(read(), read_settings=read)


def _write(config: Path, text: str) -> None:
    config.write_text(text + ("" if "[plugins]" in text else QUIET))


async def _rate(folder: Path, first: int, count: int) -> None:
    contacts = [
        Customer(id=f"c{number}", preferred_channels=("chat",)) for number in range(first, first + count)
    ]
    arrivals = [incoming(f"r{one.id}", customer=one.id, contact=one) for one in contacts]
    await add(folder / "feedback.db", arrivals, 1)


async def _said(caplog: pytest.LogCaptureFixture, message: str, count: int) -> None:
    await until(lambda: sum(one.message == message for one in caplog.records) >= count)


async def test_bad_settings_are_refused_and_good_ones_take_effect_under_load(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty of each, ratings coming in all the time: every customer is thanked exactly once."""
    config = business(tmp_path)
    one = _daemon(config)
    with caplog.at_level(logging.INFO):
        async with running(one):
            for number, (what, text) in enumerate(BAD.items(), 1):
                _write(config, text)
                one.reload()
                await _rate(tmp_path, number * 100, 30)
                await _said(caplog, "reload refused, all stays as it was", number)
                assert serving(one).settings.pipeline.workers == 64, what
            for number in range(1, 21):
                _write(config, f"[pipeline]\nworkers = {number}\n")
                one.reload()
                await _rate(tmp_path, 10_000 + number * 100, 30)
                await _said(caplog, "reloaded", number)
                assert serving(one).settings.pipeline.workers == number
            await until(lambda: len(sent(tmp_path)) >= 40 * 30)
    counted = Counter(sent(tmp_path))
    assert len(counted) == 40 * 30
    assert set(counted.values()) == {1}
    assert rows(tmp_path / "feedback.db", "SELECT DISTINCT state FROM message") == [("sent",)]
    refused = [one.__dict__["reason"] for one in caplog.records if "refused" in one.message]
    assert "config.toml: [pipeline] workerz: unknown key, did you mean 'workers'?" in refused[1]
    assert refused[12] == "[store] cannot be changed while the daemon runs; restart it"


async def test_a_changed_plugin_and_its_helper_are_read_again(tmp_path: Path) -> None:
    """The old one finishes what it was given, the new one gets the rest; a broken one is left out, as at a start."""
    config = business(tmp_path)
    plugin = tmp_path / "plugins" / "chat.py"
    one = _daemon(config)
    async with running(one):
        await _rate(tmp_path, 1, 5)
        await until(lambda: len(sent(tmp_path)) == 5)
        (tmp_path / "plugins" / "_words.py").write_text('BEFORE = "new:"\n')
        plugin.write_text(
            RECORDER.replace("from pathlib", "from . import _words\nfrom pathlib").replace(
                "log.write(message.id", "log.write(_words.BEFORE + message.id"
            )
        )
        before = serving(one)
        one.reload()
        await until(lambda: serving(one) is not before)
        await _rate(tmp_path, 100, 5)
        await until(lambda: len(sent(tmp_path)) == 10)
    assert [line.startswith("new:") for line in sent(tmp_path)] == [False] * 5 + [True] * 5


SLOW = RECORDER.replace(
    "        with LOG.open",
    '        await asyncio.sleep(float(os.environ.get("SLOW", "0")))\n        with LOG.open',
)


@pytest.mark.parametrize("grace", ["10s", "0s"])
async def test_what_is_being_sent_ends_before_the_next_service_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grace: str
) -> None:
    """Within the grace it is sent once; without any it is cut off, marked, and sent again: this channel resends."""
    monkeypatch.setenv("SLOW", "1.5")  # longer than a reload takes on a busy machine
    config = business(tmp_path, plugin=SLOW, config=f'[daemon]\ngrace = "{grace}"\n')
    one = _daemon(config)
    ledger = tmp_path / "feedback.db"
    async with running(one):
        await _rate(tmp_path, 1, 3)
        sending = "SELECT count(*) FROM message WHERE state = 'sending'"
        await until(lambda: rows(ledger, sending) == [(3,)])
        before = serving(one)
        one.reload()
        await until(lambda: serving(one) is not before)
        await until(lambda: len(set(sent(tmp_path))) == 3)
        await until(lambda: rows(ledger, "SELECT count(*) FROM message WHERE state = 'sent'") == [(3,)])
    marked = rows(ledger, "SELECT count(*) FROM message WHERE maybe_sent_at IS NOT NULL")
    assert marked == [(0 if grace == "10s" else 3,)]
    assert len(sent(tmp_path)) == 3


UNFIT = RECORDER.replace(
    "    async def send",
    """    async def open(self):
        if (Path(__file__).parent / "unfit").exists():
            raise OSError("no paper")

    async def close(self):
        with LOG.open("a") as log:
            log.write("closed\\n")

    async def send""",
)


async def test_a_channel_that_does_not_open_refuses_the_reload(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The old one goes on, and only the new one is closed."""
    config = business(tmp_path, plugin=UNFIT)
    one = _daemon(config)
    async with running(one):
        (tmp_path / "plugins" / "unfit").touch()
        one.reload()
        await _said(caplog, "reload refused, all stays as it was", 1)
        assert "no paper" in caplog.records[-1].__dict__["reason"]
        assert sent(tmp_path) == ["closed"]
        await _rate(tmp_path, 1, 1)
        await until(lambda: len(sent(tmp_path)) == 2)
    assert sent(tmp_path).count("closed") == 2


async def test_sighup_reloads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As operators do it."""
    one = _daemon(business(tmp_path))
    with caplog.at_level(logging.INFO):
        async with running(one):
            os.kill(os.getpid(), signal.SIGHUP)
            await _said(caplog, "reloaded", 1)


async def test_sigusr1_logs_the_state(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is in flight, and where each task waits; of customers nothing."""
    one = _daemon(business(tmp_path))
    with caplog.at_level(logging.INFO):
        async with running(one):
            await _rate(tmp_path, 1, 3)
            await until(lambda: len(sent(tmp_path)) == 3)
            os.kill(os.getpid(), signal.SIGUSR1)
            await _said(caplog, "task", 5)
    state = next(record.__dict__ for record in caplog.records if record.message == "state")
    assert state["in_flight"].keys() == {"pipeline", "delivery-chat"}
    assert state["down"] == {}
    tasks = {
        record.__dict__["task"]: record.__dict__["at"]
        for record in caplog.records
        if record.message == "task"
    }
    assert {"pipeline", "delivery-chat", "heartbeat", "chores"} <= tasks.keys()
    assert re.fullmatch(r"/.*\.py:\d+", tasks["pipeline"])


async def test_a_stop_in_the_middle_of_a_reload_ends(tmp_path: Path) -> None:
    """Nothing stays open."""
    one = _daemon(business(tmp_path))
    task: asyncio.Task[Any] = asyncio.create_task(one.run())
    await until(one.ready.is_set)
    one.reload()
    one.stop()
    await asyncio.wait_for(task, DEADLINE)
