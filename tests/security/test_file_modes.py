"""What holds customers' words is its owner's alone (S13), whatever the umask; who runs it as root is told (S14)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.running import business, daemon, running

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

CUSTOMERS = (
    "id,name,email,phone,preferred_channel\nc1,Anna,anna@example.com,,email\nc2,Bob,,+4915112345678,sms\n"
)
RATINGS = "id,customer,rating,comment\nr1,c1,5,fine\nr2,c2,4,good\nr3,c1,1,bad\nr4,c1,9,off the scale\n"


@pytest.fixture(autouse=True)
def _open_handed() -> Iterator[None]:
    """Run under the umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def _open_to_others(folder: Path) -> list[str]:
    """Return what others could read or write."""
    others = stat.S_IRWXG | stat.S_IRWXO
    files = [one for one in folder.rglob("*") if not one.is_dir()]
    return [f"{one.name} {one.stat().st_mode:o}" for one in files if one.stat().st_mode & others]


def test_every_file_that_a_command_makes_is_its_owners_alone(cli: Cli, folder: Path) -> None:
    """Configuration, ledger, mails, text messages, refused rows, exports, reports."""
    for name, text in (("customers.csv", CUSTOMERS), ("ratings.csv", RATINGS)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    cli.ok("init", "shop")
    place = ("--config", "shop/config.toml")
    cli.ok(*place, "customers", "import", "customers.csv")
    assert cli(*place, "feedback", "import", "ratings.csv", "--rejects", "rejects.csv").code == 65
    cli.ok(*place, "run", "--drain")
    cli.ok(*place, "low-ratings", "export", "-o", "low.csv")
    cli.ok(*place, "report", "build", "daily", "-o", "report.html", "--format", "html")
    made = {one.name for one in folder.rglob("*") if one.is_file()}
    assert {
        "config.toml",
        "feedback.db",
        "feedback.db-lock",
        "rejects.csv",
        "low.csv",
        "report.html",
        "sms.jsonl",
    } <= made
    assert any(name.endswith(".feedback-app") for name in made)
    assert _open_to_others(folder) == []
    assert [one for one in folder.rglob("*") if one.stat().st_mode & stat.S_IWOTH] == []


async def test_so_is_what_stands_beside_the_ledger_while_the_daemon_runs(tmp_path: Path) -> None:
    """SQLite gives its log the mode of the ledger; the lock and the bell are ours."""
    config = business(tmp_path)
    _close_plugins(tmp_path)
    async with running(daemon(config)):
        modes = _modes(tmp_path)
    assert modes == dict.fromkeys(
        ("feedback.db", "feedback.db-bell", "feedback.db-lock", "feedback.db-shm", "feedback.db-wal"), 0o600
    )


def _close_plugins(folder: Path) -> None:
    (folder / "plugins").chmod(0o755)
    (folder / "plugins" / "chat.py").chmod(0o644)


def _modes(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in sorted(folder.glob("feedback.db*"))}


@pytest.mark.parametrize("name", ["feedback.db-lock", "feedback.db-bell", ".low.csv.part", "mail/tmp/x"])
def test_a_link_that_somebody_laid_is_not_written_through(name: str, cli: Cli, folder: Path) -> None:
    """The names that the program chooses itself can be guessed in a shared folder."""
    victim = folder / "victim"
    victim.write_text("precious")
    name = name.replace(".part", f".{os.getpid()}.part").replace("/x", "/thanks.1.x.feedback-app")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(victim)

    cli("feedback", "add", "--rating", "5")
    cli("run", "--drain")
    cli("low-ratings", "export", "-o", "low.csv")

    assert victim.read_text() == "precious"


def test_a_report_that_is_written_again_stays_closed(cli: Cli, folder: Path) -> None:
    """An export takes the place of the old file, with its own mode."""
    (folder / "low.csv").write_text("old")
    (folder / "low.csv").chmod(0o666)

    cli.ok("low-ratings", "export", "-o", "low.csv")

    assert stat.S_IMODE((folder / "low.csv").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be root")
def test_root_is_told_and_not_refused(cli: Cli, folder: Path) -> None:
    """The first try in a container must work."""
    assert "running as root; a user of its own is safer" in cli.ok("run", "--drain").err
