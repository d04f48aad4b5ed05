"""A broken plugin hurts only itself, and one line says where and why."""

from __future__ import annotations

import signal
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from feedback_app.errors import BadConfig
from tests.plugin_host.conftest import HEAD, info, notifier_file

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place

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


@pytest.mark.parametrize(("text", "line"), AT_IMPORT.items(), ids=range(len(AT_IMPORT)))
def test_a_file_that_fails_at_import(place: Place, text: str, line: str) -> None:
    """The line names the file and the place in it, without a traceback."""
    place.write("_helper.py", "")
    place.write("_wrong.py", "def f(:\n")

    assert place.error("bad", text) == line


def test_a_file_that_is_no_text(place: Place) -> None:
    """Python's own words for it, and for its line, differ between versions."""
    error = str(place.error("bad", "x = '\0'\n"))

    assert error.startswith("plugins/bad.py:")
    assert error.endswith("not valid Python: source code string cannot contain null bytes")


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
