"""No text becomes SQL (S18), and nothing but JSON, CSV and TOML is read (S19)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.making import incoming, message

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Ledger

PAYLOADS = [
    "' OR '1'='1",
    "'; DROP TABLE feedback; --",
    '" OR ""="',
    "x' UNION SELECT 1,2,3,4,5 FROM customer --",
    "%",
    "_",
    "? :id $1 @x",
    "1); DELETE FROM message; --",
]
FILTERS = (
    ("feedback", "list", "--customer"),
    ("feedback", "list", "--source"),
    ("feedback", "explain"),
    ("customers", "show"),
    ("customers", "opt-out"),
    ("low-ratings", "show"),
    ("low-ratings", "assign", "1"),
    ("messages", "list", "--channel"),
    ("messages", "show"),
    ("messages", "retry"),
    ("messages", "cancel"),
    ("report", "list"),
)
TABLES = ("feedback", "customer", "low_rating", "message", "meta")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_typed_is_only_ever_a_value(payload: str, cli: Cli, ledger: Ledger) -> None:
    """In each filter it finds nothing, in each field it is kept as it is, and the tables stay."""
    ledger.processed([incoming("r1", rating=1), incoming("r2", rating=2)])
    ledger.enqueue(message(1), message(2))
    before = _facts(ledger)

    for command in FILTERS:
        shown = cli(*command, payload)
        assert shown.code in {0, 1, 2, 65}, shown.err
        assert "umbrella" not in shown.out
        assert "bug in the program" not in shown.err
    assert _facts(ledger) == before

    fields = ("id", "customer", "item", "comment", "source", "name")
    cli.ok("feedback", "add", "--rating", "5", *(part for one in fields for part in (f"--{one}", payload)))
    columns = "external_id, customer_id, item, comment, source, name"
    kept = ledger.rows(f"SELECT {columns} FROM feedback JOIN customer ON customer.id = customer_id")
    assert kept == [(payload,) * len(fields)]
    assert len(cli.ok("feedback", "list", "--customer", payload, "--json").json) == 1


def _facts(ledger: Ledger) -> list[object]:
    """Return the schema and every row, but for who takes care of the low rating."""
    rows = [ledger.rows(f"SELECT * FROM {table}") for table in TABLES if table != "low_rating"]
    states = ledger.rows("SELECT id, state FROM low_rating")
    return [ledger.rows("SELECT sql FROM sqlite_master ORDER BY name"), rows, states]


def test_the_linter_looks_for_more() -> None:
    """SQL made of pieces, pickle, YAML, eval, shells: ruff's family S (bandit) holds for all of the product."""
    settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["tool"]["ruff"][
        "lint"
    ]

    assert "S" in settings["select"]
    assert [rule for rule in settings["ignore"] if rule.startswith("S") and rule[1].isdecimal()] == ["S101"]
    assert [place for place, rules in settings["per-file-ignores"].items() if "S" in rules] == [
        "tests/**",
        "benchmarks/**",
    ]
