"""A broken plugin hurts only itself, and one line says where and why."""

from __future__ import annotations

import signal
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from feedback_app.errors import BadConfig
from tests.plugin_host.conftest import info, notifier_file

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place

HEAD = "from feedback_app import Analyser, Message, Notifier, Receipt, hookimpl\n"  # line 1 of most cases

AT_IMPORT = {
    "def f(:\n": "plugins/bad.py:1: not valid Python: invalid syntax",
    "x = 1\n  y = 2\n": "plugins/bad.py:2: not valid Python: unexpected indent",
    "# -*- coding: nonsense -*-\n": "plugins/bad.py: not valid Python: unknown encoding: nonsense",
    "\nimport no_such_package\n": "plugins/bad.py:2: needs 'no_such_package', which is not installed here",
    "import _helper\n": (
        "plugins/bad.py:1: no module '_helper': the plugin folder is not on sys.path, write 'from . import _helper'"
    ),
    "from . import _wrong\n": "plugins/_wrong.py:1: not valid Python: invalid syntax",
    "import sys\nsys.exit(3)\n": "plugins/bad.py:2: tries to end the program (SystemExit: 3)",
    "raise Exception('two\\nlines \\x1b[31m')\n": "plugins/bad.py:1: Exception: two lines [31m",
    "def f():\n    raise ValueError('deep')\nf()\n": "plugins/bad.py:2: ValueError: deep",
    "raise BaseException('odd')\n": "plugins/bad.py:1: BaseException: odd",
    "raise GeneratorExit\n": "plugins/bad.py:1: GeneratorExit",
    "raise StopIteration(1)\n": "plugins/bad.py:1: StopIteration: 1",
    "raise ExceptionGroup('both', [ValueError(1)])\n": (
        "plugins/bad.py:1: ExceptionGroup: both (1 sub-exception)"
    ),
    "import json\n\njson.loads('{')\n": (
        "plugins/bad.py:3: json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)"
    ),
    "url = 'smtp://me:hunter2@host'\nraise ValueError(url)\n": (
        "plugins/bad.py:2: ValueError: smtp://me:***@host"
    ),
    f"raise ValueError('{'x' * 999}')\n": f"plugins/bad.py:1: ValueError: {'x' * 288}…",
}

HOOKS = {
    "": (
        "plugins/bad.py: has no hook: write a function marked @hookimpl,"
        " one of make_notifier, make_source, make_analyser, add_report_section,"
        " message_settled"
    ),
    "def make_notifier(settings):\n    return None\n": (
        "plugins/bad.py:2: make_notifier is not marked @hookimpl (from feedback_app)"
    ),
    "import pluggy\n@pluggy.HookimplMarker('other')\ndef make_notifier(settings):\n    return None\n": (
        "plugins/bad.py:3: make_notifier is not marked @hookimpl (from feedback_app)"
    ),
    "@hookimpl\ndef make_notifer(settings):\n    return None\n": (
        "plugins/bad.py:2: unknown hook make_notifer, did you mean make_notifier?"
    ),
    "@hookimpl\ndef on_rating(settings):\n    return None\n": (
        "plugins/bad.py:2: unknown hook on_rating;"
        " there are make_notifier, make_source, make_analyser, add_report_section,"
        " message_settled"
    ),
    "@hookimpl\ndef make_notifier(config):\n    return None\n": (
        "plugins/bad.py:2: make_notifier must take no argument but settings, not config"
    ),
    "@hookimpl\nasync def make_notifier(settings):\n    return None\n": (
        "plugins/bad.py:2: make_notifier is async; hooks are plain functions, make send or analyse async"
    ),
    "@hookimpl(wrapper=True)\ndef make_notifier(settings):\n    return (yield)\n": (
        "plugins/bad.py:2: make_notifier yields; hooks are plain functions that return something"
    ),
    "@hookimpl(wrapper=True)\ndef make_notifier(settings):\n    return None\n": (
        "plugins/bad.py: Plugin 'bad' for hook 'make_notifier' hookimpl definition: make_notifier(settings) "
        "Declared as wrapper=True or hookwrapper=True but function is not a generator function"
    ),
    "@hookimpl\ndef make_notifier(settings):\n    return 1 / 0\n": (
        "plugins/bad.py:4: ZeroDivisionError: division by zero"
    ),
    "@hookimpl\ndef make_notifier(settings):\n    raise SystemExit\n": (
        "plugins/bad.py:4: tries to end the program (SystemExit: None)"
    ),
    "@hookimpl\ndef make_notifier(settings):\n    raise StopIteration\n": "plugins/bad.py:4: StopIteration",
    "@hookimpl\ndef make_notifier(settings):\n    raise GeneratorExit\n": "plugins/bad.py:4: GeneratorExit",
    "@hookimpl\ndef make_notifier(settings):\n    raise BaseException('odd')\n": (
        "plugins/bad.py:4: BaseException: odd"
    ),
    "@hookimpl\ndef make_notifier(settings):\n    raise BaseExceptionGroup('two', [SystemExit(), OSError()])\n": (
        "plugins/bad.py:4: BaseExceptionGroup: two (2 sub-exceptions)"
    ),
    "import asyncio\n@hookimpl\ndef make_notifier(settings):\n    raise asyncio.CancelledError\n": (
        "plugins/bad.py:5: asyncio.exceptions.CancelledError"
    ),
    "class Mute(Exception):\n    def __str__(self):\n        raise OSError\n"
    "@hookimpl\ndef make_notifier(settings):\n    raise Mute\n": (
        "plugins/bad.py:7: feedback_app_dropins.bad.Mute: <exception str() failed>"
    ),
    "@hookimpl\ndef make_notifier(settings):\n    return settings.host\n": (
        "plugins/bad.py:4: AttributeError: [plugins.bad] has no key 'host'"
    ),
    "class Settings:\n    pass\n@hookimpl\ndef make_notifier(settings):\n    return None\n": (
        "plugins/bad.py: Settings must be a pydantic model: class Settings(BaseModel)"
    ),
}

