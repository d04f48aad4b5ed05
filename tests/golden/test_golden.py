"""Bad input gives the very words that were agreed on, the right exit code, and loses nothing good."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.golden.case import Case, load_cases
from tests.golden.running import Outcome, Ran, outcome
from tests.golden.update import rewritten

CASES = load_cases()
CANARIES = ("hunter2", "s3cr3t")  # what stands in every secret of the cases

_FEWEST = 300


def _params(*how: str) -> list[ParameterSet]:
    return [pytest.param(one, id=f"{one.file.stem}: {one.name}") for one in CASES if one.process in how]


def test_the_cases_are_many_and_their_names_unique() -> None:
    """A file that is not read, or a case that hides another, would pass unseen."""
    names = [case.name for case in CASES]

    assert len(names) >= _FEWEST
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("case", _params("here", "too"))
def test_bad_input_gets_the_agreed_answer(case: Case) -> None:
    """The exact lines and the exit code."""
    _check(case, outcome(case, process=False))


@pytest.mark.parametrize("case", _params("too", "only"))
def test_the_real_program_gives_the_same_answer(case: Case) -> None:
    """As a process of its own, with its own standard streams."""
    _check(case, outcome(case, process=True))


def test_an_update_writes_what_a_case_gives(tmp_path: Path) -> None:
    """The case is complete then, the others stay as they are, and the same again changes nothing."""
    other = '[[case]]\nname = "other"\nrun = []\nexit = 0\nstderr = "exit = 1"\n'
    new = '[[case]]\nname = "new"\nrun = []\nexit = 9\n\n[case.files]\n"a" = "x"\n\n[case.then]\nrun = []\n'
    ran = Ran(exit=65, stdout='"quoted"', stderr="two\nlines\n")
    got = Outcome(ran=ran, shown="tab\tand '''")

    document = rewritten(new + "\n" + other, "new", got)

    (tmp_path / "x.toml").write_text(document)
    first, second = load_cases(tmp_path)
    assert first.is_complete
    assert first.then is not None
    assert (first.exit, first.stdout, first.stderr) == (65, ran.stdout, ran.stderr)
    assert first.then.stdout == got.shown
    assert (second.exit, second.stderr) == (0, "exit = 1")
    assert rewritten(document, "new", got) == document


def _check(case: Case, got: Outcome) -> None:
    assert case.is_complete, f"no expected text: python -m tests.golden.update '{case.name}'"
    ran = got.ran
    assert (case.stderr, case.stdout, case.exit) == (ran.stderr, ran.stdout, ran.exit)
    if case.then is not None:
        assert case.then.stdout == got.shown
    everything = ran.stdout + ran.stderr
    assert "Traceback" not in everything
    assert [canary for canary in CANARIES if canary in everything] == []
    assert [line for line in ran.stderr.splitlines() if not line.isprintable()] == []
