"""`customers`: add, import, list, show, opt out and in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Ledger

FULL = (
    "--id", "c1", "--name", "Ada", "--email", "Ada@EXAMPLE.org", "--phone", "+49 151 12345678",
    "--preferred-channel", "sms, email", "--locale", "de_at", "--timezone", "Europe/Vienna",
)  # fmt: skip


def test_an_added_customer_is_shown_as_the_intake_keeps_it(cli: Cli) -> None:
    """The rules are those of a file: addresses, numbers and tags in their one form."""
    assert cli.ok("customers", "add", *FULL).out == "added c1\n"

    shown = cli.ok("customers", "show", "c1", "--json").json
    times = [shown.pop("created_at"), shown.pop("updated_at")]
    assert shown == {
        "id": "c1",
        "name": "Ada",
        "email": "Ada@example.org",
        "phone": "+4915112345678",
        "preferred_channels": ["sms", "email"],
        "addresses": {},
        "locale": "de-AT",
        "timezone": "Europe/Vienna",
        "opted_out": False,
        "opted_out_at": None,
    }
    assert all(time.endswith("Z") for time in times)


def test_adding_again_updates_and_keeps_what_is_not_said(cli: Cli) -> None:
    """Blanks never overwrite what is known."""
    cli.ok("customers", "add", *FULL)

    assert cli.ok("customers", "add", "--id", "c1", "--name", "Ada L.", "--email", "").out == "updated c1\n"

    shown = cli.ok("customers", "show", "c1", "--json").json
    assert (shown["name"], shown["email"]) == ("Ada L.", "Ada@example.org")


def test_all_bad_values_are_said_at_once_and_nothing_is_stored(cli: Cli) -> None:
    """A person who types mends everything in one go; in a file such contact data is only left out."""
    result = cli(
        "customers", "add", "--id", "c1", "--email", "ada@", "--phone", "0151", "--timezone", "Vienna"
    )

    assert result.code == 65
    assert result.said == [
        "feedback-app: email must be one plain address such as ann@example.org",
        "feedback-app: phone must be E.164 such as +4915112345678, + and 7 to 15 digits",
        "feedback-app: timezone must be an IANA name such as Europe/Vienna",
    ]
    assert cli.ok("customers", "list", "--json").json == []


def test_a_blank_id_is_refused(cli: Cli) -> None:
    """A customer without an id could never be named by a rating."""
    result = cli("customers", "add", "--id", " ")

    assert (result.code, result.err) == (65, "feedback-app: id is missing\n")


def test_a_channel_that_nobody_serves_is_kept_with_a_warning(cli: Cli) -> None:
    """A plugin for it may be installed later."""
    result = cli.ok("customers", "add", "--id", "c1", "--preferred-channel", "fax,email")

    assert result.err == (
        "warning: no installed plugin serves the channel 'fax'; it is kept (there are: email, sms)\n"
    )
    assert cli.ok("customers", "show", "c1", "--json").json["preferred_channels"] == ["fax", "email"]


def test_importing_counts_new_and_updated_customers_and_refuses_those_without_an_id(
    cli: Cli, folder: Path
) -> None:
    """Bad contact data is left out with a warning, and the exit code tells of refused rows."""
    cli.ok("customers", "add", "--id", "c1")
    (folder / "c.csv").write_text("id,name,email,preferred_channel\nc1,Ada,,\nc2,Bob,bob@,pigeon\n,Eve,,\n")

    result = cli("customers", "import", "c.csv", "--json")

    assert result.code == 65
    assert result.json == {
        "accepted": 1, "updated": 1, "duplicates": 0, "conflicts": 0, "rejected": 1, "warnings": 1, "dry_run": False,
    }  # fmt: skip
    assert result.said == [
        "warning: c.csv:3: email must be one plain address such as ann@example.org; left out",
        "c.csv:4: id is missing",
        "use --rejects FILE to keep the refused rows",
        "warning: no installed plugin serves the channel 'pigeon'; it is kept (there are: email, sms)",
    ]


def test_the_summary_for_people_is_one_line(cli: Cli, folder: Path) -> None:
    """Without --json the same counts are words."""
    (folder / "c.csv").write_text("id,name\nc1,Ada\n")

    result = cli.ok("customers", "import", "c.csv")

    assert result.out == "c.csv: accepted 1, updated 0, duplicates 0, conflicts 0, rejected 0, warnings 0\n"
    assert result.err == ""


def test_customers_are_listed_by_id_and_who_opted_out_on_request(cli: Cli) -> None:
    """The list is the same for people, tab-separated where there is no terminal."""
    for name in ("c2", "c1", "c3"):
        cli.ok("customers", "add", "--id", name)
    cli.ok("customers", "opt-out", "c2")

    assert [one["id"] for one in cli.ok("customers", "list", "--json").json] == ["c1", "c2", "c3"]
    assert [one["id"] for one in cli.ok("customers", "list", "--json", "--opted-out").json] == ["c2"]
    assert [one["id"] for one in cli.ok("customers", "list", "--json", "--limit", "2").json] == ["c1", "c2"]
    assert cli.ok("customers", "list", "--opted-out").out.splitlines() == [
        "id\tname\temail\tphone\tchannels\tlocale\topted out",
        "c2\t\t\t\t\t\tyes",
    ]


def test_opting_out_twice_keeps_the_first_time(cli: Cli, ledger: Ledger) -> None:
    """The proof of when somebody said no is not rewritten."""
    cli.ok("customers", "add", "--id", "c1")
    cli.ok("customers", "opt-out", "c1")
    first = ledger.rows("SELECT opted_out_at FROM customer")

    assert cli.ok("customers", "opt-out", "c1").out == "opted out c1\n"

    assert ledger.rows("SELECT opted_out_at FROM customer") == first != [(None,)]


def test_opting_in_ends_it_and_twice_is_safe(cli: Cli) -> None:
    """Whoever never opted out is in already."""
    cli.ok("customers", "add", "--id", "c1")
    cli.ok("customers", "opt-out", "c1")

    for _ in range(2):
        assert cli.ok("customers", "opt-in", "c1").out == "opted in c1\n"
    assert cli.ok("customers", "show", "c1", "--json").json["opted_out"] is False


@pytest.mark.parametrize("verb", ["show", "opt-out", "opt-in"])
def test_a_customer_nobody_told_us_of_is_one_clear_line(cli: Cli, verb: str) -> None:
    """The exit code is 1 and the line says where to look."""
    result = cli("customers", verb, "nobody")

    assert (
        result.code,
        result.err,
    ) == (1, "feedback-app: no customer 'nobody'; `customers list` shows them\n")


def test_what_is_shown_cannot_move_the_cursor(cli: Cli, ledger: Ledger) -> None:
    """Names come from strangers; escape sequences in them stay out of the terminal."""
    cli.ok("customers", "add", "--id", "c1", "--name", "Ada")
    ledger.write(
        lambda connection: connection.exec_driver_sql("UPDATE customer SET name = 'A' || char(27) || '[2J'")
    )

    for verb in (("show", "c1"), ("list",)):
        assert "\x1b" not in cli.ok("customers", *verb).out
