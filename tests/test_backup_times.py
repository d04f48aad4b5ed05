"""What a backup's name says, and when the next one is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_app.backups import begun_at, name_at, next_due
from feedback_app.settings.backup import BackupSettings

DAY = timedelta(days=1)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TIMES = st.times().map(lambda one: f"{one:%H:%M}")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Pacific/Apia"])


@given(MOMENTS)
def test_a_name_says_when(moment: datetime) -> None:
    """To the second, in UTC, and in the order of time."""
    name = name_at(moment)
    assert begun_at(name) == moment.replace(microsecond=0)
    assert name < name_at(moment + timedelta(seconds=1))


@given(st.text(max_size=60))
def test_other_names_are_no_backups(name: str) -> None:
    """Whatever they are."""
    moment = begun_at(name)
    assert moment is None or name_at(moment) == name


@pytest.mark.parametrize(
    "name",
    [
        "feedback.db",
        "feedback-2026-11-29T033000Z.db-wal",
        "feedback-2026-11-29T033000Z.db.bak",
        ".feedback-2026-11-29T033000Z.db.12345678.new",
        "my-feedback-2026-11-29T033000Z.db",
        "feedback-2026-02-31T033000Z.db",
        "feedback-２026-11-29T033000Z.db",
    ],
)
def test_names_that_look_alike_are_left_alone(name: str) -> None:
    """Only the daemon's own files are ever removed."""
    assert begun_at(name) is None


@given(MOMENTS, TIMES, ZONES)
def test_the_next_is_due_within_a_day_of_the_last(newest: datetime, at: str, zone: str) -> None:
    """Give or take a change of the clocks and a date that a zone leaves out."""
    settings = BackupSettings(directory="b", at=at, timezone=zone)
    due = next_due(settings, newest, newest)
    assert newest < due <= newest + DAY + timedelta(hours=2)


def test_without_any_it_is_due_now() -> None:
    """Who asks for backups wants to see one."""
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    assert next_due(BackupSettings(directory="b"), None, now) == now
