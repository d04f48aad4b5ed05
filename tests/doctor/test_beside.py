"""What `doctor` tells beside a daemon, of one that died, and of a ledger on a server."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from feedback_app.clock import now_ms
from feedback_app.store import daemons
from feedback_app.store.sqlite.lock import LedgerLock
from tests.cli.conftest import Cli, Ledger
from tests.doctor.conftest import told_of
from tests.running import business, daemon, running

if TYPE_CHECKING:
    from tests.postgres import Server


def test_a_daemon_that_died_without_a_word_is_not_the_one_that_runs(cli: Cli, ledger: Ledger) -> None:
    """What it found down and when its heart stopped says nothing of its successor."""
    begin = partial(daemons.register, host="shop")
    ledger.write(partial(begin, boot_id="dead", pid=4711, now=now_ms() - 3_600_000))
    down = {"chat": {"down_since": 1, "reason": "refused"}}
    beat = partial(daemons.heartbeat, boot_id="dead", channels=down, sources={})
    ledger.write(partial(beat, now=now_ms() - 1_800_000))
    lock = LedgerLock(ledger.path)
    assert lock.try_acquire("daemon")
    try:
        ledger.write(partial(begin, boot_id="new", pid=os.getpid(), now=now_ms()))
        found = cli("doctor", "--offline", "--json").json
        assert [one["pid"] for one in cli.ok("status", "--json").json["daemons"]] == [os.getpid()]
    finally:
        lock.release()
    assert [one["state"] for one in told_of(found, "daemon")] == ["ok"]
    assert told_of(found, "channel chat") == []


async def test_beside_a_daemon_it_tells_of_it_and_disturbs_nothing(folder: Path) -> None:
    """As a process of its own, while the daemon holds the ledger."""
    config = business(folder)
    async with running(daemon(config)):
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "feedback_app", "--config", str(config), "doctor", "--json"),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(program.communicate(), 60)
    findings = json.loads(out)
    assert program.returncode == 0
    (said,) = told_of(findings, "daemon")
    assert said["state"] == "ok"
    assert "runs, last heartbeat " in said["found"]
    assert [one["state"] for one in told_of(findings, "clock")] == ["ok"]


async def test_the_daemons_own_limit_counts(folder: Path) -> None:
    """Not the one of whoever asks."""
    (folder / "config.toml").write_text("[delivery]\nworkers = 1000\n")
    program = (sys.executable, "-m", "feedback_app")
    pipe = asyncio.subprocess.PIPE
    runs = await asyncio.create_subprocess_exec(*program, "run", stderr=pipe)
    try:
        assert runs.stderr is not None
        async with asyncio.timeout(60):
            while b'"ready"' not in await runs.stderr.readline():
                pass
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.prlimit(runs.pid, resource.RLIMIT_NOFILE, (300, hard))
        asks = await asyncio.create_subprocess_exec(*program, "doctor", "--json", stdout=pipe)
        out, _ = await asyncio.wait_for(asks.communicate(), 60)
    finally:
        runs.terminate()
        await runs.communicate()
    (said,) = told_of(json.loads(out), "open files")
    assert said["state"] == "warning"
    assert said["found"].startswith("the daemon's limit is 300; ")


def _on(url: str, folder: Path) -> None:
    (folder / "config.toml").write_text(f'[store]\nurl = "{url}"\n')


def test_on_postgresql(cli: Cli, folder: Path, postgres_url: str) -> None:
    """It asks the server for what it can tell."""
    _on(postgres_url, folder)
    result = cli("doctor", "--json")
    assert result.code == 0, result.out
    assert [one["state"] for one in told_of(result.json, "ledger")] == ["ok"]
    assert [one["state"] for one in told_of(result.json, "clock")] == ["ok"]
    assert told_of(result.json, "daemon")[0]["found"] == "none runs, and none ever did"
    assert told_of(result.json, "SQLite") == []


def test_on_postgresql_before_the_ledger_is_made(cli: Cli, folder: Path, postgres_server: Server) -> None:
    """The command that makes it is the mend."""
    url = postgres_server.new_database()
    try:
        _on(url, folder)
        result = cli("doctor", "--json")
    finally:
        postgres_server.drop(url)
    assert result.code == 1
    (said,) = told_of(result.json, "ledger")
    assert said["mend"] == "run `feedback-app db upgrade`"


def test_on_postgresql_that_is_away(cli: Cli, folder: Path) -> None:
    """It is a problem, and everything else is looked at."""
    _on("postgresql+psycopg://nobody@127.0.0.1:1/feedback", folder)
    result = cli("doctor", "--json")
    assert result.code == 1
    assert [one["state"] for one in told_of(result.json, "ledger")] == ["problem"]
    assert told_of(result.json, "plugin email_notifier")
