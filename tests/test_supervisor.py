"""What systemd hears of the real program, and what it says of our unit file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_app.supervisor import Supervisor
from tests.running import DEADLINE, business

UNIT = Path(__file__).parents[1] / "packaging" / "feedback-app.service"


@pytest.fixture
def hearing(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen where systemd would."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(tmp_path / "notify"))
        ours.settimeout(DEADLINE)
        yield ours


def _heard(ours: socket.socket) -> dict[str, str]:
    """Return the fields of the next datagram."""
    return dict(line.split("=", 1) for line in ours.recv(4096).decode().splitlines())


def _until(ours: socket.socket, field: str) -> dict[str, str]:
    while field not in (heard := _heard(ours)):
        pass
    return heard


def test_a_daemon_tells_when_it_is_ready_reloads_and_stops(tmp_path: Path, hearing: socket.socket) -> None:
    """And that it lives, at each heartbeat."""
    config = business(tmp_path)
    environ = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    command = [sys.executable, "-m", "feedback_app", "--config", str(config), "run"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as program:
        try:
            assert _until(hearing, "READY")["STATUS"] == "0 ratings processed, 0 messages sent"
            program.send_signal(signal.SIGHUP)
            assert int(_until(hearing, "RELOADING")["MONOTONIC_USEC"]) > 0
            assert _until(hearing, "READY")["STATUS"] == "0 ratings processed, 0 messages sent"
            config.write_text("[pipeline")
            program.send_signal(signal.SIGHUP)
            _until(hearing, "RELOADING")
            assert _until(hearing, "READY")["STATUS"].startswith("reload refused; ")
            assert _until(hearing, "WATCHDOG")["STATUS"] == "0 ratings processed, 0 messages sent"
            program.send_signal(signal.SIGTERM)
            _until(hearing, "STOPPING")
            assert program.wait(DEADLINE) == 0
        finally:
            program.kill()


def test_an_abstract_socket_is_found() -> None:
    """As systemd names them in containers."""
    name = f"\0feedback-app-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(name)
        ours.settimeout(DEADLINE)
        Supervisor({"NOTIFY_SOCKET": f"@{name[1:]}"}).stopping()
        assert _heard(ours) == {"STOPPING": "1", "STATUS": "stopping"}


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/there"}])
def test_who_does_not_listen_costs_nothing(environ: dict[str, str]) -> None:
    """No error, no wait."""
    Supervisor(environ).alive("x")


def _need_systemd() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        reason = "systemd-analyze is not installed (apt-get install systemd)"
        if os.environ.get("FEEDBACK_APP_TEST_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """With a program where it is expected."""
    analyze = _need_systemd()
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/feedback_app/.venv/bin/feedback-app", sys.executable))
    said = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def test_the_unit_is_fenced_in() -> None:
    """Exposure as systemd reckons it: 0 is none, 10 all."""
    said = subprocess.run(
        [_need_systemd(), "security", "--offline=true", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", said.stdout)
    assert exposure is not None, said.stderr
    assert float(exposure[1]) <= 2.0


def test_the_unit_fits_the_program() -> None:
    """The codes after which a new start is useless, the time to stop, and the watchdog against the heartbeat."""
    unit = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"\w+=", line))
    assert unit["RestartPreventExitStatus"] == "77 78"
    assert unit["Type"] == "notify"
    assert unit["TimeoutStartSec"] == "infinity"  # an upgrade that is cut off begins anew
    assert int(unit["TimeoutStopSec"].removesuffix("s")) > 25 + 2  # grace, and a little
    assert int(unit["WatchdogSec"].removesuffix("s")) >= 3 * 10
