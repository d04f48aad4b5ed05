"""Every hook, on one page. Hooks are plain functions, called one plugin at a time.

`make_…` is called at each start and reload, and by commands that must know the plugins.
A plugin is a Python file with one or more of these functions, each marked `@hookimpl`. Arguments may be left out.
`settings` is the plugin's own table of the configuration (`[plugins.NAME]`), with attribute access; when the plugin
declares a pydantic model named `Settings`, it is an instance of that model. Without the table that it requires, no
hook of the plugin is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.contracts import Analyser, Notifier, Source
    from feedback_app.model import Message, Section, Settled
    from feedback_app.report.figures import DayFigures

PROJECT = "feedback_app"
API = 1  # the version of this page and of the contracts; a plugin says with `feedback_app_api = 1` which it wants

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def make_notifier(settings: Any) -> Notifier | Sequence[Notifier] | None:
    """Return the notifier for a channel, a list of them, or None when the plugin is not configured.

    Raise ValueError with a sentence for settings that cannot work: the start fails with it.
    """
    raise AssertionError("a specification, never called")


@hookspec
def make_source(settings: Any) -> Source | Sequence[Source] | None:
    """Return a source of ratings in another system, a list of them, or None when the plugin is not configured.

    Raise ValueError as above.
    """
    raise AssertionError("a specification, never called")


@hookspec
def make_analyser(settings: Any) -> Analyser | None:
    """Return an analyser whose facts are stored with every rating, or None when not configured.

    Raise ValueError as above.
    """
    raise AssertionError("a specification, never called")


@hookspec
def add_report_section(figures: DayFigures, settings: Any) -> Section | None:
    """Return a part of the daily report about one day, or None when there is nothing to say.

    Called once for each day in a report, in a thread, with 10 seconds. Raising, being late or returning something else
    is logged with the plugin's name and costs this section only.
    """
    raise AssertionError("a specification, never called")


@hookspec
def message_settled(message: Message, outcome: Settled, settings: Any) -> None:
    """Hear that a message ended as sent, suppressed or dead, after the commit that says so.

    Called for one message at a time in a thread of the plugin's own, at most once for each end, and not for what ends
    while the plugin is 5,000 messages behind. Raising is logged with the plugin's name; delivery does not notice.
    """
    raise AssertionError("a specification, never called")
