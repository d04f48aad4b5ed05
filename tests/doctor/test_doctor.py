"""What `doctor` leaves alone, and what it does when something else fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedback_app.clock import now_ms
from feedback_app.doctor import machine
from feedback_app.doctor.findings import taken_apart
from tests.cli.conftest import Cli, Ledger
from tests.doctor.conftest import told_of
from tests.making import incoming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feedback_app.doctor import Finding, Patient


def _files(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


def test_a_fresh_installation_has_no_problem_and_stays_as_it_is(cli: Cli, folder: Path) -> None:
    """Nothing is made: no ledger, no mailbox, no file of text messages."""
    cli.ok("init")
    before = _files(folder)
    result = cli("doctor", "--json")
    assert result.code == 0
    assert {one["state"] for one in result.json} <= {"ok", "warning"}
    assert _files(folder) == before


def test_a_used_ledger_stays_as_it_is(cli: Cli, folder: Path, ledger: Ledger) -> None:
    """Byte for byte."""
    cli.ok("init")
    ledger.take_in(incoming())
    before = (folder / "feedback.db").read_bytes()
    assert cli("doctor", "--full", "--json").code == 1  # its entries are from 2027
    assert (folder / "feedback.db").read_bytes() == before


def test_people_see_problems_first(cli: Cli, folder: Path) -> None:
    """Each in a line with the mend below, the columns aligned; the sum is no data."""
    cli.ok("init")
    (folder / "plugins" / "chat.py").write_text("import nothing_of_that_name\n")
    result = cli("doctor")
    first, mend, *_, last = result.out.splitlines()
    assert first.startswith("problem      plugin chat  ")
    assert mend.index("→") == first.index("broken: ")
    assert last.startswith("ok           ")
    assert result.said[-1].startswith("1 problem, ")


@pytest.mark.parametrize("text", ["[delivery\n", "[plugins]\ndisabled = 7\n"])
def test_what_does_not_need_the_settings_is_looked_at_without_them(text: str, cli: Cli, folder: Path) -> None:
    """And what does is said to be left out."""
    (folder / "config.toml").write_text(text)
    result = cli("doctor", "--json")
    assert result.code == 1
    assert {one["about"] for one in result.json if one["state"] == "not checked"} == {
        "plugins",
        "ledger",
        "reports",
        "channels",
    }
    assert told_of(result.json, "versions")[0]["state"] == "ok"


def test_a_plugin_that_anybody_could_change_is_mended_by_its_mode(cli: Cli, folder: Path) -> None:
    """As the refusal says."""
    cli.ok("init")
    (folder / "plugins" / "chat.py").touch()
    (folder / "plugins").chmod(0o777)
    (said,) = told_of(cli("doctor", "--json").json, "plugin chat")
    assert said["found"].endswith("is world-writable, so that anybody on this machine could run code here")
    assert said["mend"] == f"chmod o-w {folder / 'plugins'}"


def test_what_is_odd_about_a_template_is_mended_in_its_file(cli: Cli, folder: Path) -> None:
    """What the line says besides is no mend; where the folder is missing, the setting is wrong."""
    (folder / "config.toml").touch(0o600)
    (folder / "templates").mkdir()
    (folder / "templates" / "thanks.subject.txt").write_text("Thank\nyou")
    (folder / "templates" / "thanks.de.txt").symlink_to("nothing")
    told = {one["found"]: one["mend"] for one in told_of(cli("doctor", "--json").json, "templates")}
    file = folder / "templates" / "thanks.de.txt"
    assert told["template thanks.de.txt: is not a file"].startswith(f"edit {file};")
    (odd,) = (mend for found, mend in told.items() if "a line break comes out of it; a subject is" in found)
    assert odd == f"mend or remove {folder / 'templates' / 'thanks.subject.txt'}"
    (folder / "config.toml").write_text('[templates]\ndirectory = "elsewhere"\n')
    (said,) = told_of(cli("doctor", "--json").json, "templates")
    assert said["mend"].startswith(f"edit {folder / 'config.toml'};")


def test_a_check_with_a_bug_hides_nothing_else(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named; its words, which may quote anything, are not."""

    def odd_thing(_patient: Patient) -> Iterator[Finding]:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(machine, "CHECKS", (odd_thing, *machine.CHECKS))
    result = cli("doctor", "--json")
    (said,) = told_of(result.json, "odd thing")
    assert (said["state"], said["found"].partition(" at ")[0]) == (
        "not checked",
        "a bug in the program: ZeroDivisionError",
    )
    assert "canary" not in result.out
    assert told_of(result.json, "versions")


def test_what_is_written_while_it_looks_is_not_in_the_future(
    cli: Cli, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look through a large ledger takes minutes; the daemon beside it goes on."""
    ledger.take_in(incoming(), now=now_ms())
    earlier = [now_ms() - 300_000]
    monkeypatch.setattr("feedback_app.cli.doctor.now_ms", lambda: earlier.pop() if earlier else now_ms())
    assert [one["state"] for one in told_of(cli("doctor", "--json").json, "clock")] == ["ok"]


@pytest.mark.parametrize(
    ("line", "found", "mend"),
    [
        ("a: b; run: chmod 600 x", "a: b", "chmod 600 x"),
        ("a: b; c; do this", "a: b; c", "do this"),
        ("a: b; known: c, d", "a: b; known: c, d", "else"),
        ("a: unknown key; tables are [b]", "a: unknown key; tables are [b]", "else"),
        ("a: b", "a: b", "else"),
    ],
)
def test_what_to_do_is_taken_from_the_end_of_a_line(line: str, found: str, mend: str) -> None:
    """Where the line says it."""
    assert taken_apart(line, "else") == (found, mend)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_as_a_user_who_may_read_nothing(cli: Cli, folder: Path) -> None:
    """It says whose rights are missing."""
    file = folder / "config.toml"
    file.write_text("")
    file.chmod(0o600)
    os.seteuid(65534)
    try:
        result = cli("doctor", "--json")
    finally:
        os.seteuid(0)
    assert result.code == 1
    (said,) = told_of(result.json, "settings")
    assert said["found"] == "config.toml: cannot be read: permission denied"
    assert said["mend"].startswith("give user 65534 the right to read it")
    assert told_of(result.json, "user")[0]["state"] == "ok"
