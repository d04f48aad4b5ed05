"""The first minutes: `demo` and `init`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Cli
from tests.running import rows


def _demo(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "feedback_app", "demo"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_demo_takes_its_ratings_all_the_way_and_again_without_doubling(tmp_path: Path) -> None:
    """Thirty ratings, each at its end; mails, texts and the report are there; a second run adds no thank-you."""
    first, second = _demo(tmp_path), _demo(tmp_path)
    ledger = tmp_path / "feedback-demo" / "feedback.db"
    ended = dict(rows(ledger, "SELECT ended, count(*) FROM feedback GROUP BY ended"))
    assert [(one.returncode, one.stderr) for one in (first, second)] == [(0, ""), (0, "")]
    assert ended == {"thanked": 21, "low": 6, "no_channel": 1, "no_customer": 1, "unknown_customer": 1}
    assert "ratings.csv: 30 ratings accepted, 0 were known already\n" in first.stdout
    assert "ratings.csv: 0 ratings accepted, 30 were known already\n" in second.stdout
    assert "  30 ratings, average 3.77, 6 low (20.0%; low is below 3)\n" in first.stdout
    assert rows(ledger, "SELECT count(*), min(state), max(state) FROM message WHERE purpose = 'thanks'") == [
        (21, "sent", "sent")
    ]
    assert len((tmp_path / "feedback-demo" / "sms.jsonl").read_text().splitlines()) == 8


def test_no_environment_sends_the_demo_out_of_its_folder(tmp_path: Path) -> None:
    """Variables that would redirect a business's mails do not hold for the demo."""
    done = _demo(
        tmp_path,
        FEEDBACK_APP_PLUGINS__EMAIL_NOTIFIER__TRANSPORT="smtp",
        FEEDBACK_APP_PLUGINS__EMAIL_NOTIFIER__HOST="127.0.0.1",
    )
    assert done.returncode == 0
    assert len(list((tmp_path / "feedback-demo" / "mail" / "new").iterdir())) == 14


def test_the_demo_leaves_a_configuration_that_is_not_its_own_alone(cli: Cli, folder: Path) -> None:
    """It says so and how to go on; nothing of it runs."""
    (folder / "shop").mkdir()
    (folder / "shop" / "config.toml").write_text("[business]\nname = 'Mine'\n")
    result = cli("demo", "shop")
    assert result.code == 73
    assert "shop/config.toml is not the demo's own and was not touched" in result.err
    assert [one.name for one in (folder / "shop").iterdir()] == ["config.toml"]


def test_init_writes_what_is_fit_to_run_and_overwrites_nothing(cli: Cli, folder: Path) -> None:
    """The settings pass their own check; a second call keeps what was edited."""
    assert "wrote business/config.toml\n" in cli.ok("init", "business").out
    cli.ok("--config", "business/config.toml", "config", "check")
    (folder / "business" / "config.toml").write_text("# mine\n")
    assert cli.ok("init", "business").out == "everything is there already, nothing was written\n"
    assert (folder / "business" / "config.toml").read_text() == "# mine\n"
