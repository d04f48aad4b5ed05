"""What is named as a file is one (S28): nothing waits at a pipe for ever, reads a device or overwrites a folder."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Result

KINDS = ("pipe", "socket", "device", "zeros", "folder", "link to a pipe", "link to itself", "link to nowhere")
READERS = {
    "ratings": ("feedback", "import", "{}"),
    "customers": ("customers", "import", "{}"),
    "configuration": ("--config", "{}", "config", "check"),
}
WRITERS = {
    "export": ("low-ratings", "export", "-o", "{}"),
    "refused rows": ("feedback", "import", "r.csv", "--rejects", "{}"),
}


CONFIGURED = {
    "ledger": '[store]\nurl = "sqlite:///{}"\n',
    "password_file": (
        '[plugins.email_notifier]\ntransport = "smtp"\nhost = "localhost"\nusername = "a"\npassword_file = "{}"\n'
    ),
}


def _make(path: Path, kind: str) -> Path:
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with closing(socket.socket(socket.AF_UNIX)) as one:
                one.bind(path.name)  # in the working directory, for such names must be short
        case "device":
            return Path("/dev/null")
        case "zeros":
            return Path("/dev/zero")
        case "folder":
            path.mkdir()
        case "link to a pipe":
            os.mkfifo(path.with_suffix(".pipe"))
            path.symlink_to(path.with_suffix(".pipe"))
        case "link to itself":
            path.symlink_to(path)
        case "link to nowhere":
            path.symlink_to("nowhere")
    return path


def _refused(cli: Cli, arguments: tuple[str, ...], place: Path) -> Result:
    result = cli(*(part.format(place) for part in arguments))
    assert result.code in {1, 2, 65, 73, 78}
    assert str(place) in result.err
    assert "Traceback" not in result.err
    assert "bug" not in result.err
    return result


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_only_files_are_read(reader: str, kind: str, cli: Cli, folder: Path) -> None:
    """Refused at once, by name."""
    _refused(cli, READERS[reader], _make(folder / "x", kind))


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "link to a pipe"])
@pytest.mark.parametrize("writer", WRITERS)
def test_only_files_are_written(writer: str, kind: str, cli: Cli, folder: Path) -> None:
    """The special file stays what it is."""
    (folder / "r.csv").write_text("id,rating\nr1,9\n")
    place = _make(folder / "x", kind)
    before = place.lstat()

    _refused(cli, WRITERS[writer], place)

    assert (before.st_ino, before.st_mode) == (place.lstat().st_ino, place.lstat().st_mode)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to a pipe", "link to nowhere"])
@pytest.mark.parametrize("what", ["password_file", "template", "plugin", "ledger"])
def test_what_the_configuration_names_is_a_file_too(what: str, kind: str, cli: Cli, folder: Path) -> None:
    """A check that waited for somebody to write into a pipe would wait for ever."""
    (folder / "templates").mkdir()
    (folder / "plugins").mkdir(mode=0o755)
    places = {"template": "templates/thanks.txt", "plugin": "plugins/mine.py"}
    place = _make(folder / places.get(what, "x"), kind)
    if place.parent == Path("/dev") and what in places:
        (folder / places[what]).symlink_to(place)
    (folder / "config.toml").write_text(CONFIGURED.get(what, "").format(place))

    checked = cli("config", "check")

    assert checked.code == 78
    assert "Traceback" not in checked.err
    assert (places.get(what) or str(place)).rpartition("/")[2] in checked.err
