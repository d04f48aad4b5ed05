"""A provider's limit through the whole daemon: what may not leave waits, over restarts, and says until when."""

from __future__ import annotations

from pathlib import Path

from feedback_app.model import Customer
from tests.cli.conftest import Cli
from tests.making import incoming
from tests.running import add, business, daemon, rows, sent


async def test_a_days_window_holds_over_restarts(folder: Path) -> None:
    """Of 1,500 messages exactly 1,000 leave, over three restarts; the others are queued, none lost an attempt."""
    config = business(folder, config="[limits.chat]\nper_day = 1000\n")
    contacts = [Customer(id=f"c{number}", preferred_channels=("chat",)) for number in range(1500)]
    arrivals = [incoming(f"r{number}", customer=one.id, contact=one) for number, one in enumerate(contacts)]
    for part in (arrivals[:300], arrivals[300:900], arrivals[900:1100], arrivals[1100:]):
        await add(folder / "feedback.db", part, 1)
        figures = await daemon(config).run(drain=True)
    assert len(sent(folder)) == len(set(sent(folder))) == 1000
    assert figures.limited["chat"]
    ledger = folder / "feedback.db"
    assert rows(ledger, "SELECT state, count(*), max(attempts) FROM message GROUP BY 1 ORDER BY 1") == [
        ("queued", 500, 0),
        ("sent", 1000, 1),
    ]


def test_a_drain_says_until_when_the_rest_waits(cli: Cli, folder: Path) -> None:
    """And leaves with 0: waiting for a limit is no failure."""
    business(folder, config="[limits.chat]\nper_day = 1\n")
    for number in (1, 2):
        cli.ok("customers", "add", "--id", f"c{number}", "--preferred-channel", "chat")
        cli.ok("feedback", "add", "--customer", f"c{number}", "--rating", "5")
    out = cli.ok("run", "--drain").out
    assert "channel chat has sent all that its limit allows until 2" in out
    assert "1 message waiting for later, the next until 2" in out


def test_a_limit_of_no_plugin_is_refused(cli: Cli, folder: Path) -> None:
    """One line, with what there is."""
    business(folder, config="[limits.chad]\nper_day = 1\n")
    said = cli("run", "--drain")
    assert said.code == 78
    assert "config.toml: [limits.chad]: there is no plugin 'chad', did you mean 'chat'?" in said.err
