"""What `run --drain` says at its end."""

from __future__ import annotations

from pathlib import Path

from feedback_app.cli.context import iso
from feedback_app.clock import now_ms
from tests.cli.conftest import Cli, Ledger
from tests.making import message
from tests.running import business


def test_what_waits_for_later_is_said_with_the_next_time(cli: Cli, ledger: Ledger, folder: Path) -> None:
    """Two channels have something for later, within the longest back-off; the sooner one is named."""
    soon = now_ms() // 60_000 * 60_000 + 20 * 60_000
    business(folder)
    ledger.enqueue(message(1, channel="chat", customer=None), message(2, channel="fax", customer=None))
    ledger.write(
        lambda connection: (
            connection.exec_driver_sql("UPDATE message SET next_attempt_at = ? + id * 60000", (soon,))
            and None
        )
    )
    out = cli.ok("run", "--drain").out.splitlines()
    assert out[2:] == [f"2 messages waiting for later, the next until {iso(soon + 60_000)}"]
