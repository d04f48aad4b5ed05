"""What `run --drain` says at its end."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli, Ledger
from tests.making import message
from tests.running import business


def test_what_waits_for_later_is_said_with_the_next_time(cli: Cli, ledger: Ledger, folder: Path) -> None:
    """Two channels have something for later; the sooner one is named."""
    business(folder)
    ledger.enqueue(message(1, channel="chat", customer=None), message(2, channel="fax", customer=None))
    ledger.write(
        lambda connection: (
            connection.exec_driver_sql("UPDATE message SET next_attempt_at = 3000000000000 + id * 60000")
            and None
        )
    )
    out = cli.ok("run", "--drain").out.splitlines()
    assert out[2:] == ["2 messages waiting for later, the next until 2065-01-24T05:21:00.000Z"]
