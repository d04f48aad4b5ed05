"""`feedback replay`: what would be different today, and what of it is made true."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from feedback_app import replaying
from feedback_app.model import Customer
from feedback_app.store import ratings
from feedback_app.store.postgresql.ledger import PostgresLedger
from feedback_app.store.sqlite.ledger import SqliteLedger
from tests.cli.conftest import Cli
from tests.copies import SQLITE, ask
from tests.making import NOW, incoming
from tests.running import business, daemon, sent

DAY = ("--since", "2027-01-15", "--until", "2027-01-16")  # NOW's
ADA = Customer(id="c1", name="Ada", preferred_channels=("chat",))
MUTE = Customer(id="c2", name="Bo", preferred_channels=("pager",))  # whom nobody can reach

ANALYSER = """
from feedback_app import Analyser, hookimpl


class Length(Analyser):
    name = "length"

    async def analyse(self, feedback):
        {body}


@hookimpl
def make_analyser(settings):
    return Length()
"""


class Business:
    """A business whose daemon has processed everything once; the ledger is where `url` says."""

    def __init__(self, folder: Path, url: str, cli: Cli) -> None:
        self.folder = folder
        self.url = url
        self._cli = cli
        self.configure()

    def configure(self, more: str = "") -> Path:
        """Set what the config says beside the ledger's place."""
        return business(self.folder, config=f'[store]\nurl = "{self.url}"\n{more}')

    def take_in(self, *arrivals: Any) -> None:
        """Store ratings, all at once."""
        asyncio.run(self._take_in(arrivals))

    async def _take_in(self, arrivals: Any) -> None:
        place = self.url.removeprefix(SQLITE)
        ledger = PostgresLedger(self.url) if place == self.url else SqliteLedger(Path(place))
        async with ledger.open() as store:
            await store.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))

    def drain(self) -> None:
        """Let the daemon do what is due."""
        asyncio.run(daemon(self.folder / "config.toml").run(drain=True))

    def replay(self, *arguments: str) -> Any:
        """Replay the day and return what is printed for programs."""
        return self._cli.ok("feedback", "replay", *DAY, "--json", *arguments)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the ledger."""
        return ask(self.url, query)

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """Return what a replay could touch."""
        return [
            self.ask(f"SELECT * FROM {table} ORDER BY id") for table in ("feedback", "low_rating", "message")
        ]


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, folder: Path, cli: Cli) -> Business:
    """Return a business with five ratings, processed; one more waits and one is dead."""
    url = f"{SQLITE}{folder}/feedback.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    one = Business(folder, url, cli)
    one.take_in(
        incoming("five", rating=5, contact=ADA),
        incoming("three", rating=3),
        incoming("one", rating=1),
        incoming("mute", rating=5, customer="c2", contact=MUTE),
        incoming("old", rating=4, thank=False),
    )
    one.drain()
    one.take_in(incoming("waits"), incoming("dead"))
    one.ask("UPDATE feedback SET state = 'dead' WHERE external_id = 'dead'")
    return one


def _by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["external_id"]: row["differences"] for row in rows}


def test_the_same_rules_make_no_difference(shop: Business) -> None:
    """And so nothing is changed; what waits or is dead is counted."""
    before = shop.everything()
    result = shop.replay()
    assert result.json == []
    assert result.said[0] == (
        "ratings replayed 5: same 5, different 0, not processed 0; left alone, waiting or dead: 2"
    )
    assert shop.everything() == before


def test_a_dry_run_shows_and_changes_nothing(shop: Business) -> None:
    """A stricter rule, shown as what was and what would be."""
    before = shop.everything()
    shop.configure("[rating]\nlow_below = 4\n")
    result = shop.replay("--dry-run")
    (only,) = result.json
    assert (only["external_id"], only["differences"]["ended"]) == (
        "three",
        {"was": "thanked", "would_be": "low", "applies": True},
    )
    assert only["differences"]["text"]["would_be"] is None
    assert not only["differences"]["text"]["applies"]
    assert "would be changed: 1, new cases 1, new messages 0" in result.said
    assert "a dry run: nothing was changed" in result.said
    assert shop.everything() == before


def test_a_new_case_is_added_and_the_thank_you_stays(shop: Business) -> None:
    """What was sent was sent; the second time there is nothing left to change."""
    messages = shop.ask("SELECT * FROM message ORDER BY id")
    shop.configure("[rating]\nlow_below = 4\n")
    assert "changed: 1, new cases 1, new messages 0" in shop.replay().said
    assert shop.ask("SELECT count(*) FROM low_rating") == [(2,)]
    assert shop.ask("SELECT ended FROM feedback WHERE external_id = 'three'") == [("low",)]
    assert shop.ask("SELECT * FROM message ORDER BY id") == messages
    assert "changed: 0, new cases 0, new messages 0" in shop.replay().said


def test_a_case_is_never_removed(shop: Business) -> None:
    """A rule that would no longer keep it thanks the customer, who never was, and leaves the case."""
    shop.configure("[rating]\nlow_below = 1\n")
    result = shop.replay()
    fields = _by_id(result.json)["one"]
    assert fields["low_rating"] == {"was": True, "would_be": False, "applies": False}
    assert fields["channel"] == {"was": None, "would_be": "chat", "applies": True}
    assert shop.ask("SELECT state FROM low_rating") == [("open",)]
    shop.drain()
    assert len(sent(shop.folder)) == len(set(sent(shop.folder))) == 4  # with the one that waited
    assert "changed: 0, new cases 0, new messages 0" in shop.replay().said


def test_who_can_be_reached_now_is_thanked_once(shop: Business) -> None:
    """History is not, and nobody twice."""
    shop.ask("UPDATE customer SET preferred_channels = 'chat' WHERE id = 'c2'")
    assert list(_by_id(shop.replay().json)) == ["mute"]
    assert shop.replay().json == []
    shop.drain()
    assert len(sent(shop.folder)) == len(set(sent(shop.folder))) == 4


def test_who_was_thanked_stays_thanked(shop: Business) -> None:
    """Opting out later, or another template, changes nothing of it."""
    shop.ask("UPDATE customer SET opted_out_at = 1 WHERE id = 'c1'")
    before = shop.everything()
    result = shop.replay()
    assert _by_id(result.json)["five"]["ended"] == {
        "was": "thanked", "would_be": "opted_out", "applies": False,
    }  # fmt: skip
    assert result.said[-1] == "only shown: 2; a message is never changed or doubled, a case never removed"
    assert shop.everything() == before


def test_another_config_gives_rules_templates_and_plugins(shop: Business, cli: Cli) -> None:
    """The ledger stays the one of the main configuration."""
    other = shop.folder / "other"
    (other / "templates").mkdir(parents=True)
    (other / "templates" / "thanks.txt").write_text("Other words, {{ name }}.")
    business(other, config='[store]\nurl = "sqlite:///nothing.db"\n[rating]\nlow_below = 2\n')
    result = shop.replay("--dry-run", "--config", "other/config.toml")
    text = _by_id(result.json)["five"]["text"]
    assert (text["would_be"], text["applies"]) == ("Other words, Ada.\n", False)
    assert not (other / "nothing.db").exists()


def test_new_facts_are_kept_and_a_failing_analyser_takes_none_away(shop: Business) -> None:
    """The analysis is brought up to date for every rating; failures of today are not facts."""
    plugin = shop.folder / "plugins" / "length.py"
    plugin.write_text(ANALYSER.format(body='return {"characters": len(feedback.comment)}'))
    assert "changed: 5, new cases 0, new messages 0" in shop.replay().said
    assert shop.replay().json == []
    plugin.write_text(ANALYSER.format(body="raise ValueError"))
    assert shop.replay().json == []
    (analysis,) = shop.ask("SELECT analysis FROM feedback WHERE external_id = 'five'")[0]
    assert json.loads(analysis)["length"] == {"characters": 0}


def test_a_limit_ends_it_after_so_many_that_differ(shop: Business, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies behind is neither counted nor changed; pages make no difference."""
    monkeypatch.setattr(replaying, "_PAGE", 2)
    shop.configure("[rating]\nlow_below = 4.5\n")
    result = shop.replay("--limit", "1")
    assert [row["external_id"] for row in result.json] == ["three"]
    assert result.said[0].startswith("ratings replayed 2: same 1, different 1")
    assert [row["external_id"] for row in shop.replay().json] == ["three", "old"]


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        ("2027-01-15T08:00:00Z", "2027-01-15T08:00:01Z", 5),
        ("1800000000", "1800000001", 5),
        ("2027-01-15T09:00:00+01:00", "2027-01-15T08:00:00.001", 5),
        ("2027-01-15", "2027-01-15T08:00:00Z", 0),  # the end is not in it
        ("2027-01-15T08:00:00.001Z", "2028-01-01", 0),
    ],
)
def test_the_time_is_that_of_arrival(shop: Business, cli: Cli, since: str, until: str, count: int) -> None:
    """From the first moment to before the last one."""
    said = cli.ok("feedback", "replay", "--since", since, "--until", until).out
    assert (f"ratings replayed {count}:" in said) == (count > 0)
    assert ("no ratings arrived" in said) == (count == 0)


