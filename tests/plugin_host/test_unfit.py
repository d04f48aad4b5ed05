"""What plugins hand over is looked at when the program starts: hooks, notifiers and analysers that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin_host.conftest import HEAD, notifier_file

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place

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


def test_a_class_without_send_is_told_by_python_itself(place: Place) -> None:
    """An abstract method that is missing shows when the object is made."""
    text = notifier_file("console").replace("async def send", "async def deliver")

    assert str(place.error("bad", text)).startswith(
        "plugins/bad.py:11: TypeError: Can't instantiate abstract class"
    )
