"""`feedback_app_api`: which version of the plugin API a plugin was written for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin_host.conftest import info, notifier_file

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place


@pytest.mark.parametrize("line", ["", "feedback_app_api = 1\n", "feedback_app_api: int = 1\n"])
def test_a_plugin_for_this_api_or_without_a_word_is_taken(place: Place, line: str) -> None:
    """The first plugins declare nothing."""
    assert place.error("mine", line + notifier_file("chat")) is None


def test_a_newer_one_is_refused_before_it_runs_and_the_others_go_on(place: Place) -> None:
    """So that the line says what is wrong, and not the import that fails for it."""
    place.write(
        "mine.py", "from feedback_app import SomethingNew\nfeedback_app_api = 2\nraise SystemExit(3)\n"
    )
    place.write("other.py", notifier_file("chat"))
    host = place.load()
    assert (info(host, "mine").state, info(host, "other").state) == ("broken", "active")
    assert (info(host, "mine").error or "").startswith(
        "plugins/mine.py:2: wants version 2 of the plugin API, "
    )
    assert host.problems == ()


def test_so_is_one_of_a_distribution(place: Place) -> None:
    """By its source's place."""
    place.install("feedback-app-notify-chat", chat="feedback_app_api = 3\n" + notifier_file("chat"))
    error = info(place.load(), "chat").error
    assert error is not None
    assert f"{place.site / 'chat.py'}:1: wants version 3 of the plugin API" in error


@pytest.mark.parametrize("value", ["0", "-1", "1.0", "True", "None", "'1'"])
def test_what_is_no_version_is_refused(place: Place, value: str) -> None:
    """A slip is not a wish for anything."""
    error = place.error("mine", f"feedback_app_api = {value}\n" + notifier_file("chat"))
    assert error is not None
    assert "plugins/mine.py" in error
    assert "feedback_app_api must be a whole number from 1 on, such as 1, not " in error


def test_a_source_that_cannot_be_read_is_left_to_loading(place: Place) -> None:
    """Which says what is wrong with it."""
    assert "not valid Python" in (place.error("mine", "feedback_app_api = (2\n") or "")