def test_people_get_a_line_for_each_rating_that_differs(shop: Business, cli: Cli) -> None:
    """Its number, where it ended and would end, and what differs."""
    shop.configure("[rating]\nlow_below = 4\n")
    first = cli.ok("feedback", "replay", *DAY, "--source", "test", "--dry-run").out.splitlines()[0]
    assert first == (
        "2\tthanked -> low\tended, low_rating, channel (only shown), recipient (only shown), "
        "subject (only shown), text (only shown)"
    )
    assert "no ratings" in cli.ok("feedback", "replay", *DAY, "--source", "else").out


def test_a_rating_that_the_pipeline_refuses_is_told(
    shop: Business, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on; the exit code says that not all was done."""
    plugin = shop.folder / "plugins" / "chat.py"
    plugin.write_text(plugin.read_text().replace(
        "    async def send", "    def address(self, customer):\n        raise KeyError\n\n    async def send"
    ))  # fmt: skip
    result = cli("feedback", "replay", *DAY, "--json")
    assert result.code == 1
    failed = [row["external_id"] for row in result.json if row["failure"]]
    assert failed == ["five", "three"]


def test_customers_stay_as_they_are(shop: Business) -> None:
    """A replay reads them and no more."""
    before = shop.ask("SELECT * FROM customer ORDER BY id")
    shop.configure("[rating]\nlow_below = 4\n")
    shop.replay()
    assert shop.ask("SELECT * FROM customer ORDER BY id") == before
