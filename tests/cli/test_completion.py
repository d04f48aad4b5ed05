"""Completion by Tab, as the shells themselves ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from feedback_app.cli.completing import SHELLS, SOURCES
from tests.cli.conftest import Cli
from tests.running import DEADLINE

CONFIG = """
[channels.chat]
providers = ["mine"]
[reports.weekly]
[plugins.folder]
name = "tills"
directory = "inbox"
"""

# What bash does when Tab is pressed: the words of the line are there, and the function fills COMPREPLY.
BASH = """
eval "$(feedback-app completion bash)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_feedback_app_completion feedback-app
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def business(tmp_path: Path) -> Path:
    """Make a folder with a configuration, a drop-in that must not be run, and a template."""
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "mine.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "thanks.chat.de.txt").write_text("Danke")
    return tmp_path


def asked(shell: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell in which our command is found."""
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        shell, cwd=folder, env=environ, capture_output=True, text=True, timeout=DEADLINE, check=False
    )


def by_bash(folder: Path, *words: str) -> list[str]:
    """Return what bash offers for the last word, having said nothing on the way."""
    said = asked(["bash", "--norc", "-c", BASH, "bash", "feedback-app", *words], folder)
    assert said.stderr == ""
    return [line for line in said.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("templ",), ["templates"]),
        (("low-ratings", "ex"), ["export"]),
        (("messages", "list", "--state", "s"), ["sending", "sent", "suppressed"]),
        (("messages", "list", "--chan"), ["--channel"]),
        (("notify", "test", ""), ["chat", "email", "sms"]),
        (("messages", "list", "--channel", "c"), ["chat"]),
        (("report", "build", ""), ["daily", "weekly"]),
        (("plugins", "test", "mi"), ["mine"]),
        (("plugins", "test", "email"), ["email_notifier"]),
        (("sources", "pause", ""), ["tills"]),
        (("templates", "preview", "thanks.ch"), ["thanks.chat", "thanks.chat.de.txt"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("--config", "other.toml", "report", "build", ""), []),
    ],
)
def test_bash_completes_what_the_configuration_holds(
    business: Path, words: tuple[str, ...], wanted: list[str]
) -> None:
    """Commands, options, states and names; no plugin is run and no ledger made."""
    assert by_bash(business, *words) == wanted
    assert sorted(one.name for one in business.iterdir()) == ["config.toml", "plugins", "templates"]


@pytest.mark.parametrize("config", ["[rating", "[nonsense]\n", "[plugins]\ndisabled = 7\n"])
def test_a_bad_configuration_says_nothing_in_the_prompt(business: Path, config: str) -> None:
    """Commands are completed all the same."""
    (business / "config.toml").write_text(config)
    assert by_bash(business, "report", "build", "x") == []
    assert by_bash(business, "templ") == ["templates"]


@pytest.mark.parametrize("question", ["bash_complete", "bash_frobnicate", "tcsh_complete"])
def test_what_goes_wrong_is_not_said(business: Path, question: str) -> None:
    """Here no shell has said which words there are."""
    said = asked(["env", f"_FEEDBACK_APP_COMPLETE={question}", "feedback-app"], business)
    assert (said.returncode, said.stdout, said.stderr) == (1, "", "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_completes(business: Path) -> None:
    """It is asked as fish asks itself."""
    script = "feedback-app completion fish | source; complete -C 'feedback-app templates preview thanks.ch'"
    said = asked(["fish", "--no-config", "-c", script], business)
    assert (said.stdout.split(), said.stderr) == (["thanks.chat", "thanks.chat.de.txt"], "")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_takes_the_script(business: Path) -> None:
    """It defines what zsh's completion calls."""
    script = 'autoload -U compinit; compinit -D; eval "$(feedback-app completion zsh)"; whence _feedback_app_completion'
    said = asked(["zsh", "-f", "-c", script], business)
    assert (said.stdout.strip(), said.stderr) == ("_feedback_app_completion", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script(cli: Cli, shell: str) -> None:
    """By the command that the documentation names."""
    assert "_FEEDBACK_APP_COMPLETE" in cli.ok("completion", shell).out


def test_another_shell_is_refused_with_those_there_are(cli: Cli) -> None:
    """One line."""
    said = cli("completion", "tcsh")
    assert said.code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'." in said.err


def test_every_shipped_source_is_known() -> None:
    """One that is added is completed too."""
    plugins = [one.load() for one in entry_points(group="feedback_app")]
    shipped = [one.__name__.rpartition(".")[2] for one in plugins if hasattr(one, "make_source")]
    assert sorted(shipped) == sorted(SOURCES)
