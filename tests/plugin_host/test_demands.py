"""What the configuration says about plugins and channels must be possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plugin_host.conftest import info, notifier_file

if TYPE_CHECKING:
    from feedback_app.plugin_host import PluginHost
    from tests.plugin_host.conftest import Place

IDLE = "from feedback_app import hookimpl\n@hookimpl\ndef make_notifier(settings):\n    return None\n"

ANALYSER = """
from feedback_app import Analyser, hookimpl

class Mine(Analyser):
    name = "mood"

    async def analyse(self, feedback):
        return {}

@hookimpl
def make_analyser(settings):
    return Mine()
"""


def serving(host: PluginHost, channel: str) -> list[str]:
    """Return the plugins that serve a channel, the first is asked first."""
    return [provider.plugin for provider in host.notifiers.get(channel, ())]


def test_two_plugins_for_one_channel_are_a_clash(place: Place) -> None:
    """Chance must not decide who sends; the line shows what to write."""
    place.write("one.py", notifier_file("pager"))
    place.write("two.py", notifier_file("pager"))

    host = place.load()

    [line] = host.problems
    assert line == (
        "the channel 'pager' is served by the plugins 'one' and 'two'; say in which order to ask them, "
        'such as [channels.pager] providers = ["one", "two"]'
    )
    assert serving(host, "pager") == []


def test_the_configuration_puts_them_in_order(place: Place) -> None:
    """Who is not named does not serve the channel."""
    for name in ("one", "two", "three"):
        place.write(f"{name}.py", notifier_file("pager"))

    host = place.load("[channels.pager]\nproviders = ['two', 'one']")

    assert host.problems == ()
    assert serving(host, "pager") == ["two", "one"]


def test_providers_that_cannot_serve_are_named(place: Place) -> None:
    """A slip in a name, and a plugin of another channel."""
    place.write("one.py", notifier_file("pager"))
    place.write("other.py", notifier_file("other"))

    host = place.load("[channels.pager]\nproviders = ['on', 'other', 'one']")

    where = "config.toml: [channels.pager] providers"
    assert host.problems == (
        f"{where}: there is no plugin 'on', did you mean 'one'?",
        f"{where}: the plugin 'other' does not serve 'pager'",
    )


def test_a_provider_that_is_idle_or_disabled_is_a_warning(place: Place) -> None:
    """The next one serves."""
    place.write("one.py", IDLE)
    place.write("two.py", notifier_file("pager"))
    place.write("three.py", notifier_file("pager"))

    host = place.load(
        "[plugins]\ndisabled = ['three']\n[channels.pager]\nproviders = ['one', 'three', 'two']"
    )

    where = "config.toml: [channels.pager] providers"
    assert host.warnings == (
        f"{where}: the plugin 'one' is idle and serves nothing",
        f"{where}: the plugin 'three' is disabled and serves nothing",
    )
    assert (host.problems, serving(host, "pager")) == ((), ["two"])


def test_a_plugin_may_serve_several_channels(place: Place) -> None:
    """It returns a list; None and an empty list mean that it is not configured."""
    place.write(
        "one.py",
        notifier_file("pager").replace("return Mine()", "a = Mine(); a.channel = 'a'; return [Mine(), a]"),
    )
    place.write("none.py", IDLE)
    place.write("empty.py", IDLE.replace("None", "[]"))

    host = place.load()

    assert info(host, "one").channels == ("pager", "a")
    assert [channel for channel in host.notifiers if channel in ("a", "pager")] == ["a", "pager"]
    assert (info(host, "none").state, info(host, "empty").state) == ("idle", "idle")


def test_two_analysers_of_one_name_are_a_clash(place: Place) -> None:
    """Their facts would overwrite each other."""
    place.write("one.py", ANALYSER)
    place.write("two.py", ANALYSER)

    host = place.load()

    assert host.problems == (
        "the analyser 'mood' comes from the plugins 'one' and 'two'; disable one of them",
    )
    assert [plugin for plugin, _ in host.analysers] == ["one", "two"]


def test_names_that_are_no_plugin_are_found(place: Place) -> None:
    """A table for nobody, a required one that is missing; to disable what is not there does no harm."""
    place.write("console.py", notifier_file("console"))

    host = place.load(
        "[plugins]\nrequired = ['consol']\ndisabled = ['consle']\n[plugins.konsole]\ncolour = 'red'"
    )

    assert host.problems == (
        "config.toml: [plugins.konsole]: there is no plugin 'konsole', did you mean 'console'?",
        "config.toml: [plugins] required: there is no plugin 'consol', did you mean 'console'?",
    )
    assert host.warnings == (
        "config.toml: [plugins] disabled: there is no plugin 'consle', did you mean 'console'?",
    )


def test_a_name_like_no_other_gets_the_list(place: Place) -> None:
    """What is there, in order."""
    place.write("console.py", notifier_file("console"))

    [line] = place.load("[plugins]\nrequired = ['xylophone']").problems

    assert line.startswith(
        "config.toml: [plugins] required: there is no plugin 'xylophone'; there are console"
    )


def test_a_table_from_the_environment_is_named_by_its_variable(place: Place) -> None:
    """Nobody would find it in the file."""
    place.write("console.py", notifier_file("console"))

    host = place.load("", FEEDBACK_APP_PLUGINS__KONSOLE__COLOUR="red")

    assert host.problems == (
        "FEEDBACK_APP_PLUGINS__KONSOLE__COLOUR: there is no plugin 'konsole', did you mean 'console'?",
    )
