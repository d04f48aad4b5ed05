"""Which plugins there are, in which order, and which of two is taken."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.plugin_host.conftest import info, mine, names, notifier_file

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place


def test_a_file_in_the_folder_serves_a_channel(place: Place) -> None:
    """Nothing but the file is needed."""
    place.write("console.py", notifier_file("console"))

    host = place.load()

    [plugin] = mine(host)
    assert plugin.origin == "plugins/console.py"
    assert (plugin.state, plugin.channels, plugin.hooks) == ("active", ("console",), ("make_notifier",))
    assert host.notifiers["console"][0].plugin == "console"
    assert (host.problems, host.broken) == ((), ())


def test_files_come_sorted_and_before_entry_points(place: Place) -> None:
    """The order does not depend on the file system nor on when something was installed."""
    place.write("b.py", notifier_file("b"))
    place.write("a.py", notifier_file("a"))
    place.install("feedback-app-notify-z", zulu=notifier_file("zulu"), alpha=notifier_file("alpha"))
    place.install("feedback-app-notify-m", mike=notifier_file("mike"))

    assert names(place.load()) == ["a", "b", "alpha", "mike", "zulu"]


def test_helpers_are_no_plugins_and_can_be_imported(place: Place) -> None:
    """A helper beside the plugin is reached by a relative import; the folder is not on sys.path."""
    place.write("_words.py", "GREETING = 'hello'\n")
    place.write(
        "console.py", "from . import _words\n__version__ = _words.GREETING\n" + notifier_file("console")
    )

    host = place.load()

    assert names(host) == ["console"]
    assert info(host, "console").version == "hello"
    assert str(place.folder) not in sys.path


def test_what_editors_leave_is_passed_over(place: Place) -> None:
    """Emacs locks a file by a link to nowhere beside it."""
    place.write("console.py", notifier_file("console"))
    (place.folder / ".#console.py").symlink_to("me@host.1234")
    place.write("console.py~", "not python")
    place.write("README.md", "not python")

    assert names(place.load()) == ["console"]


def test_a_file_may_be_called_like_a_module_of_python(place: Place) -> None:
    """It is a module of a package of its own."""
    place.write("json.py", "import json\njson.dumps({})\n" + notifier_file("json"))

    assert info(place.load(), "json").state == "active"
    assert "dumps" in vars(sys.modules["json"])


def test_a_plugin_stands_in_sys_modules_while_it_runs(place: Place) -> None:
    """Dataclasses with postponed annotations and pydantic look their module up there."""
    place.write(
        "console.py", "import sys\nassert sys.modules[__name__].sys is sys\n" + notifier_file("console")
    )

    assert info(place.load(), "console").error is None


def test_a_plugin_imported_by_another_runs_once(place: Place) -> None:
    """The second one gets the same module, and the same classes."""
    place.write("base.py", notifier_file("base"))
    place.write("also.py", notifier_file("also") + "\nfrom .base import Mine as Base\n")

    host = place.load()

    [provider] = host.notifiers["base"]
    assert type(provider.notifier) is sys.modules["feedback_app_dropins.also"].Base


def test_a_changed_file_is_read_again_by_the_next_host(place: Place) -> None:
    """A restart inside one process, as tests and embedding programs do it."""
    place.write("console.py", notifier_file("console"))
    place.load()
    place.write("console.py", notifier_file("terminal"))

    assert info(place.load(), "console").channels == ("terminal",)


def test_a_file_overrides_the_entry_point_of_its_name(place: Place) -> None:
    """So that a shipped plugin can be replaced without touching the installation."""
    place.install("feedback-app-notify-pager", pager=notifier_file("pager"))
    place.write("pager.py", notifier_file("beeper"))

    [plugin] = mine(place.load())
    assert (plugin.origin, plugin.channels) == ("plugins/pager.py", ("beeper",))


def test_a_broken_override_does_not_bring_the_original_back(place: Place) -> None:
    """Else messages might leave in a way that was meant to be replaced."""
    place.install("feedback-app-notify-pager", pager=notifier_file("pager"))
    place.write("pager.py", "import nothing_of_that_name")

    host = place.load()

    assert [plugin.state for plugin in mine(host)] == ["broken"]
    assert "pager" not in host.notifiers


@pytest.mark.parametrize("point", ["pager", "other_name"])
def test_the_file_that_an_entry_point_serves_is_loaded_once(place: Place, point: str) -> None:
    """In a checkout the plugin folder is the very folder that was installed in editable form."""
    file = place.write("pager.py", notifier_file("pager"))
    (place.site / "pager.py").symlink_to(file)
    place.install_points("feedback-app-notify-pager", **{point: "pager"})

    host = place.load()

    [plugin] = mine(host)
    assert (plugin.name, plugin.origin, plugin.version) == (point, "feedback-app-notify-pager", "2.1")
    assert len(host.notifiers["pager"]) == 1


def test_another_file_with_the_same_content_overrides(place: Place) -> None:
    """A wheel's plugin and the checkout's copy of it are two files; the nearer one is meant."""
    place.install("feedback-app-notify-pager", pager=notifier_file("pager"))
    place.write("pager.py", notifier_file("pager"))

    assert [plugin.origin for plugin in mine(place.load())] == ["plugins/pager.py"]


def test_a_disabled_plugin_is_not_even_run(place: Place) -> None:
    """It is listed all the same."""
    place.write("console.py", "raise AssertionError")
    place.install("feedback-app-notify-pager", pager="raise AssertionError")

    host = place.load("[plugins]\ndisabled = ['console', 'pager']")

    assert [plugin.state for plugin in mine(host)] == ["disabled", "disabled"]
    assert (host.problems, host.warnings) == ((), ())


def test_two_distributions_with_one_name_are_refused(place: Place) -> None:
    """Which one serves must not depend on the order of a listing."""
    for letter in "dcba":  # a listing of site-packages has any order
        place.install(f"feedback-app-notify-{letter}", pager=notifier_file("pager"))

    [plugin] = mine(place.load())
    assert plugin.state == "broken"
    assert str(plugin.error).endswith(
        "pager.py: comes from feedback-app-notify-a and from feedback-app-notify-b; uninstall one"
    )


def test_two_entry_points_of_one_module_are_refused(place: Place) -> None:
    """Its hooks would be called twice."""
    place.install("feedback-app-notify-pager", pager=notifier_file("pager"))
    place.install_points("feedback-app-notify-again", twin="pager")

    assert str(info(place.load(), "twin").error).endswith("pager.py: is the same module as plugin 'pager'")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("no_such_module", "no_such_module: needs 'no_such_module', which is not installed here"),
        ("json:dumps", "/json/__init__.py: the entry point gives function; it must name a module"),
        ("json:nothing", "/json/__init__.py: AttributeError: module 'json' has no attribute 'nothing'"),
    ],
)
def test_an_entry_point_to_no_module_is_broken(place: Place, value: str, error: str) -> None:
    """The distribution is at fault, the program goes on."""
    place.install_points("feedback-app-notify-pager", pager=value)

    assert str(info(place.load(), "pager").error).endswith(error)


def test_a_missing_folder_is_fine(place: Place) -> None:
    """Nobody needs plugins of their own; but who names a folder will have meant one."""
    assert place.load().warnings == ()
    host = place.load("[plugins]\ndirectory = 'plugin'")
    assert host.warnings == (
        f"config.toml: [plugins] directory: there is no folder {place.directory}/plugin",
    )
    assert host.problems == ()


def test_a_folder_that_is_a_file_is_a_problem(place: Place) -> None:
    """The name is wrong, or the folder was replaced."""
    (place.directory / "plugins").write_text("")

    assert place.load().problems == (
        f"[plugins] directory: {place.folder} is not a folder; name the one that holds plugins",
    )


@pytest.mark.parametrize("name", ["Console", "2nd", "my.console", "größe"])
def test_a_file_that_no_configuration_could_name_is_broken(place: Place, name: str) -> None:
    """`[plugins.NAME]` takes small letters, digits, _ and -."""
    assert place.error(name, notifier_file("console")) == (
        f"plugins/{name}.py: must be named with a small letter, then small letters, digits, _ or -"
    )


def test_a_link_out_of_the_folder_is_refused(place: Place) -> None:
    """Who may write there is not looked at."""
    target = place.directory / "elsewhere.py"
    target.write_text(notifier_file("console"))
    place.write("_helper.py", "")
    (place.folder / "console.py").symlink_to(target)

    assert info(place.load(), "console").error == (
        f"plugins/console.py: is a link out of the plugin folder, to {target}; copy the file into the folder"
    )


def test_a_link_inside_the_folder_is_followed(place: Place) -> None:
    """Kubernetes mounts files as links to a folder that it swaps as a whole."""
    data = place.folder / "..2026_11_22"
    data.mkdir(parents=True, mode=0o755)
    (data / "console.py").write_text(notifier_file("console"))
    (place.folder / "..data").symlink_to(data.name)
    (place.folder / "console.py").symlink_to("..data/console.py")

    assert info(place.load(), "console").state == "active"


def test_what_is_no_file_is_not_opened(place: Place) -> None:
    """Opening a FIFO would wait for ever."""
    import os

    place.write("_helper.py", "")
    os.mkfifo(place.folder / "pipe.py")
    (place.folder / "package.py").mkdir()

    host = place.load()

    assert [plugin.error for plugin in mine(host)] == [
        "plugins/package.py: is not a file",
        "plugins/pipe.py: is not a file",
    ]


def test_printing_at_import_does_not_spoil_the_data_on_stdout(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes where talk goes."""
    place.write("console.py", "print('loading')\n" + notifier_file("console"))

    assert info(place.load(), "console").state == "active"
    assert capsys.readouterr() == ("", "loading\n")
