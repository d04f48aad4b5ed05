"""Each plugin gets its own table of the configuration, checked by its own model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from feedback_app.plugin_host import PluginHost
from feedback_app.settings import load_settings
from tests.plugin_host.conftest import info

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place

WITHOUT_MODEL = """
from feedback_app import Message, Notifier, Receipt, hookimpl

class Mine(Notifier):
    channel = "console"

    def __init__(self, settings):
        self.settings = settings

    async def send(self, message: Message) -> Receipt:
        return Receipt()

@hookimpl
def make_notifier(settings):
    return Mine(settings)
"""

WITH_MODEL = (
    """
from pathlib import Path
from pydantic import BaseModel, Field, SecretStr, field_validator

class Inner(BaseModel):
    file: Path = Path("inner.txt")

class Settings(BaseModel):
    host: str
    port: int = Field(default=25, ge=1, le=65535)
    password: SecretStr | None = None
    pin: SecretStr | None = None
    file: Path = Path("mine.txt")
    files: list[Path] = []
    inner: Inner = Inner()
    places: dict[str, Inner] = {}

    @field_validator("host")
    @classmethod
    def _is_known(cls, value):
        if value == "crash":
            raise RuntimeError("a bug in a model")
        return value
"""
    + WITHOUT_MODEL
)


def settings_of(host: PluginHost, channel: str = "console") -> Any:
    """Return what the plugin was handed."""
    [provider] = host.notifiers[channel]
    return vars(provider.notifier)["settings"]


def test_without_a_model_the_table_has_attributes(place: Place) -> None:
    """As the plainest plugin wants it; tables in tables too."""
    place.write("mine.py", WITHOUT_MODEL)

    settings = settings_of(place.load("[plugins.mine]\nhost = 'a'\n[plugins.mine.deep]\nlist = [1, 2]"))

    assert settings.host == "a"
    assert settings.deep.list == [1, 2]


def test_without_a_table_there_are_no_attributes(place: Place) -> None:
    """The plugin says what its defaults are."""
    place.write("mine.py", WITHOUT_MODEL)

    assert vars(settings_of(place.load())) == {}


def test_a_plugin_is_handed_no_other_table(place: Place) -> None:
    """Its own is a copy, so that it cannot change what others read."""
    place.write(
        "mine.py", WITHOUT_MODEL.replace("    return Mine", "    settings.list.append(3)\n    return Mine")
    )
    place.write("other.py", WITHOUT_MODEL.replace("console", "other"))
    config = "[plugins.mine]\nlist = []\n[plugins.other]\npassword = 'hunter2'"
    (place.directory / "config.toml").write_text(config)
    settings = load_settings("config.toml", environ={}, directory=place.directory)

    host = PluginHost.load(settings)

    assert vars(settings_of(host)) == {"list": [3]}
    assert vars(settings_of(host, "other")) == {"password": "hunter2"}
    assert settings.plugins.tables["mine"] == {"list": []}


def test_the_model_checks_and_gives_defaults(place: Place) -> None:
    """The hook gets an instance of it."""
    place.write("mine.py", WITH_MODEL)

    settings = settings_of(place.load("[plugins.mine]\nhost = 'a'\npassword = 'hunter2'"))

    assert (settings.host, settings.port) == ("a", 25)
    assert settings.password.get_secret_value() == "hunter2"


def test_relative_paths_start_at_the_configuration(place: Place) -> None:
    """Defaults as well, in lists, in tables and in tables of tables; absolute ones stay."""
    place.write("mine.py", WITH_MODEL)
    config = "[plugins.mine]\nhost = 'a'\nfiles = ['x', '/y']\nplaces.home.file = 'z'"

    settings = settings_of(place.load(config))

    here = place.directory
    assert settings.file == here / "mine.txt"
    assert settings.inner.file == here / "inner.txt"
    assert settings.files == [here / "x", Path("/y")]
    assert settings.places["home"].file == here / "z"


def test_all_errors_are_said_at_once_in_the_words_of_the_configuration(place: Place) -> None:
    """They are the user's slips and fail the start; the plugin is not broken."""
    place.write("mine.py", WITH_MODEL)

    host = place.load("[plugins.mine]\nprot = 1\nport = 70000\nfile = 3\n[plugins.mine.inner]\nfiel = 'x'")

    assert host.problems == (
        "config.toml: [plugins.mine] host: is required",
        "config.toml: [plugins.mine] port: must be at most 65535, got 70000",
        "config.toml: [plugins.mine] file: must be a path in quotes, got 3",
        "config.toml: [plugins.mine.inner] fiel: unknown key, did you mean 'file'?",
        "config.toml: [plugins.mine] prot: unknown key, did you mean 'port'?",
    )
    assert host.broken == ()
    assert info(host, "mine").state == "idle"
    assert info(host, "mine").error == "; ".join(host.problems)


@pytest.mark.parametrize(
    ("key", "value"), [("password", "12345"), ("pin", "12345"), ("pin", "[12345]"), ("token", "'12345'")]
)
def test_a_secret_is_not_echoed(place: Place, key: str, value: str) -> None:
    """Whether its name or its type says that it is one."""
    place.write("mine.py", WITH_MODEL)

    [line] = place.load(f"[plugins.mine]\nhost = 'a'\n{key} = {value}").problems

    assert line.startswith(f"config.toml: [plugins.mine] {key}: ")
    assert "12345" not in line


def test_a_variable_is_named_as_the_culprit(place: Place) -> None:
    """Where the value comes from is where it can be mended."""
    place.write("mine.py", WITH_MODEL)

    host = place.load("[plugins.mine]\nhost = 'a'", FEEDBACK_APP_PLUGINS__MINE__PORT="0")

    assert host.problems == ("FEEDBACK_APP_PLUGINS__MINE__PORT: must be at least 1, got 0",)


def test_a_plugin_without_a_table_is_idle_when_it_needs_one(place: Place) -> None:
    """Installed is not configured; unless it is required, that is fine."""
    place.write("mine.py", WITH_MODEL)

    host = place.load()
    assert (info(host, "mine").state, host.problems) == ("idle", ())

    assert place.load("[plugins]\nrequired = ['mine']").problems == (
        "config.toml: [plugins] required: the plugin 'mine' is not configured; give it its table [plugins.mine]",
    )


def test_a_model_that_takes_more_keys_is_let(place: Place) -> None:
    """Only who says nothing about unknown keys gets them refused."""
    text = WITH_MODEL.replace("    host: str\n", "    model_config = {'extra': 'allow'}\n    host: str\n")
    place.write("mine.py", text)

    assert settings_of(place.load("[plugins.mine]\nhost = 'a'\nmore = 1")).more == 1


def test_a_bug_in_the_model_is_the_plugins(place: Place) -> None:
    """Not the user's."""
    place.write("mine.py", WITH_MODEL)

    host = place.load("[plugins.mine]\nhost = 'crash'")

    assert str(info(host, "mine").error).endswith(": RuntimeError: a bug in a model")
    assert host.problems == ()