NOTIFIERS = {  # the body of make_notifier, below a fit class Mine
    "return 'console'": "make_notifier returned str; want a Notifier, a list of them, or None",
    "return [Mine(), 1]": "make_notifier returned int; want a Notifier, a list of them, or None",
    "return Mine": (
        "make_notifier returned the class Mine and not an instance of it; want a Notifier, a list of them, or None"
    ),
    "return Mine().open()": "make_notifier returned coroutine; want a Notifier, a list of them, or None",
    "return [Mine(), Mine()]": "make_notifier returned two notifiers for the channel 'console'",
    "n = Mine(); n.channel = ''; return n": (
        "Mine.channel is ''; it must be a small letter, then small letters, digits, _ or -"
    ),
    "n = Mine(); n.channel = 'E-Mail'; return n": (
        "Mine.channel is 'E-Mail'; it must be a small letter, then small letters, digits, _ or -"
    ),
    "n = Mine(); n.channel = 'console\\n'; return n": (
        "Mine.channel is 'console\\n'; it must be a small letter, then small letters, digits, _ or -"
    ),
    "del Mine.channel; return Mine()": (
        "Mine.channel is missing; it must be a small letter, then small letters, digits, _ or -"
    ),
    "n = Mine(); n.send = lambda message: Receipt(); return n": (
        "Mine.send must be a coroutine function: async def send(self, …)"
    ),
    "n = Mine(); n.close = lambda: None; return n": (
        "Mine.close must be a coroutine function: async def close(self, …)"
    ),
    "n = Mine(); n.address = n.send; return n": (
        "Mine.address must be a plain function: def address(self, customer)"
    ),
    "n = Mine(); n.on_unknown = 'retry'; return n": (
        "Mine.on_unknown must be 'resend' or 'hold', not 'retry'"
    ),
    "n = Mine(); n.timeout = 0; return n": "Mine.timeout must be a number of seconds above 0, not 0",
    "n = Mine(); n.timeout = True; return n": "Mine.timeout must be a number of seconds above 0, not True",
    "n = Mine(); n.timeout = '60s'; return n": "Mine.timeout must be a number of seconds above 0, not '60s'",
    "n = Mine(); n.timeout = float('nan'); return n": (
        "Mine.timeout must be a number of seconds above 0, not nan"
    ),
    "n = Mine(); n.timeout = float('inf'); return n": (
        "Mine.timeout must be a number of seconds above 0, not inf"
    ),
}

ANALYSERS = {  # the body of make_analyser, below a fit class Mine
    "return {}": "make_analyser returned dict; want an Analyser or None",
    "return [Mine()]": "make_analyser returned list; want an Analyser or None",
    "del Mine.name; return Mine()": (
        "Mine.name is missing; it must be a small letter, then small letters, digits, _ or -"
    ),
    "n = Mine(); n.analyse = lambda feedback: {}; return n": (
        "Mine.analyse must be a coroutine function: async def analyse(self, …)"
    ),
    "n = Mine(); n.timeout = -1; return n": "Mine.timeout must be a number of seconds above 0, not -1",
}

ANALYSER_FILE = """\
class Mine(Analyser):
    name = "mine"
    async def analyse(self, feedback):
        return {}
@hookimpl
def make_analyser(settings):
"""


@pytest.mark.parametrize(("text", "line"), AT_IMPORT.items(), ids=range(len(AT_IMPORT)))
def test_a_file_that_fails_at_import(place: Place, text: str, line: str) -> None:
    """The line names the file and the place in it, without a traceback."""
    place.write("_helper.py", "")
    place.write("_wrong.py", "def f(:\n")

    assert place.error("bad", text) == line


