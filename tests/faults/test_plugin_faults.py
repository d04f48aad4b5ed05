"""Plugins that raise, hang, block, leak and lie, as real files in the real daemon, hurt only their own messages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys
import time
from pathlib import Path

import pytest

from feedback_app.concurrency.bounded import leaving_nothing
from feedback_app.errors import BadConfig
from feedback_app.intake.records import Incoming
from feedback_app.model import Customer
from tests.faults import plugins
from tests.faults.program import Program
from tests.making import NOW, incoming
from tests.running import DEADLINE, RECORDER, add, business, daemon, rows, running, sent, until

CHATTY = Customer(id="c1", name="Ada", preferred_channels=("chat",))
QUICK = Customer(id="c2", name="Bob", preferred_channels=("quick",))


def _thanks(count: int, contact: Customer = CHATTY) -> list[Incoming]:
    return [
        incoming(f"{contact.id}-{number}", customer=contact.id, contact=contact) for number in range(count)
    ]


def _sending(code: str, *, head: str = "") -> str:
    """Return the recorder with lines put at the beginning of its `send`."""
    body = "".join(f"        {line}\n" for line in code.splitlines())
    return RECORDER.replace("        with LOG.open", body + "        with LOG.open") + head


def test_a_share_of_the_plugin_faults() -> None:
    """The whole is `python -m tests.faults plugins`."""
    figures = plugins.run(20, 4)
    assert figures.broken == []


HOLDING = _sending(
    """\
global calls
calls += 1
if calls == 1:
    threading.Thread(target=time.sleep, args=(1000,), name="pump").start()
if calls == 2:
    asyncio.create_task(deaf())
if calls == 3:
    await asyncio.to_thread(time.sleep, 1000)
if calls <= 4:
    await deaf()
""",
    head="""
import threading
import time

calls = 0
Recorder.timeout = 0.2


async def deaf():
    while True:
        try:
            await asyncio.sleep(1000)
        except BaseException:
            pass
""",
)


async def test_nothing_that_a_plugin_leaves_behind_holds_the_process(tmp_path: Path) -> None:
    """Sends and tasks that swallow everything, a thread, an executor's thread: the others leave, SIGTERM ends it."""
    business(tmp_path, plugin=HOLDING, config='[daemon]\ngrace = "1s"\n')
    await add(tmp_path / "feedback.db", _thanks(30), NOW)
    program = await Program.start(tmp_path, "run")
    try:
        await program.ready()
        await until(lambda: len(sent(tmp_path)) == 26)
        await program.until("Abandoned")
        program.signal(signal.SIGTERM)
        begun = time.monotonic()
        assert await program.ended(DEADLINE) == 0
        assert time.monotonic() - begun < 6
    finally:
        program.signal(signal.SIGKILL)
    assert "not waiting for what a plugin left behind: thread pump, " in program.said
    assert "Traceback" not in program.said
    states = "SELECT state, count(*) FROM message GROUP BY state ORDER BY state"
    assert rows(tmp_path / "feedback.db", states) == [("queued", 4), ("sent", 26)]


WITH_OPEN = "    async def {method}(self):\n        {code}\n\n    async def send"


@pytest.mark.parametrize(
    "error",
    [
        "Exception",
        "SystemExit",
        "KeyboardInterrupt",
        "GeneratorExit",
        "asyncio.CancelledError",
        "BaseException",
    ],
)
async def test_whatever_opening_raises_fails_the_start_by_name(tmp_path: Path, error: str) -> None:
    """It neither ends the program nor passes for a wish of the user's."""
    plugin = RECORDER.replace("    async def send", WITH_OPEN.format(method="open", code=f"raise {error}"))
    with pytest.raises(BadConfig, match=r"plugin chat, channel chat' failed"):
        await asyncio.wait_for(daemon(business(tmp_path, plugin=plugin)).run(), DEADLINE)


