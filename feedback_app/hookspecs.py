"""Every hook, on one page. Hooks are plain functions, called once at start, one plugin at a time.

A plugin is a Python file with one or more of these functions, each marked `@hookimpl`. `settings` is the plugin's
own table of the configuration (`[plugins.NAME]`), with attribute access; when the plugin declares a pydantic
model named `Settings`, it is an instance of that model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.contracts import Analyser, Notifier, Source

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
