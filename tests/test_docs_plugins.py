"""Every plugin in docs/plugins.md is loaded and used as it stands there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedback_app import Customer, Feedback, Message, Receipt, Section
from feedback_app.plugin_host import PluginHost
from feedback_app.report.sample import sample_day
from feedback_app.settings import load_settings
from feedback_app.testing import HttpAnswer, ReceivedRequest, RecordingHttpServer
from tests.cli.conftest import Cli, cli, folder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cli", "folder"]  # fixtures

DOCUMENT = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text("utf-8")
BLOCK = re.compile(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MESSAGE = Message(id="m-1", purpose="thanks", channel="any", recipient="ada", text="Thank you!")


def sections() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the chapters that show plugin files, with the files by their names."""
    for section in DOCUMENT.split("\n## ")[1:]:
        files = {name: f"# {name}\n{text}" for name, text in BLOCK.findall(section)}
        if any(name.startswith("plugins/") for name in files):
            yield section.partition("\n")[0], files


@pytest.fixture(params=[pytest.param(files, id=title) for title, files in sections()])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> PluginHost:
    """Write a chapter's files and load them."""
    return load(request.param, tmp_path)


def load(files: dict[str, str], directory: Path) -> PluginHost:
    """Write the files and load the plugins among them."""
    (directory / "plugins").mkdir(mode=0o755)
    for name, text in {"config.toml": "", **files}.items():
        (directory / name).write_text(text, encoding="utf-8")
    return PluginHost.load(load_settings("config.toml", environ={}, directory=directory))


def test_each_python_block_is_a_plugin_file() -> None:
    """So that none is left out of these tests."""
    blocks = DOCUMENT.count("\n```python\n") - DOCUMENT.count("\n```python\n# tests/")

    assert blocks == DOCUMENT.count("\n```python\n# plugins/")
    assert blocks == sum(name.startswith("plugins/") for _, files in sections() for name in files)


async def test_the_plugins_of_a_chapter_work(host: PluginHost) -> None:
    """They are loaded without a complaint, take a message and look at a rating."""
    mine = [plugin for plugin in host.plugins if plugin.origin.startswith("plugins/")]
    assert mine
    assert {plugin.state for plugin in mine} == {"active"}
    assert (host.problems, host.broken, host.warnings) == ((), (), ())
    for plugin in mine:
        for channel in plugin.channels:
            notifier = host.notifiers[channel][0].notifier
            assert notifier.address(Customer(id="ada", name="Ada")) in ("ada", "Ada")
            assert isinstance(await notifier.send(MESSAGE), Receipt)
    for _, analyser in host.analysers:
        assert json.dumps(dict(await analyser.analyse(Feedback(rating=1, comment="TOO loud"))))
    for hooked in host.later["add_report_section"]:
        if hooked.plugin in {plugin.name for plugin in mine}:
            assert [type(found) for found in hooked.call(figures=sample_day())] == [Section]


async def test_the_first_plugin_is_20_lines_and_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the heading promises."""
    title, files = next(sections())
    assert title == "A channel in 20 lines"
    assert len(files["plugins/console.py"].splitlines()) <= 20

    await load(files, tmp_path).notifiers["console"][0].notifier.send(MESSAGE)

    assert capsys.readouterr().out == "To ada: Thank you!\n"


async def test_the_logbook_stands_beside_the_configuration(tmp_path: Path) -> None:
    """A relative path of the plugin's settings starts there."""
    files = dict(sections())["Settings of a plugin"]

    await load(files, tmp_path).notifiers["logbook"][0].notifier.send(MESSAGE)

    line = json.loads((tmp_path / "logbook.jsonl").read_text("utf-8"))
    assert line == {"id": "m-1", "desk": "reception", "to": "ada", "text": "Thank you!"}


async def test_the_spool_goes_on_where_it_was(tmp_path: Path) -> None:
    """The position is where the next line begins; half a line is left for later."""
    files = dict(sections())["The contract of a source"]
    spool = tmp_path / "ratings.jsonl"
    spool.write_bytes(b'{"stars": 4}\n{"sta')
    ((_, source),) = load(files, tmp_path).sources
    await source.open(None)
    first = await source.receive(10)
    spool.write_bytes(b'{"stars": 4}\n{"stars": 1}\n')
    await source.open(first.position)
    second = await source.receive(10)
    assert [(one.id, one.payload) for one in (*first.received, *second.received)] == [
        ("0", b'{"stars": 4}\n'),
        ("13", b'{"stars": 1}\n'),
    ]
    assert dict(source.map) == {"rating": "stars"}


CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIFF = re.compile(r"^-(.*)\n\+(.*)$", re.MULTILINE)
TUTORIAL = DOCUMENT.split("\n## ")[1]


class Rooms(RecordingHttpServer):
    """The service of the tutorial."""

    def work(self, request: ReceivedRequest) -> HttpAnswer:
        """Take what has a room and a text."""
        told = json.loads(request.body)
        fits = request.path == "/rooms" and told.keys() == {"room", "markdown"}
        return HttpAnswer(status=201, body=b'{"number": 7}') if fits else HttpAnswer(status=400)


def test_the_tutorial_runs_as_it_stands_there(cli: Cli, folder: Path) -> None:
    """Each command prints what is shown, after the three lines were edited as shown."""
    assert TUTORIAL.startswith("From nothing to a thank-you\n")
    with Rooms() as service:
        here = TUTORIAL.replace("http://127.0.0.1:8025", service.url).replace("/srv/shop", str(folder))
        made, tested, thanked = CONSOLE.findall(here)
        play(cli, made)
        edit(folder / "plugins" / "chat.py", DIFF.findall(here))
        play(cli, tested)
        play(cli, thanked)
        assert json.loads(service.requests[-1].body)["room"] == "ada"


def edit(file: Path, lines: list[tuple[str, str]]) -> None:
    """Change lines of a file as the diff says."""
    assert len(lines) == 3
    text = file.read_text("utf-8")
    for before, after in lines:
        assert text.count(f"{before}\n") == 1, before
        text = text.replace(before, after)
    file.write_text(text, "utf-8")


def play(cli: Cli, block: str) -> None:
    """Run the commands of a block and compare all that they print."""
    for command, *shown in (part.splitlines() for part in block.split("$ feedback-app ")[1:]):
        ran = cli.ok(*command.split())
        # The daemon's log, and what is said of a slow machine.
        talk = [line for line in ran.said if not line.startswith(('{"event": ', "still loading plugin "))]
        assert [*ran.out.splitlines(), *talk] == shown


def test_the_test_of_the_first_plugin_passes(cli: Cli, folder: Path) -> None:
    """With the conftest.py that `--with-test` writes."""
    cli.ok("plugins", "new", "other", "--with-test")
    (folder / "tests" / "test_other.py").unlink()
    ((name, text),) = re.findall(r"^```python\n# (tests/\S+)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    (folder / name).write_text(text, "utf-8")
    first = dict(sections())["A channel in 20 lines"]["plugins/console.py"]
    (folder / "plugins" / "console.py").write_text(first, "utf-8")
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
