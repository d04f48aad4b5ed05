"""Whoever can write a plugin folder runs code as the daemon."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.plugin_host.conftest import info, names, notifier_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin_host.conftest import Place


@pytest.fixture
def console(place: Place) -> Path:
    """Put a plugin and a helper in place, fit to be loaded."""
    place.write("_helper.py", "")
    return place.write("console.py", notifier_file("console"))


@pytest.mark.parametrize(
    "part", ["", "plugins", "plugins/console.py", "plugins/_helper.py", "plugins/__pycache__"]
)
def test_what_everybody_can_write_is_refused(place: Place, console: Path, part: str) -> None:
    """The parent, the folder, the plugin, its helper and compiled code: each is enough to run code."""
    (console.parent / "__pycache__").mkdir(exist_ok=True)
    culprit = place.directory / part
    culprit.chmod(culprit.stat().st_mode | 0o002)

    host = place.load()

    reason = (
        f"{culprit} is world-writable, so that anybody on this machine could run code here; "
        f"run: chmod o-w {culprit}"
    )
    assert host.problems == (f"[plugins] directory: refused: {reason}",)
    assert info(host, "console").error == f"plugins/console.py: {reason}"
    assert "console" not in host.notifiers


def test_the_sticky_bit_excuses_a_parent(place: Place, console: Path) -> None:
    """As in /tmp, where nobody can replace what is another's."""
    place.directory.chmod(0o1777)

    assert place.load().problems == ()


def test_the_sticky_bit_does_not_excuse_the_folder(place: Place, console: Path) -> None:
    """Anybody could add a file to it."""
    console.parent.chmod(0o1777)

    assert len(place.load().problems) == 1


def test_a_link_to_the_folder_is_seen_through(place: Place, console: Path) -> None:
    """Where the files really are, counts too."""
    real = place.directory / "real"
    real.mkdir(mode=0o755)
    console.parent.rename(real / "plugins")
    (place.directory / "plugins").symlink_to(real / "plugins")
    assert place.load().problems == ()

    (real / "plugins").chmod(0o1777)
    assert len(place.load().problems) == 1
    (real / "plugins").chmod(0o755)
    real.chmod(0o777)
    assert len(place.load().problems) == 1


def test_what_a_group_can_write_is_warned_about_once(place: Place, console: Path) -> None:
    """Many systems make files so by default; the line says how to end it for all of them."""
    console.chmod(0o664)
    console.parent.chmod(0o775)

    host = place.load()

    [line] = host.warnings
    assert line == (
        f"[plugins] directory: {console.parent} (and 1 more) is group-writable, so that its group can run code "
        f"here; run: chmod g-w {console.parent} {console}"
    )
    assert (host.problems, info(host, "console").state) == ((), "active")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_warned_about(place: Place, console: Path) -> None:
    """Its owner can change it at will."""
    os.chown(console, 12345, -1)

    host = place.load()

    assert host.warnings == (
        f"[plugins] directory: {console} belongs to user 12345, who can so run code here; run: chown 0 {console}",
    )
    assert info(host, "console").state == "active"


def test_a_folder_from_which_nothing_is_loaded_is_not_judged(place: Place) -> None:
    """Continuous integration checks projects out below folders that everybody can write."""
    place.folder.mkdir()
    place.folder.chmod(0o777)

    host = place.load()

    assert (host.problems, host.warnings, names(host)) == ((), (), [])