@pytest.mark.parametrize(("text", "line"), HOOKS.items(), ids=range(len(HOOKS)))
def test_a_hook_that_does_not_fit(place: Place, text: str, line: str) -> None:
    """Found at start, not when a message waits."""
    assert place.error("bad", HEAD + text) == line


@pytest.mark.parametrize(("body", "reason"), NOTIFIERS.items(), ids=range(len(NOTIFIERS)))
def test_a_notifier_that_does_not_fit(place: Place, body: str, reason: str) -> None:
    """What a notifier must be, it must be at start."""
    text = notifier_file("console").replace("return Mine()", body)

    assert place.error("bad", text) == f"plugins/bad.py: {reason}"


@pytest.mark.parametrize(("body", "reason"), ANALYSERS.items(), ids=range(len(ANALYSERS)))
def test_an_analyser_that_does_not_fit(place: Place, body: str, reason: str) -> None:
    """The same for analysers."""
    assert place.error("bad", f"{HEAD}{ANALYSER_FILE}    {body}\n") == f"plugins/bad.py: {reason}"


def test_a_file_that_is_no_text(place: Place) -> None:
    """Python's own words for it, and for its line, differ between versions."""
    error = str(place.error("bad", "x = '\0'\n"))

    assert error.startswith("plugins/bad.py:")
    assert error.endswith("not valid Python: source code string cannot contain null bytes")


def test_a_class_without_send_is_told_by_python_itself(place: Place) -> None:
    """An abstract method that is missing shows when the object is made."""
    text = notifier_file("console").replace("async def send", "async def deliver")

    assert str(place.error("bad", text)).startswith(
        "plugins/bad.py:11: TypeError: Can't instantiate abstract class"
    )


def test_only_the_user_stops_the_program(place: Place) -> None:
    """Ctrl-C during a slow import is the user's and passes."""
    with pytest.raises(KeyboardInterrupt):
        place.error("bad", "raise KeyboardInterrupt")


def test_in_the_daemon_a_plugin_that_raises_keyboard_interrupt_is_a_broken_one(place: Place) -> None:
    """There Ctrl-C has a handler and is never raised; the process would end as if the user had wished it."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        assert place.error("bad", "raise KeyboardInterrupt") == "plugins/bad.py:1: KeyboardInterrupt"
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_others_go_on(place: Place) -> None:
    """Before and after the broken one, from the folder and from elsewhere."""
    place.write("a.py", notifier_file("a"))
    place.write("b.py", "raise SystemExit")
    place.write("b2.py", HEAD + "@hookimpl\ndef make_notifer(settings):\n    return None\n")
    place.write("c.py", notifier_file("c"))
    place.install("feedback-app-notify-d", d="raise SystemExit", e=notifier_file("e"))

    host = place.load()

    assert [plugin.name for plugin in host.broken] == ["b", "b2", "d"]
    assert {"a", "c", "e"} <= set(host.notifiers)
    host.check()


def test_nothing_counts_of_a_plugin_that_is_half_well(place: Place) -> None:
    """Its notifier is fit, its analyser is not."""
    place.write(
        "bad.py", notifier_file("console") + "@hookimpl\ndef make_analyser(settings):\n    return 1\n"
    )

    assert "console" not in place.load().notifiers


def test_a_broken_entry_point_names_its_file(place: Place) -> None:
    """In full, for nobody knows by heart where it is installed."""
    place.install("feedback-app-notify-pager", pager="import nothing_of_that_name")

    assert info(place.load(), "pager").error == (
        f"{place.site}/pager.py:1: needs 'nothing_of_that_name', which is not installed here"
    )


def test_a_required_plugin_that_is_broken_fails_the_start(place: Place) -> None:
    """And is said once by the stricter check too."""
    place.write("bad.py", "raise ValueError('no')")
    host = place.load("[plugins]\nrequired = ['bad']")
    line = "config.toml: [plugins] required: the plugin 'bad' is broken: plugins/bad.py:1: ValueError: no"

    assert host.problems == (line,)
    for check in (host.check, host.check_all):
        with pytest.raises(BadConfig) as caught:
            check()
        assert caught.value.problems == (line,)
        assert caught.value.exit_code == 78


def test_the_stricter_check_fails_on_any_broken_plugin(place: Place) -> None:
    """`config check` is for finding out."""
    place.write("bad.py", "raise ValueError('no')")
    host = place.load()
    host.check()

    with pytest.raises(BadConfig) as caught:
        host.check_all()

    assert caught.value.problems == ("the plugin 'bad' is broken: plugins/bad.py:1: ValueError: no",)


def test_two_hooks_of_one_name_both_count(place: Place) -> None:
    """A hook may have another name than its function."""
    place.write(
        "two.py",
        notifier_file("one")
        + dedent(
            """\
            class Other(Mine):
                channel = "other"

            @hookimpl(specname="make_notifier")
            def second(settings):
                return Other()
            """
        ),
    )

    host = place.load()

    assert host.broken == ()
    assert {"one", "other"} <= set(host.notifiers)
