"""The command itself: what goes wrong in a suite is found in its figures, and in the exit code."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults import __main__ as command
from tests.faults import suites
from tests.faults.program import Program, take_leaks
from tests.faults.suites import Part, Suite, run_part


@dataclass(kw_only=True)
class Figures:
    """Of a suite that finds nothing."""

    broken: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)


def _goes_well(_first_seed: int, _seeds: int) -> Figures:
    return Figures()


def _raises(_first_seed: int, _seeds: int) -> Figures:
    raise TimeoutError("messages are still queued")


def _leaks(_first_seed: int, _seeds: int) -> Figures:
    async def print_a_secret() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print('canary-token')", stdout=-1, stderr=-1
        )
        await Program(process, ["feedback", "list"]).ended()

    asyncio.run(print_a_secret())
    return Figures()


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int, int], Figures]], None]:
    """Register a suite named `one` that does this, run in this process."""

    def register(run: Callable[[int, int], Figures]) -> None:
        monkeypatch.setitem(suites.SUITES, "one", Suite("one", run, 2, 1))
        monkeypatch.setattr(command, "unwind_when_ended", lambda: None)
        monkeypatch.setattr(
            command, "_run_all", lambda parts, _jobs: [(part, run_part(part)) for part in parts]
        )

    return register


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (_raises, "seeds 1 to 1: TimeoutError: messages are still queued (test_suites.py, line"),
        (_leaks, "G12: feedback list printed canary-token"),
    ],
)
def test_what_is_raised_or_printed_is_broken(
    suite: Callable[[Callable[[int, int], Figures]], None],
    run: Callable[[int, int], Figures],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It stands in the state as done, so that no later start can pass over it; the exit code is 1."""
    suite(run)
    figures = tmp_path / "figures.json"
    code = command.main(["one", "--state", str(tmp_path / "state.json"), "--json", str(figures)])
    found = json.loads(figures.read_text())["one"]
    assert code == 1
    assert found["done"] == [0, 1]
    assert any(line.startswith(said) for line in found["broken"])
    assert f"BROKEN: {said}" in capsys.readouterr().out
    assert take_leaks() == []


def test_a_suite_that_finds_nothing_is_well(
    suite: Callable[[Callable[[int, int], Figures]], None], tmp_path: Path
) -> None:
    """Nothing broken, nothing leaked: 0."""
    suite(_goes_well)
    assert run_part(Part("one", 0, 1)) == {"broken": [], "slow": [], "leaks": 0}
    assert command.main(["one", "--state", str(tmp_path / "state.json")]) == 0
