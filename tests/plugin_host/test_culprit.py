"""Whose code is on a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plugin_host.conftest import notifier_file

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place


def test_the_innermost_plugin_on_a_stack_is_the_culprit(place: Place) -> None:
    """Files of libraries and of the program lie between; an installed plugin is known by its module's file."""
    chat = str(place.write("chat.py", notifier_file("chat")))
    place.install("feedback-app-notify-pager", pager=notifier_file("pager"))
    pager = str(place.site / "pager.py")
    host = place.load()

    assert host.culprit(["/lib/asyncio/events.py", chat, "/lib/json/decoder.py"]) == "chat"
    assert host.culprit([chat, pager, "/lib/time.py"]) == "pager"
    assert host.culprit(["/lib/asyncio/events.py"]) is None
