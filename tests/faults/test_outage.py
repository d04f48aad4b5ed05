"""A mail server that is dead for an hour, in small; `python -m tests.faults outage` has 10,000 messages wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.outage import dead_for_an_hour


@pytest.mark.parametrize("answers", [False, True], ids=["refuses connections", "puts off each mail"])
async def test_a_mail_server_that_is_dead_for_an_hour_costs_a_few_lines(
    tmp_path: Path, answers: bool
) -> None:
    """And no message."""
    figures = await dead_for_an_hour(tmp_path, 500, answers=answers)

    assert figures.broken == []
    assert figures.arrived == 500
    if not answers:
        assert figures.said.count("channel down") == 1
        assert figures.said.count("channel still down") == 1
        assert figures.said.count("channel up again") == 1
        assert figures.probes < 40
