"""Whether another process of this machine is gone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from feedback_app import kin


def test_this_process_is_there() -> None:
    """It tells itself from any other."""
    assert kin.identity()["pid"]
    assert not kin.is_gone(kin.identity())


def test_a_process_that_has_ended_is_gone() -> None:
    """Even while it waits to be reaped, and even when its pid is used again."""
    code = "import json; from feedback_app import kin; print(json.dumps(kin.identity()), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    import json

    told = json.loads(child.stdout.readline())
    assert not kin.is_gone(told)
    assert kin.is_gone({**told, "started": told["started"] - 1})
    child.communicate("\n")
    assert kin.is_gone(told)


@pytest.mark.parametrize(
    "process",
    [{}, {"pid": 1}, {**kin.identity(), "boot": "another", "pid": 0}, {**kin.identity(), "pids": "x"}],
)
def test_of_another_machine_nothing_is_known(process: dict[str, object]) -> None:
    """Another boot, another pid namespace, or nothing told: then only the lease tells."""
    assert not kin.is_gone(process)


def test_a_process_that_proc_hides_is_not_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounted with hidepid, or under systemd's ProtectProc, /proc does not show other users' processes."""

    def not_permitted(_pid: int, _signal: int) -> None:
        raise PermissionError

    def not_there(_pid: int, _signal: int) -> None:
        raise ProcessLookupError

    other = {**kin.identity(), "started": 1}
    monkeypatch.setattr(kin, "_start_time", lambda _pid: None)
    monkeypatch.setattr("os.kill", not_permitted)
    assert not kin.is_gone(other)
    monkeypatch.setattr("os.kill", not_there)
    assert kin.is_gone(other)
