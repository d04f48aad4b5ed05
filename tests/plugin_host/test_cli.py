"""`plugins list`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from feedback_app.cli.context import Program
from feedback_app.cli.plugins import plugins
from tests.plugin_host.conftest import notifier_file

if TYPE_CHECKING:
    from click.testing import Result

    from tests.plugin_host.conftest import Place


def run(*arguments: str) -> Result:
    """Run a subcommand in the working directory."""
    return CliRunner().invoke(plugins, arguments, obj=Program(), catch_exceptions=False)


@pytest.fixture
def folder(place: Place) -> Place:
    """Put a plugin that serves, a broken and a disabled one in place."""
    place.write("console.py", "print('loading')\n__version__ = '7'\n" + notifier_file("console"))
    place.write("bad.py", "import nothing_of_that_name")
    place.write("off.py", "")
    (place.directory / "config.toml").write_text("[plugins]\ndisabled = ['off']\nrequired = ['bad']\n")
    return place


def test_json_is_an_array_of_all_that_is_known(folder: Place) -> None:
    """What a plugin prints does not get in between, and a broken one is no failure of the listing."""
    result = run("list", "--json")

    listed = {plugin["name"]: plugin for plugin in json.loads(result.stdout)}
    assert listed["console"] == {
        "name": "console",
        "version": "7",
        "origin": "plugins/console.py",
        "hooks": ["make_notifier"],
        "channels": ["console"],
        "sources": [],
        "state": "active",
        "error": None,
    }
    assert (listed["bad"]["state"], listed["off"]["state"]) == ("broken", "disabled")
    assert result.exit_code == 0


def test_lines_for_people_and_for_cut(folder: Place) -> None:
    """Not on a terminal: a header and tab-separated cells."""
    lines = run("list").stdout.splitlines()

    assert lines[0].split("\t") == [
        "name",
        "state",
        "channels",
        "sources",
        "hooks",
        "version",
        "origin",
        "error",
    ]
    assert lines[1].split("\t") == [
        "bad",
        "broken",
        "",
        "",
        "",
        "",
        "plugins/bad.py",
        "plugins/bad.py:1: needs 'nothing_of_that_name', which is not installed here",
    ]


def test_what_would_fail_the_start_is_said_on_stderr(folder: Place) -> None:
    """Talk, not data."""
    [loading, problem] = run("list", "--json").stderr.splitlines()

    assert loading == "loading"
    assert problem == (
        "problem: config.toml: [plugins] required: the plugin 'bad' is broken: "
        "plugins/bad.py:1: needs 'nothing_of_that_name', which is not installed here"
    )
