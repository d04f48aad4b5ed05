"""Whether each report was made in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from feedback_app.doctor.findings import Finding, ok, problem
from feedback_app.report.due import dates_to_make, due_at, last_due
from feedback_app.store import report_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feedback_app.doctor.patient import Patient
    from feedback_app.settings.schema import ReportSettings

_LATE = timedelta(minutes=10)  # the daemon looks more often than that


def made_in_time(patient: Patient) -> Iterator[Finding]:
    """Say of each report which one is late, or when the next is due."""
    now = datetime.fromtimestamp(patient.now / 1000, UTC)
    for name, report in patient.settings.reports.items():
        yield _report(patient, name, report, now)


def _report(patient: Patient, name: str, report: ReportSettings, now: datetime) -> Finding:
    at, zone = report.time_of_day, report.zone
    newest = last_due(now, at, zone)
    to = (
        "1 recipient"
        if len(report.to) == 1
        else f"{len(report.to)} recipients"
        if report.to
        else "kept, not sent"
    )
    following = (
        f"next due {due_at(newest + timedelta(days=1), at, zone).astimezone(zone):%Y-%m-%d %H:%M %Z}, {to}"
    )
    first = patient.ledger.look(partial(report_queries.first_date, name=name))
    if first is None:
        return ok(f"report {name}", f"none made yet, {following}")
    oldest = newest - timedelta(days=report.catch_up + 1)
    made = patient.ledger.look(partial(report_queries.made_dates, name=name, first=oldest, last=newest))
    missing = dates_to_make(now, at, zone, first_date=first, made=made, catch_up=report.catch_up)
    late = [day for day in missing if now - due_at(day, at, zone) > _LATE]
    if not late:
        return ok(f"report {name}", f"made in time, {following}")
    days = f"{len(late)} days, the oldest {late[0]}, " if len(late) > 1 else f"{late[0]} "
    return problem(
        f"report {name}",
        f"of {days}is not made; it was due {due_at(late[0], at, zone).astimezone(zone):%Y-%m-%d %H:%M %Z}",
        "start the daemon, which makes it up"
        if patient.daemon is None
        else f"feedback-app report send {name} --date {late[0]}",
    )


CHECKS = (made_in_time,)
