"""`config check` and `config show`."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from feedback_app.cli.config import config
from feedback_app.cli.context import Program
from feedback_app.errors import BadConfig

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def run(*arguments: str) -> Result:
    """Run a subcommand; errors come out as they are."""
    return CliRunner().invoke(config, arguments, obj=Program(), catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder of one's own, with nothing configured anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def problems_of(text: str, folder: Path) -> tuple[str, ...]:
    """Return what `config check` refuses a configuration for."""
    (folder / "config.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadConfig) as refused:
        run("check")
    return refused.value.problems


def test_check_says_of_each_file_that_it_is_fit(folder: Path) -> None:
    """One line on stdout; warnings go to stderr, once."""
    (folder / "config.toml").write_text(
        "[plugins.email_notifier]\nusername = 'u'\npassword = 'hunter2'\n", encoding="utf-8"
    )
    (folder / "config.toml").chmod(0o644)

    result = run("check")

    assert result.stdout == "config.toml: ok\n"
    assert result.stderr.count("config.toml: holds a secret (plugins.email_notifier.password)") == 1
    assert result.exit_code == 0


def test_check_without_a_file_says_so(folder: Path) -> None:
    """Somebody may have expected a file to be found."""
    assert run("check").stdout == "no configuration file, the defaults hold: ok\n"


def test_check_makes_nothing(folder: Path) -> None:
    """Neither a ledger nor a folder for mails comes of looking."""
    run("check")

    assert list(folder.iterdir()) == []


def test_check_finds_the_faults_of_settings_plugins_templates_and_ledger_at_once(folder: Path) -> None:
    """A value that is refused does not hide what else is wrong; the root command ends with 78."""
    (folder / "plugins").mkdir(mode=0o755)
    (folder / "plugins" / "broken.py").write_text("import nowhere_to_be_found\n")
    (folder / "templates").mkdir()
    (folder / "templates" / "thanks.sms.txt").write_text("{{ nmae }}")
    (folder / "feedback.db").write_text("")

    problems = problems_of(
        "[rating]\nminimum = 9\n[delivery]\nworkers = 0\n[reports.daily]\nto = ['x@example.com']\nchannel = 'fax'\n",
        folder,
    )

    assert [line.removeprefix("config.toml: ").split(":")[0] for line in problems] == [
        "[rating] maximum",
        "[delivery] workers",
        "the plugin 'broken' is broken",
        "template thanks.sms.txt line 1",
        "[reports.daily] channel",
        f"{folder}/feedback.db",
    ]


@pytest.mark.parametrize("text", ["[plugins]\ndisabled = 'broken'\n", "[plugins]\ndisabled = ['broken'\n"])
def test_check_runs_no_plugin_when_it_is_not_known_which_are_disabled(folder: Path, text: str) -> None:
    """A plugin's code runs when it is loaded, so a disabled one must not be."""
    (folder / "plugins").mkdir(mode=0o755)
    (folder / "plugins" / "broken.py").write_text("open('ran', 'w')\n")

    problems = problems_of(text, folder)

    assert len(problems) == 1
    assert not (folder / "ran").exists()


def test_show_fails_on_a_bad_configuration(folder: Path) -> None:
    """The root command turns the error into lines and the exit code 78."""
    (folder / "config.toml").write_text("[delivery]\nworkers = 0\n", encoding="utf-8")

    with pytest.raises(BadConfig):
        run("show")


def test_show_prints_toml_with_origins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown can be read back, and says who set what."""
    (folder / "config.toml").write_text(
        r"""
        [business]
        name = 'Zoë "Z" \'
        [plugins.mine]
        'odd key' = [1.5, true, {a = 'x'}]
        note = "tab \t delete \u007f"
        url = 'https://h'
        [plugins.mine.deep]
        x = 1
        [plugins.empty]
        [channels.email]
        providers = ['mine']
        [limits.mine]
        per_second = 2.5
        """,
        encoding="utf-8",
    )
    monkeypatch.setenv("FEEDBACK_APP_DELIVERY__WORKERS", "8")
    monkeypatch.setenv("FEEDBACK_APP_PLUGINS__MINE__PASSWORD", "hunter2")

    shown = run("show").stdout

    assert Program().settings().redacted() == tomllib.loads(shown)
    assert "workers = 8  # FEEDBACK_APP_DELIVERY__WORKERS\n" in shown
    assert "max_attempts = 10  # default\n" in shown
    assert 'password = "***"  # FEEDBACK_APP_PLUGINS__MINE__PASSWORD\n' in shown
    assert 'url = "https://h"  # config.toml\n' in shown
    assert "hunter2" not in shown


def test_show_json_is_the_same_for_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of it, secrets hidden."""
    monkeypatch.setenv("FEEDBACK_APP_PLUGINS__MINE__PASSWORD", "hunter2")

    result = run("show", "--json")

    assert Program().settings().redacted() == json.loads(result.stdout)
    assert "hunter2" not in result.stdout
