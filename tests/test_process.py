"""The program as a process of its own: signals, kills, exit codes, logs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedback_app.model import Customer
from tests.chatting import CHATTY, HANGING, SLOW
from tests.making import NOW, incoming
from tests.running import DEADLINE, RECORDER, add, business, rows, sent, until
from tests.servers import free_port

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the program; whatever still runs when the test ends is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(config: Path, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "feedback_app", "--config", str(config), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=config.parent,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def _wait_ready(process: subprocess.Popen[str]) -> list[str]:
    """Return the log lines up to the one that says ready."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if '"event": "ready"' in line:
            return lines
    raise AssertionError("".join(lines))


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_with_zero(tmp_path: Path, start: Start, which: signal.Signals) -> None:
    """The log is JSON, a line an event, and the lock is free afterwards."""
    process = start(business(tmp_path), "run")
    _wait_ready(process)
    process.send_signal(which)
    _, log = process.communicate(timeout=DEADLINE)
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert process.returncode == 0
    assert events == ["asked to stop; a second signal ends at once", "stopping"]


@pytest.mark.parametrize(("which", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_second_signal_ends_at_once_without_loss(
    tmp_path: Path, start: Start, which: signal.Signals, code: int
) -> None:
    """Though a send hangs; the next start delivers what was in flight, and no attempt was counted."""
    ledger = tmp_path / "feedback.db"
    config = business(tmp_path, plugin=HANGING, config='[daemon]\ngrace = "1h"\n')
    await add(ledger, [incoming("r1", contact=CHATTY)], NOW)
    process = start(config, "run")
    _wait_ready(process)
    await until(lambda: rows(ledger, "SELECT 1 FROM message WHERE state = 'sending'"))
    process.send_signal(which)
    assert process.stderr is not None
    assert "asked to stop" in process.stderr.readline()
    process.send_signal(which)
    assert process.wait(DEADLINE) == code

    business(tmp_path, plugin=RECORDER)
    again = start(config, "run", "--drain")
    out, _ = again.communicate(timeout=DEADLINE)
    assert again.returncode == 0
    assert out.startswith("processed 0 ratings, sent 1 message\n")
    assert sent(tmp_path) == [f"thanks.1.{_ledger_id(ledger)}"]
    assert rows(ledger, "SELECT attempts FROM message") == [(1,)]


@pytest.mark.parametrize(("which", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_second_signal_ends_also_a_program_whose_loop_is_blocked(
    tmp_path: Path, start: Start, which: signal.Signals, code: int
) -> None:
    """A plugin that never lets the event loop turn cannot keep the process."""
    stuck = RECORDER.replace(
        "        with LOG.open",
        "        import time\n        LOG.touch()\n        time.sleep(600)\n        with LOG.open",
    )
    await add(tmp_path / "feedback.db", [incoming("r1", contact=CHATTY)], NOW)
    process = start(business(tmp_path, plugin=stuck), "run")
    await until((tmp_path / "sent.log").exists)
    assert process.stderr is not None
    for line in process.stderr:
        if "the event loop is blocked" in line:
            break
    process.send_signal(which)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    process.send_signal(which)
    assert process.wait(DEADLINE) == code


def _ledger_id(ledger: Path) -> str:
    return str(rows(ledger, "SELECT value FROM meta WHERE key = 'ledger_id'")[0][0])


async def test_a_killed_daemon_loses_nothing_and_doubles_only_what_was_in_flight(
    tmp_path: Path, start: Start
) -> None:
    """SIGKILL in the middle of sending; the next start goes on, doubles carry the same id."""
    ledger = tmp_path / "feedback.db"
    config = business(tmp_path, plugin=SLOW, config="[delivery]\nworkers = 4\n")
    await add(ledger, [incoming(f"r{n}", rating=1 + n % 5, contact=CHATTY) for n in range(100)], NOW)
    process = start(config, "run")
    _wait_ready(process)
    await until(lambda: len(sent(tmp_path)) >= 8)
    process.kill()
    process.wait(DEADLINE)
    in_flight = rows(ledger, "SELECT count(*) FROM message WHERE state = 'sending'")[0][0]
    assert rows(ledger, "PRAGMA integrity_check") == [("ok",)]

    business(tmp_path, config="[delivery]\nworkers = 4\n")
    again = start(config, "run", "--drain")
    again.communicate(timeout=DEADLINE)
    assert again.returncode == 0
    delivered = sent(tmp_path)
    assert len(set(delivered)) == 60
    assert len(delivered) - 60 <= in_flight
    assert rows(ledger, "SELECT state, count(*) FROM message GROUP BY state") == [("sent", 60)]
    assert rows(ledger, "SELECT count(*) FROM low_rating") == [(40,)]
    marked = rows(ledger, "SELECT count(*) FROM message WHERE maybe_sent_at IS NOT NULL")[0][0]
    assert len(delivered) - 60 <= marked == in_flight


async def test_what_may_have_left_is_marked_by_whoever_recovers_it(tmp_path: Path, start: Start) -> None:
    """Killed in mid-send; the next start has lost the plugin of that channel. Mended, it sends again what is marked."""
    ledger = tmp_path / "feedback.db"
    config = business(tmp_path, plugin=SLOW, config="[delivery]\nworkers = 4\n")
    await add(ledger, [incoming(f"r{n}", contact=CHATTY) for n in range(20)], NOW)
    process = start(config, "run")
    _wait_ready(process)
    await until(lambda: len(sent(tmp_path)) >= 4)
    process.kill()
    process.wait(DEADLINE)
    in_flight = "SELECT id FROM message WHERE {} ORDER BY id"
    left = rows(ledger, in_flight.format("state = 'sending'"))
    assert left

    for plugin in ("raise ImportError", None):
        business(tmp_path, **({"plugin": plugin} if plugin else {}))
        again = start(config, "run", "--drain")
        again.communicate(timeout=DEADLINE)
        assert again.returncode == 0
        assert rows(ledger, in_flight.format("maybe_sent_at IS NOT NULL")) == left
    assert rows(ledger, "SELECT DISTINCT state FROM message") == [("sent",)]


def test_a_second_daemon_exits_with_75_and_names_the_first(tmp_path: Path, start: Start) -> None:
    """Busy, told in one line."""
    config = business(tmp_path)
    first = start(config, "run")
    _wait_ready(first)
    second = start(config, "run", "--drain")
    _, said = second.communicate(timeout=DEADLINE)
    assert second.returncode == 75
    assert f"feedback.db: a daemon with pid {first.pid} already runs on this ledger, since " in said
    assert "Traceback" not in said


def test_status_sees_the_daemon(tmp_path: Path, start: Start) -> None:
    """Its pid while it runs, and that it is gone afterwards; the counts have exactly their keys."""
    config = business(tmp_path)
    daemon = start(config, "run")
    _wait_ready(daemon)
    during = json.loads(start(config, "status", "--json").communicate(timeout=DEADLINE)[0])
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=DEADLINE)
    after = json.loads(start(config, "status", "--json").communicate(timeout=DEADLINE)[0])
    assert during["daemon"]["running"] is True
    assert during["daemon"]["pid"] == daemon.pid
    assert after["daemon"]["running"] is False
    assert set(after["feedback"]) == {"received", "processed", "dead"}
    assert set(after["low_ratings"]) == {"open", "acknowledged", "resolved"}
    assert set(after["messages"]) == {"queued", "sending", "sent", "held", "suppressed", "dead"}


def test_an_idle_daemon_uses_next_to_nothing(tmp_path: Path, start: Start) -> None:
    """No busy waiting: over two seconds of idling the CPU time stays far below what polling would take."""
    process = start(business(tmp_path), "run")
    _wait_ready(process)

    def ticks() -> int:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    # 4 ticks of 10 ms in 2 s are 2 %: room for a noisy machine, and a busy loop would use 200.
    assert ticks() - before <= 4


def test_output_into_a_closed_pipe_is_no_error(tmp_path: Path, start: Start) -> None:
    """`feedback-app … | head -1` ends quietly."""
    config = business(tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "feedback_app", "--config", str(config), "status"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_drain_says_which_channel_is_down(tmp_path: Path, start: Start) -> None:
    """The messages wait, no attempt is counted, and the exit code is 0: nothing more can be done now."""
    config = tmp_path / "config.toml"
    config.write_text(f"""
[plugins.email_notifier]
transport = "smtp"
host = "127.0.0.1"
port = {free_port()}
""")
    ada = Customer(id="c1", email="ada@example.com")
    await add(tmp_path / "feedback.db", [incoming(f"r{n}", contact=ada) for n in range(3)], NOW)
    process = start(config, "run", "--drain")
    out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert out.startswith(
        "processed 3 ratings, sent 0 messages\n"
        "0 low ratings open\n"
        "channel email is down, its messages wait: cannot connect to 127.0.0.1:"
    )
    assert "\n3 messages waiting for later, the next until " in out
    assert rows(tmp_path / "feedback.db", "SELECT state, attempts FROM message") == [("queued", 0)] * 3


def test_an_import_keeps_its_verdict_when_its_reader_leaves(tmp_path: Path) -> None:
    """`feedback-app feedback import bad.csv 2>&1 | head -0` still ends with 65, and the good row is in."""
    config = business(tmp_path)
    (tmp_path / "r.csv").write_text("rating\n5\n9\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "feedback_app", "--config", str(config), "feedback", "import", "r.csv"],
        stdout=writer,
        stderr=writer,
        cwd=tmp_path,
        check=False,
        timeout=DEADLINE,
    )
    os.close(writer)
    assert done.returncode == 65
    assert rows(tmp_path / "feedback.db", "SELECT count(*) FROM feedback") == [(1,)]
