"""The machine: versions, user, clock, time zones."""

from __future__ import annotations

import os
import platform
import sqlite3
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from feedback_app import __version__
from feedback_app.clock import BUILT
from feedback_app.doctor.findings import Finding, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feedback_app.doctor.patient import Patient

_UNIT = "run it as a user of its own, as packaging/feedback-app.service does"


def versions(_patient: Patient) -> Iterator[Finding]:
    """Say what runs here."""
    yield ok(
        "versions",
        f"feedback-app {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
    )


def user(_patient: Patient) -> Iterator[Finding]:
    """Warn of root: a mistake in any plugin is then a mistake of root's."""
    if os.geteuid() == 0:
        yield warning("user", "root", _UNIT)
    else:
        yield ok("user", f"user {os.geteuid()}, not root")


def clock(patient: Patient) -> Iterator[Finding]:
    """Look for a clock that was never set."""
    if patient.now < BUILT:
        yield problem("clock", "shows a time before 2026, so it was never set", "timedatectl set-ntp true")


def time_zones(_patient: Patient) -> Iterator[Finding]:
    """Look for the database of time zones."""
    try:
        ZoneInfo.no_cache("Europe/Berlin")
    except ZoneInfoNotFoundError:
        yield problem(
            "time zones", "no time zone database is installed, so no zone is known", "pip install tzdata"
        )
    else:
        yield ok("time zones", "the database of time zones is there")


CHECKS = (versions, user, clock, time_zones)
