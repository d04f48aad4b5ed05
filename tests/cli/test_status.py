"""`status --json`: the keys that monitors build on, each in the guide."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from feedback_app import __version__
from feedback_app.cli import run_command_line
from feedback_app.model import Customer
from tests.making import NOW, incoming
from tests.running import RECORDER, add, business, daemon, running, serving, until

GUIDE = Path(__file__).parents[2] / "docs" / "operations.md"
LIMITED = "[limits.chat]\nper_day = 100\n"
BACKED_UP = '[backup]\ndirectory = "copies"\n'
DOWN = RECORDER.replace(
    "        with LOG.open",
    "        from feedback_app import ChannelDown\n        raise ChannelDown('wrong password')\n        with LOG.open",
)
SOURCE = """
from feedback_app import Batch, Source, hookimpl

class Quiet(Source):
    name = "quiet"

    async def open(self, position): pass

    async def receive(self, limit):
        import asyncio
        await asyncio.sleep(0.2)
        return Batch()

    async def acknowledge(self, received): pass

    async def lag(self):
        return 3


@hookimpl
def make_source(settings):
    return Quiet()
"""
MAPS = ("channels", "sources", "limits", "reports", "providers_down")  # whose keys are names


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the place of each value: `channels.NAME.queued`."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            name = "NAME" if path.rpartition(".")[2] in MAPS else key
            yield from _paths(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _paths(value[0], f"{path}[]")
    else:
        yield path


def _status(config: Path, capsys: Any) -> dict[str, Any]:
    capsys.readouterr()
    assert run_command_line(["--config", str(config), "status", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


async def test_everything_that_a_monitor_needs_is_there_and_in_the_guide(tmp_path: Path, capsys: Any) -> None:
    """While a channel is down, a source waits and a limit is set."""
    config = business(tmp_path, plugin=DOWN, config=LIMITED + BACKED_UP)
    (tmp_path / "plugins" / "quiet.py").write_text(SOURCE)
    contact = Customer(id="c1", preferred_channels=("chat",))
    one = daemon(config)
    await add(tmp_path / "feedback.db", [incoming("r1", contact=contact), incoming("r2", rating=1)], NOW)
    async with running(one):
        await until(
            lambda: serving(one).dispatchers[0].reason and serving(one).sourcings[0].condition.lag == 3
        )
        await until(lambda: one._tally.heartbeat_at)  # which tells of both
        found = await asyncio.to_thread(_status, config, capsys)

    assert found["version"] == found["daemons"][0]["version"] == __version__
    assert found["config_files"] == [str(config)]
    assert found["storage"]["bytes"] > 0
    assert found["channels"]["chat"]["state"] == "down"
    assert found["channels"]["chat"]["reason"] == "wrong password"
    assert found["channels"]["chat"]["providers_down"]["chat"]["suspended"] is False
    assert found["limits"] == {"chat": {"per_second": None, "per_day": 100, "used": 1, "left": 99}}
    assert found["oldest_waiting_message_seconds"] >= 0
    assert found["sources"]["quiet"]["lag"] == 3
    assert found["backup"]["directory"] == str(tmp_path / "copies")
    assert found["feedback"].keys() == {"received", "processed", "dead"}
    assert found["low_ratings"].keys() == {"open", "acknowledged", "resolved"}
    assert found["messages"].keys() == {"queued", "sending", "sent", "held", "suppressed", "dead"}
    section = re.search(r"^## Status$.*?(?=^## |\Z)", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert section
    listed = re.findall(r"`([\w.\[\]]+)`", "".join(re.findall(r"^\| (.*?) \|", section[0], re.MULTILINE)))
    assert sorted(set(_paths(found))) == sorted(listed)


async def test_what_a_far_side_said_stays_in_its_line(tmp_path: Path, capsys: Any) -> None:
    """It moves no cursor and forges no line of the status."""
    config = business(tmp_path, plugin=DOWN.replace("wrong password", r"no\nledger        fine\x1b[2J"))
    one = daemon(config)
    contact = Customer(id="c1", preferred_channels=("chat",))
    await add(tmp_path / "feedback.db", [incoming("r1", contact=contact)], NOW)
    async with running(one):
        await until(lambda: serving(one).dispatchers[0].reason)
        before = one._tally.heartbeat_at
        await until(lambda: one._tally.heartbeat_at != before)  # that one tells of it
        capsys.readouterr()
        assert await asyncio.to_thread(run_command_line, ["--config", str(config), "status"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "no ledger        fine [2J" in line]
    assert all(line.isprintable() for line in said)
