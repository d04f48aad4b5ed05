"""The daemon starts whole or says what is wrong: plugins, templates and settings at the door."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest

from feedback_app.daemon import Daemon
from feedback_app.errors import BadConfig, Busy
from feedback_app.model import Customer
from tests.chatting import NEVER_OPEN, chatters
from tests.making import NOW, incoming
from tests.running import DEADLINE, RECORDER, add, business, daemon, running, sent


async def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    """It names the pid of the first, which is not disturbed."""
    config = business(tmp_path)
    async with running(daemon(config)):
        with pytest.raises(Busy, match=f"a daemon with pid {os.getpid()}"):
            await daemon(config).run(drain=True)


async def test_a_plugin_that_exits_while_opening_fails_the_start_by_name(tmp_path: Path) -> None:
    """An exit of a plugin is a failure of the plugin, not a success of the program."""
    with pytest.raises(BadConfig, match="plugin chat, channel chat' failed: no"):
        await daemon(business(tmp_path, plugin=NEVER_OPEN)).run()


async def test_a_plugin_that_cannot_open_fails_the_start_by_name(tmp_path: Path) -> None:
    """Ready is told only when every part stands."""
    plugin = (
        RECORDER + "\n\nasync def _open(self):\n    raise OSError('no route')\n\n\nRecorder.open = _open\n"
    )
    one = daemon(business(tmp_path, plugin=plugin))
    with pytest.raises(BadConfig, match=r"plugin chat, channel chat.*no route"):
        await asyncio.wait_for(one.run(), DEADLINE)
    assert not one.ready.is_set()


async def test_a_bad_template_fails_the_start(tmp_path: Path) -> None:
    """Found at the door, not at the first rating."""
    config = business(tmp_path)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "thanks.txt").write_text("{{ nmae }}")
    with pytest.raises(BadConfig, match=r"thanks\.txt line 1: 'nmae' is undefined"):
        await daemon(config).run()


async def test_what_is_wrong_with_plugins_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken plugin, and a channel that customers prefer with nobody to serve it, are named; the others go on."""
    config = business(tmp_path)
    (tmp_path / "plugins" / "fax.py").write_text("import no_such_module_at_all\n")
    faxer = Customer(id="c2", preferred_channels=("fax",))
    await add(tmp_path / "feedback.db", [*chatters(1), incoming("f", customer="c2", contact=faxer)], NOW)
    with caplog.at_level(logging.WARNING):
        await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    said = {record.message: record.__dict__ for record in caplog.records}
    assert said["plugin left out"]["plugin"] == "fax"
    assert "needs 'no_such_module_at_all', which is not installed here" in said["plugin left out"]["reason"]
    assert said["customers prefer a channel that no plugin serves"]["channel"] == "fax"
    assert len(sent(tmp_path)) == 1


async def test_a_hook_that_refuses_its_settings_fails_the_start(tmp_path: Path) -> None:
    """So that ratings do not end as not thanked for want of a password file."""
    plugin = RECORDER.replace("    return Recorder()", "    raise ValueError('password_file: cannot read x')")
    with pytest.raises(BadConfig, match=r"\[plugins.chat\]: password_file: cannot read x"):
        await daemon(business(tmp_path, plugin=plugin)).run()


async def test_who_asked_is_told_once_when_every_part_stands(tmp_path: Path) -> None:
    """`on_ready` is called when `ready` is set."""
    seen: list[bool] = []
    one: Daemon = daemon(business(tmp_path), on_ready=lambda: seen.append(one.ready.is_set()))
    async with running(one):
        assert seen == [True]
