"""The guide says what every line and every exit code means."""

from __future__ import annotations

import re

from feedback_app import errors
from tests.logs.log_calls import ROOT, log_lines


def _rows(title: str) -> list[list[str]]:
    """Return the cells of the table in one section, without the header."""
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {title}$.*?(?=^## |\Z)", guide, re.MULTILINE | re.DOTALL)
    assert found
    lines = [line for line in found[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines[1:]]


def test_every_line_of_the_log_is_in_the_guide() -> None:
    """With its level, and no other is; all fields that are seen in the code are named."""
    listed = {(event.strip("`"), level) for event, level, _, _ in _rows("Logs")}
    fields = {event.strip("`"): set(re.findall(r"`(\w+)`", named)) for event, _, named, _ in _rows("Logs")}
    found = [one._replace(event=one.event.replace("%s", "…")) for one in log_lines()]

    assert {(one.event, one.level) for one in found} == listed
    for one in found:
        assert one.fields <= fields[one.event], f"{one.file}: {one.event}"


def test_no_event_is_listed_twice() -> None:
    """Nor is there one without something to do, were it nothing."""
    rows = _rows("Logs")
    assert len(rows) == len({event for event, *_ in rows})
    assert all(todo for *_, todo in rows)


def test_every_exit_code_is_in_the_guide() -> None:
    """Those of errors, of success, of usage, of bugs and of signals."""
    family = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.FeedbackAppError)
    ]
    listed = {int(code) for codes, *_ in _rows("Exit codes") for code in codes.split(", ")}

    assert {one.exit_code for one in family} | {0, 2, 70, 130, 143} == listed
