"""One or several days of figures become one mail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from feedback_app.errors import BadConfig
from feedback_app.model import Section
from feedback_app.report import wording
from feedback_app.report.sample import quiet_day, sample_day
from feedback_app.templating import NOTHING, Templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from feedback_app.report.figures import DayFigures

TEXT, HTML = "report.txt", "report.html"
DETAILED_DAYS = 7  # of more days the older ones stand in the overview only: mail clients cut what is too long
LONGEST = 2_000_000  # characters; a template that runs away is stopped
_COMMENTS = 10  # in one mail, however many days it covers


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What one mail says."""

    business: str
    days: Sequence[DayFigures]  # oldest first, at least one
    skipped: int = 0  # older days that were missed too and are not made up
    sections: Mapping[date, Sequence[Section]] = field(default_factory=dict)  # what plugins add to each day


class Renderer:
    """Renders reports by the shipped templates or, where the operator has one of the same name, by that."""

    def __init__(self, templates_directory: Path | None = None) -> None:
        self.templates = Templates(templates_directory, longest=LONGEST, filters=wording.FILTERS)

    def text(self, report: Report) -> str:
        """Return the plain text part. Raises BadConfig with one line that names the template and its line."""
        return self._render(TEXT, report)

    def html(self, report: Report) -> str:
        """Return the HTML part, which needs nothing from elsewhere. Raises BadConfig as `text` does."""
        return self._render(HTML, report)

    def check(self) -> None:
        """Render both parts with sample figures, empty ones too. Raises BadConfig with a line for each problem."""
        full, quiet = sample_day(), quiet_day()
        occasions = {"": [full], " (on a day without ratings)": [quiet], " (of several days)": [full, quiet]}
        found: dict[str, str] = {}  # problem → the first occasion that shows it
        for name in (TEXT, HTML):
            for occasion, days in occasions.items():
                sections = {days[0].date: [Section(title="Of a plugin", text="Some words.")]}
                report = Report(business="Our team", days=days, skipped=len(days) - 1, sections=sections)
                for problem in self._problems(name, report):
                    found.setdefault(problem, occasion)
        if found:
            raise BadConfig(*(f"{problem}{occasion}" for problem, occasion in found.items()))

    def _problems(self, name: str, report: Report) -> tuple[str, ...]:
        try:
            is_empty = not self._render(name, report).strip()
        except BadConfig as error:
            return error.problems
        return (f"template {name}: {NOTHING}",) if is_empty else ()

    def _render(self, name: str, report: Report) -> str:
        render = self.templates.find(name)
        assert render is not None  # shipped
        return render(_context(report))


def _context(report: Report) -> dict[str, object]:
    """Return every name that a template may use."""
    days = report.days
    latest = days[-1]
    comments = [(day, comment) for day in reversed(days) for comment in day.low_comments]
    return {
        "subject": wording.subject(days),
        "summary": wording.summary(days),
        "business": report.business,
        "days": days,
        "detailed": days[-DETAILED_DAYS:],
        "latest": latest,  # open low ratings and deliveries are those of now, the same for every day
        "timezone": latest.timezone,
        "so_far": latest.read_at < latest.end,
        "skipped": report.skipped,
        "sections": report.sections,
        "low_comments": [comment for _, comment in comments[:_COMMENTS]],
    }
