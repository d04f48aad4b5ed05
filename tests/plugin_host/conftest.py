"""A folder with a configuration and plugin files, and distributions to install beside it."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from feedback_app.plugin_host import PluginHost, PluginInfo
from feedback_app.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHIPPED = (
    "feedback-app"  # its own entry points are there when the project is installed, and are not looked at
)
HEAD = "from feedback_app import Analyser, Message, Notifier, Receipt, hookimpl\n"  # line 1 of most cases


def notifier_file(channel: str, body: str = "") -> str:
    """Return a plugin file that serves a channel; `body` goes into its notifier."""
    return dedent(
        f"""\
        from feedback_app import Message, Notifier, Receipt, hookimpl

        class Mine(Notifier):
            channel = {channel!r}
            {body}
            async def send(self, message: Message) -> Receipt:
                return Receipt(detail=__name__)

        @hookimpl
        def make_notifier(settings):
            return Mine()
        """
    )


class Place:
    """Where a program is run: `config.toml`, `plugins/` and a folder of installed distributions."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.folder = directory / "plugins"
        self.site = directory / "site"
        self.site.mkdir(mode=0o755)

    def write(self, name: str, text: str) -> Path:
        """Write a file into the plugin folder."""
        self.folder.mkdir(mode=0o755, exist_ok=True)
        file = self.folder / name
        file.write_text(dedent(text), encoding="utf-8")
        file.chmod(0o644)
        return file

    def install(self, distribution: str, **modules: str) -> None:
        """Install a distribution with an entry point for each module, named alike."""
        for module, text in modules.items():
            (self.site / f"{module}.py").write_text(dedent(text), encoding="utf-8")
        self.install_points(distribution, **{module: module for module in modules})

    def install_points(self, distribution: str, **points: str) -> None:
        """Install a distribution of entry points alone."""
        info = self.site / f"{distribution.replace('-', '_')}-2.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.1\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[feedback_app]", *lines]))

    def load(self, config: str = "", **environ: str) -> PluginHost:
        """Load the plugins as `config` says."""
        (self.directory / "config.toml").write_text(dedent(config), encoding="utf-8")
        return PluginHost.load(load_settings("config.toml", environ=environ, directory=self.directory))

    def error(self, name: str, text: str, config: str = "") -> str | None:
        """Write one plugin file, load it and return what is wrong with it."""
        self.write(f"{name}.py", text)
        return info(self.load(config), name).error


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Make such a place; modules that were loaded from it are forgotten afterwards."""
    place = Place(tmp_path)
    monkeypatch.syspath_prepend(str(place.site))
    monkeypatch.chdir(tmp_path)
    yield place
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def info(host: PluginHost, name: str) -> PluginInfo:
    """Return what the host says of one plugin."""
    return next(plugin for plugin in host.plugins if plugin.name == name)


def mine(host: PluginHost) -> list[PluginInfo]:
    """Return the plugins that the test has made."""
    return [plugin for plugin in host.plugins if plugin.origin != SHIPPED]


def names(host: PluginHost) -> list[str]:
    """Return the names of the plugins that the test has made, in order."""
    return [plugin.name for plugin in mine(host)]
