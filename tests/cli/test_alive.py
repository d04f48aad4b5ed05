"""`status --check`: what a container's health check asks."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from pathlib import Path

import pytest

from feedback_app.clock import now_ms
from feedback_app.store import daemons, health
from tests.cli.conftest import Cli, Ledger
from tests.running import business, daemon, running


async def checked(cli: Cli) -> tuple[int, str]:
    """Run the command in a thread of its own: it has an event loop of its own."""
    result = await asyncio.to_thread(cli, "status", "--check")
    return result.code, result.err


async def test_a_daemon_is_alive_while_its_heartbeat_is_young(
    cli: Cli, folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is printed then; else one line says what is wrong."""
    config = business(folder)
    assert await checked(cli) == (1, "feedback-app: no daemon runs\n")
    async with running(daemon(config)):
        assert await checked(cli) == (0, "")
        later = partial(int, now_ms() + 71_000)
        monkeypatch.setattr("feedback_app.cli.alive.now_ms", later)
        code, said = await checked(cli)
        assert code == 1
        assert said.endswith(" s ago, at most 60 are well\n")
    assert await checked(cli) == (1, "feedback-app: no daemon runs\n")


async def test_of_several_daemons_the_one_on_this_machine_is_meant(
    cli: Cli, folder: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another container's heartbeat says nothing of ours; the server's clock counts."""
    config = business(folder, config=f'[store]\nurl = "{postgres_url}"\n')
    async with running(daemon(config)):
        monkeypatch.setattr("feedback_app.cli.alive.now_ms", lambda: 0)
        assert await checked(cli) == (0, "")
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
        assert await checked(cli) == (
            1,
            "feedback-app: no daemon runs on elsewhere yet: none has signed on\n",
        )


def test_who_has_signed_off_is_not_listened_to(ledger: Ledger) -> None:
    """Silence is that of the daemon that started last."""
    register = partial(daemons.register, host="here", pid=1)
    ledger.write(partial(register, boot_id="a", now=1_000))
    ledger.write(partial(register, boot_id="b", now=3_000))
    asked = partial(health.silence, host=None, now=5_000)
    assert ledger.write(asked) == 2_000
    ledger.write(partial(daemons.stopped, boot_id="b", now=4_000))
    assert ledger.write(asked) is None  # a died without a word: two cannot have run on one file
    assert ledger.write(partial(health.silence, host="there", now=5_000)) is None
