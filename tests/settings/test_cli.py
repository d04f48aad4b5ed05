"""`config check` and `config show`."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from feedback_app.cli.config import config
from feedback_app.errors import BadConfig
from feedback_app.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


class Root:
    """Stands where the root command stands, with a folder to look in."""

    def __init__(self, directory: Path, **environ: str) -> None:
        self.directory = directory
        self.environ = environ

    def settings(self) -> Settings:
        """Load the settings of the folder."""
        return load_settings(environ=self.environ, directory=self.directory)


def run(root: Root, *arguments: str) -> Result:
    """Run a subcommand; errors come out as they are."""
    return CliRunner().invoke(config, arguments, obj=root, catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_says_of_each_file_that_it_is_fit(folder: Path) -> None:
    """One line on stdout; warnings go to stderr."""
    (folder / "config.toml").write_text("[plugins.x]\npassword = 'hunter2'\n", encoding="utf-8")
    (folder / "config.toml").chmod(0o644)

    result = run(Root(folder), "check")

    assert result.stdout == "config.toml: ok\n"
    assert result.stderr.startswith("warning: config.toml: holds a secret (plugins.x.password)")
    assert result.exit_code == 0


def test_check_without_a_file_says_so(folder: Path) -> None:
    """Somebody may have expected a file to be found."""
    assert (
        run(Root(folder, HOME=str(folder)), "check").stdout
        == "no configuration file, the defaults hold: ok\n"
    )


def test_check_fails_on_a_bad_configuration(folder: Path) -> None:
    """The root command turns the error into lines and the exit code 78."""
    (folder / "config.toml").write_text("[delivery]\nworkers = 0\n", encoding="utf-8")

    with pytest.raises(BadConfig):
        run(Root(folder), "check")


def test_show_prints_toml_with_origins(folder: Path) -> None:
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
        """,
        encoding="utf-8",
    )
    root = Root(folder, FEEDBACK_APP_DELIVERY__WORKERS="8", FEEDBACK_APP_PLUGINS__MINE__PASSWORD="hunter2")

    shown = run(root, "show").stdout

    assert root.settings().redacted() == tomllib.loads(shown)
    assert "workers = 8  # FEEDBACK_APP_DELIVERY__WORKERS\n" in shown
    assert "max_attempts = 10  # default\n" in shown
    assert 'password = "***"  # FEEDBACK_APP_PLUGINS__MINE__PASSWORD\n' in shown
    assert 'url = "https://h"  # config.toml\n' in shown
    assert "hunter2" not in shown


def test_show_json_is_the_same_for_programs(folder: Path) -> None:
    """The whole of it, secrets hidden."""
    root = Root(folder, HOME=str(folder), FEEDBACK_APP_PLUGINS__MINE__PASSWORD="hunter2")

    result = run(root, "show", "--json")

    assert root.settings().redacted() == json.loads(result.stdout)
    assert "hunter2" not in result.stdout
