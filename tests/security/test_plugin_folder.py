"""Whoever can write a plugin folder, or what stands above it, runs code as the daemon (S12): a matrix of modes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_app.plugin_host.permissions import judge
from tests.plugin_host.conftest import Place, info, names, notifier_file, place

__all__ = ["place"]  # the fixture

NOBODY, STRANGER = 65534, 12345
PARTS = {
    "grandparent": "a",
    "parent": "a/b",
    "folder": "a/b/plugins",
    "plugin": "a/b/plugins/mine.py",
    "helper": "a/b/plugins/_helper.py",
    "cache": "a/b/plugins/__pycache__",
    "compiled": "a/b/plugins/__pycache__/mine.cpython-311.pyc",
}
ABOVE = ("grandparent", "parent")

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@pytest.fixture(params=["as this user", pytest.param("as nobody", marks=only_root)])
def home(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Make a plugin folder below folders that are closed to others, and be the user who owns all of it."""
    home = Path(tempfile.mkdtemp(prefix="plugins-"))  # pytest's own folders are closed to nobody
    home.chmod(0o755)
    for part in PARTS.values():
        path = home / part
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if path.suffix:
            path.touch(0o644)
        path.parent.chmod(0o755)
    was = os.geteuid()
    if request.param == "as nobody":
        for one in (home, *home.rglob("*")):
            os.chown(one, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield home
    os.seteuid(was)
    shutil.rmtree(home)


def _judged(home: Path) -> tuple[str | None, tuple[str, ...]]:
    folder = home / PARTS["folder"]
    verdict = judge(folder, sorted(folder.glob("*.py")))
    return verdict.refusal, verdict.warnings


def test_what_only_its_owner_can_write_is_taken_without_a_word(home: Path) -> None:
    """The usual modes: 755 and 644."""
    assert _judged(home) == (None, ())


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("sticky", [False, True])
def test_what_everybody_can_write_is_refused_by_name(home: Path, part: str, sticky: bool) -> None:
    """Only above the folder does the sticky bit help, for there it keeps others from replacing what stands."""
    culprit = home / PARTS[part]
    culprit.chmod(culprit.stat().st_mode | 0o002 | (0o1000 if sticky else 0))

    refusal, warnings = _judged(home)

    if sticky and part in ABOVE:
        assert (refusal, warnings) == (None, ())
    else:
        assert refusal is not None
        assert refusal.startswith(f"{culprit} is world-writable")
        assert refusal.endswith(f"chmod o-w {culprit}")


@pytest.mark.parametrize("part", PARTS)
def test_what_a_group_can_write_is_warned_about(home: Path, part: str) -> None:
    """It is loaded, for on many systems each user has a group alone."""
    culprit = home / PARTS[part]
    culprit.chmod(culprit.stat().st_mode | 0o020)

    refusal, (warning,) = _judged(home)

    assert refusal is None
    assert warning.startswith(f"{culprit} is group-writable")


@only_root
@pytest.mark.parametrize("part", PARTS)
def test_what_belongs_to_a_stranger_is_warned_about(home: Path, part: str) -> None:
    """Owners can change what is theirs, and rename what stands in their folders."""
    culprit = home / PARTS[part]
    was = os.geteuid()
    os.seteuid(0)
    os.chown(culprit, STRANGER, -1)
    os.seteuid(was)

    refusal, (warning,) = _judged(home)

    assert refusal is None
    assert warning.startswith(f"{culprit} belongs to user {STRANGER}, who can so ")


@pytest.mark.parametrize("at", ["folder", "plugin"])
def test_a_link_is_judged_by_where_it_leads(home: Path, at: str) -> None:
    """The folder itself may be a link, as deployments make it; what it leads to must be as well guarded."""
    elsewhere = home / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    linked = home / PARTS[at]
    target = elsewhere / linked.name
    linked.rename(target)
    linked.symlink_to(target)
    assert _judged(home) == (None, ())

    elsewhere.chmod(0o777)

    refusal, _ = _judged(home)
    assert refusal is not None
    assert str(elsewhere) in refusal


def test_compiled_code_alone_is_not_loaded(place: Place) -> None:
    """Nobody can read what it does; Python itself would take it."""
    import py_compile

    source = place.write("mine.py", notifier_file("mine"))
    py_compile.compile(str(source))
    py_compile.compile(str(source), cfile=str(place.folder / "mine.pyc"))
    source.unlink()

    host = place.load()

    assert names(host) == []
    assert "mine" not in host.notifiers


def test_a_plugin_is_not_taken_from_another_folder(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from the working directory nor from PYTHONPATH, nor by a name with dots in it."""
    (place.directory / "stray.py").write_text(notifier_file("stray"))
    monkeypatch.syspath_prepend(str(place.directory))
    place.write("mine.py", notifier_file("mine"))
    place.write("..stray.py", notifier_file("dots"))

    host = place.load()

    assert names(host) == ["mine"]
    assert info(host, "mine").state == "active"