@pytest.mark.parametrize("method", ["open", "close"])
async def test_a_plugin_that_swallows_its_end_while_it_opens_or_closes_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The start fails, the stop goes on."""
    monkeypatch.setattr("feedback_app.assembly._OPEN_LIMIT", 0.1)
    monkeypatch.setattr("feedback_app.assembly._CLOSE_LIMIT", 0.1)
    deaf = (
        "while True:\n            try:\n                await asyncio.sleep(1000)\n"
        "            except asyncio.CancelledError:\n                pass"
    )
    plugin = RECORDER.replace("    async def send", WITH_OPEN.format(method=method, code=deaf))
    one = daemon(business(tmp_path, plugin=plugin))
    if method == "open":
        with pytest.raises(BadConfig, match="plugin chat, channel chat"):
            await asyncio.wait_for(one.run(drain=True), DEADLINE)
    else:
        await asyncio.wait_for(one.run(drain=True), DEADLINE)


@pytest.mark.parametrize("site", ["open", "send"])
async def test_a_plugin_that_blocks_the_loop_is_named_within_a_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, site: str
) -> None:
    """Busy in a helper of its own; the line has the plugin, the task and the place."""
    spin = "\n\ndef _spin():\n    import time\n    LOG.with_name('begun').touch()\n    end = time.monotonic() + 1.1\n"
    spin += "    while time.monotonic() < end:\n        pass\n"
    plugin = RECORDER.replace("    async def send", WITH_OPEN.format(method="open", code="_spin()"))
    plugin = (plugin if site == "open" else _sending("_spin()")) + spin
    config = business(tmp_path, plugin=plugin)
    await add(tmp_path / "feedback.db", _thanks(1), NOW)
    with caplog.at_level(logging.ERROR):
        await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    record = next(one for one in caplog.records if one.message == "the event loop is blocked")
    assert record.__dict__["plugin"] == "chat"
    assert "chat.py:" in record.__dict__["at"]
    assert record.created - (tmp_path / "begun").stat().st_mtime < 1.0


FORGETFUL = _sending(
    "asyncio.create_task(stay())\nfiles.append(open(__file__))",
    head="""
files = []


async def stay():
    try:
        await asyncio.sleep(1000)
    finally:
        with LOG.with_name("ended.log").open("a") as log:
            log.write("ended\\n")


async def _close(self):
    for one in files:
        one.close()


Recorder.close = _close
""",
)


def test_what_a_thousand_sends_leave_behind_ends_with_the_daemon(tmp_path: Path) -> None:
    """Each leaves a task and an open file; the tasks end in order, and of the files those that `close` closes."""
    config = business(tmp_path, plugin=FORGETFUL)
    asyncio.run(add(tmp_path / "feedback.db", _thanks(1000), NOW))
    before = _open_files()
    figures = asyncio.run(leaving_nothing(daemon(config).run(drain=True)))
    assert figures.tries == {"sent": 1000}
    assert len((tmp_path / "ended.log").read_text().splitlines()) == 1000
    assert _open_files() <= before


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_plugin_that_fails_on_everything_is_suspended_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five messages pay with an attempt; `status` has the plugin and the place of its fault."""
    monkeypatch.setattr("feedback_app.presence._HEARTBEAT", 0.05)
    config = business(tmp_path, plugin=_sending("raise KeyError(message.recipient)"))
    (tmp_path / "plugins" / "quick.py").write_text(RECORDER.replace('"chat"', '"quick"'))
    await add(tmp_path / "feedback.db", [*_thanks(40), *_thanks(40, QUICK)], NOW)
    ledger = tmp_path / "feedback.db"
    async with running(daemon(config)):
        await until(lambda: len(sent(tmp_path)) == 40)
        reason = "SELECT channels ->> '$.chat.reason' FROM daemon"
        await until(lambda: rows(ledger, reason) != [(None,)])
        ((reason,),) = rows(ledger, reason)
    assert reason.startswith("suspended: 5 failures in a row of plugin chat: KeyError at /")
    assert "chat.py:" in reason
    assert rows(
        ledger, "SELECT sum(attempts), count(*) FROM message WHERE channel = 'chat' AND state = 'queued'"
    ) == [(5, 40)]


async def test_a_command_names_the_plugin_whose_import_blocks(tmp_path: Path) -> None:
    """After two seconds, on stderr, before the import is over; and a thread that it starts does not hold it."""
    plugin = (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), name='pump').start()\n"
    )
    config = business(tmp_path, plugin=f"{plugin}time.sleep(2.5)\nprint('talk')\n{RECORDER}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "feedback_app", "--config", str(config), "plugins", "list", "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, talk = await asyncio.wait_for(process.communicate(), DEADLINE)
        assert process.returncode == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert next(one["state"] for one in json.loads(out) if one["name"] == "chat") == "active"
    assert talk.decode().splitlines() == [
        "still loading plugin chat (plugins/chat.py)",
        "talk",
        "not waiting for what a plugin left behind: thread pump",
    ]
