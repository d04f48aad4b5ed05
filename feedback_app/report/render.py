"""One or several days of figures become one mail."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

import feedback_app
from feedback_app.concurrency import Once
from feedback_app.errors import BadConfig
from feedback_app.report import wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from feedback_app.model import Section
    from feedback_app.report.figures import DayFigures

TEXT, HTML = "report.txt", "report.html"
DETAILED_DAYS = 7  # of more days the older ones stand in the overview only: mail clients cut what is too long
LONGEST = 2_000_000  # characters; a template that runs away is stopped
_COMMENTS = 10  # in one mail, however many days it covers
_SHIPPED = Path(feedback_app.__file__).parent / "templates"


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
        self._folders = [folder for folder in (templates_directory, _SHIPPED) if folder]
        self._environment = Once(self._make_environment)

    def text(self, report: Report) -> str:
        """Return the plain text part. Raises BadConfig with one line that names the template and its line."""
        return self._render(TEXT, report)

    def html(self, report: Report) -> str:
        """Return the HTML part, which needs nothing from elsewhere. Raises BadConfig as `text` does."""
        return self._render(HTML, report)

    def check(self) -> None:
        """Render both parts with sample figures, empty ones too. Raises BadConfig with a line for each problem."""
        from feedback_app.report.sample import quiet_day, sample_day

        full, quiet = sample_day(), quiet_day()
        problems: list[str] = []
        for render in (self.text, self.html):
            for days in ([full], [quiet], [full, quiet]):
                try:
                    render(Report(business="Our team", days=days, skipped=len(days) - 1))
                except BadConfig as error:
                    problems += error.problems
        if problems:
            raise BadConfig(*dict.fromkeys(problems))

    def _make_environment(self) -> Environment:
        environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(self._folders),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,  # what was checked at the start is what is used
        )
        environment.filters.update(wording.FILTERS)
        return environment

    def _render(self, name: str, report: Report) -> str:
        file = next((folder / name for folder in self._folders if (folder / name).is_file()), Path(name))
        try:
            template = self._environment.get().get_template(name)
            return _bounded(template.generate(_context(report)))
        except TemplateNotFound as error:
            raise BadConfig(
                f"template {file} line {_line(error, file)}: there is no template '{error.name}'"
            ) from None
        except OSError as error:
            raise BadConfig(f"template {file}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise BadConfig(f"template {file}: not UTF-8 at byte {error.start}") from None
        except TemplateSyntaxError as error:
            raise BadConfig(
                f"template {error.filename or file} line {error.lineno}: {error.message}"
            ) from None
        except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise BadConfig(f"template {file} line {_line(error, file)}: {reason}") from None


def _line(error: Exception, file: Path) -> int:
    """Return the template's line: Jinja2 writes it into the traceback."""
    steps = traceback.walk_tb(error.__traceback__)
    return max((line for frame, line in steps if frame.f_code.co_filename == str(file)), default=1)


def _bounded(pieces: Iterable[str]) -> str:
    parts, length = [], 0
    for piece in pieces:
        length += len(piece)
        if length > LONGEST:
            raise ValueError(f"writes more than {LONGEST:,} characters")
        parts.append(piece)
    return "".join(parts)


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
