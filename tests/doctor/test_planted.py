"""Each planted fault is found and named, with what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.doctor import bad_far_sides, bad_installations, bad_ledgers

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

PLANTED = {**bad_installations.PLANTED, **bad_ledgers.PLANTED, **bad_far_sides.PLANTED}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found_with_its_mend(fault: str, cli: Cli, folder: Path) -> None:
    """And exactly problems make the exit code 1; no secret is told."""
    planted, state, words, mend = PLANTED[fault]
    cli.ok("init")
    with planted(folder):
        result = cli("doctor", "--json", "--full")
    about = [one for one in result.json if words.format(dir=folder) in one["found"]]
    assert [one["state"] for one in about] == [state], result.json
    assert mend.format(dir=folder) in about[0]["mend"]
    assert result.code == any(one["state"] == "problem" for one in result.json)
    assert "canary" not in result.out + result.err
