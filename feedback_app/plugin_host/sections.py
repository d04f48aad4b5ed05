"""Asks the plugins for their parts of the daily report: whatever one does, the report goes out, and soon."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from feedback_app.concurrency.aside import TookTooLong, aside
from feedback_app.errors import fault_site
from feedback_app.model import Section
from feedback_app.report.plain import plain, shorten

if TYPE_CHECKING:
    from threading import Thread

    from feedback_app.plugin_host.host import PluginHost
    from feedback_app.plugin_host.started import Hooked
    from feedback_app.report.figures import DayFigures

log = logging.getLogger(__name__)

LIMIT = 10.0  # seconds that one plugin has for one day
_LONGEST = 20_000  # characters of a section; mail clients cut what is longer
_TITLE = 100  # characters


class Sections:
    """`await sections(figures)` returns what the plugins add to a day, in the order of the plugins.

    One plugin at a time, each in a thread: one that fails, is late or returns something else is named in the log and
    costs its section. One that hangs is not asked again until it comes back.
    """

    def __init__(self, host: PluginHost) -> None:
        self._hooked = host.later["add_report_section"]
        self._hanging: dict[str, Thread] = {}  # by plugin

    async def __call__(self, figures: DayFigures) -> list[Section]:
        """Ask all."""
        sections = [await self._ask(one, figures) for one in self._hooked]
        return [one for one in sections if one is not None]

    async def _ask(self, one: Hooked, figures: DayFigures) -> Section | None:
        hanging = self._hanging.get(one.plugin)
        if hanging is not None and hanging.is_alive():
            fault = "still busy with an earlier one"
        else:
            try:
                call = partial(one.call, figures=figures)
                found = await aside(call, LIMIT, name=f"section of {one.plugin}")
                return _checked(found[0]) if found else None
            except asyncio.CancelledError:
                raise
            except TookTooLong as late:
                self._hanging[one.plugin] = late.thread
                fault = str(late)
            except _UnfitError as unfit:
                fault = str(unfit)
            except BaseException as error:  # noqa: BLE001 - a plugin may raise anything; the report goes out without it
                fault = fault_site(error)
        log.error("section left out", extra={"plugin": one.plugin, "date": str(figures.date), "fault": fault})
        return None


class _UnfitError(Exception):
    """What a plugin returned is no section that could be shown; the text says why and holds nothing of it."""


def _checked(found: object) -> Section:
    if not isinstance(found, Section):
        raise _UnfitError(f"add_report_section returned {type(found).__name__}; want a Section or None")
    parts = (found.title, found.text, found.html)
    if not all(isinstance(part, str) for part in parts):
        raise _UnfitError("title, text and html of a Section must be texts")
    if max(map(len, parts)) > _LONGEST:
        raise _UnfitError(
            f"a Section has {max(map(len, parts)):,} characters, at most {_LONGEST:,} are shown"
        )
    title, text, html = (part.encode("utf-8", "replace").decode().replace("\0", "") for part in parts)
    return Section(title=shorten(plain(title), _TITLE), text=text, html=html)
