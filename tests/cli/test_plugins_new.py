"""`plugins new`: files and projects to start from, which pass their own tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

KINDS = ("notifier", "source", "analyser")


@pytest.mark.parametrize("name", ["Chat", "9chat", "../chat", "", "ch at", "x" * 64])
def test_a_bad_name_is_refused_in_a_line(folder: Path, cli: Cli, name: str) -> None:
    """And nothing is written."""
    result = cli("plugins", "new", name)
    assert (result.code, len(result.said)) == (2, 1)
    assert "cannot be a plugin's name" in result.err
    assert list(folder.iterdir()) == []


def test_what_is_there_is_not_overwritten(folder: Path, cli: Cli) -> None:
    """Neither a file nor a project."""
    cli.ok("plugins", "new", "chat")
    (folder / "plugins" / "chat.py").write_text("mine")
    result = cli("plugins", "new", "chat", "--with-test")
    assert result.code == 73
    assert f"{folder}/plugins/chat.py is there already and was not touched" in result.err
    assert (folder / "plugins" / "chat.py").read_text() == "mine"
    assert not (folder / "tests").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_the_test_of_a_new_file_passes(folder: Path, cli: Cli, kind: str) -> None:
    """Run by pytest as it stands there, names with a hyphen too."""
    cli.ok("plugins", "new", "my-own", "--kind", kind, "--with-test")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "tests"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_is_installed_and_passes_its_own_tests(folder: Path, cli: Cli, kind: str) -> None:
    """In a clean environment that sees this one's libraries, without an index."""
    wrote = cli.ok("plugins", "new", "chat", "--kind", kind, "--package", "projects").out
    prefix = {"notifier": "notify", "source": "source", "analyser": "analyse"}[kind]
    project = folder / "projects" / f"feedback-app-{prefix}-chat"
    assert f"wrote {Path('projects') / project.name / 'pyproject.toml'}" in wrote
    python = clean_environment(folder / "venv")
    run(python, "-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", str(project))
    listed = json.loads(run(python, "-m", "feedback_app", "plugins", "list", "--json", cwd=folder))
    (mine,) = [plugin for plugin in listed if plugin["name"] == "chat"]
    assert (mine["origin"], mine["version"]) == (project.name, "0.1.0")
    said = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", cwd=project)
    assert " passed" in said


def clean_environment(folder: Path) -> Path:
    """Make a virtual environment whose own site-packages are empty but for pip and a link to this one's."""
    run(Path(sys.executable), "-m", "venv", str(folder))
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "uninstall", "--yes", "setuptools")  # Python 3.11 brings one that is too old
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    here = sysconfig.get_path("purelib")
    (Path(site) / "these.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    return python


def run(python: Path, *arguments: str, cwd: Path | None = None) -> str:
    """Run a program that must succeed, with pip's ways to an index closed."""
    environ = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    ran = subprocess.run(
        [python, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
