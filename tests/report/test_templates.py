"""Report templates of the operator: they win, and a broken one is named with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feedback_app.errors import BadConfig
from feedback_app.report.render import Renderer
from feedback_app.report.wording import subject
from tests.report.days import day, report

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = (
    "business, days, detailed, latest, low_comments, sections, skipped, so_far, subject, summary, timezone"
)


def test_a_template_of_the_operator_wins(tmp_path: Path) -> None:
    """Only the file that is there is replaced."""
    (tmp_path / "report.txt").write_text("{{ subject }}!\n")
    renderer = Renderer(tmp_path)
    assert renderer.text(report(day())) == f"{subject([day()])}!\n"
    assert "<html" in renderer.html(report(day()))


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (b"one\n{{ sujbect }}", f"line 2: 'sujbect' is undefined; known: {KNOWN}"),
        (b"{% if %}", "line 1: Expected an expression, got 'end of statement block'"),
        (b"\n\n{{ 1 / 0 }}", "line 3: division by zero"),
        (
            b"{{ ''.__class__ }}",
            "line 1: not allowed in the sandbox: access to attribute '__class__' of 'str' object is unsafe",
        ),
        (b"{{ 'x' | shout }}", "line 1: No filter named 'shout'"),
        (b"{% include '../../etc/passwd' %}", "line 1: there is no template '../../etc/passwd' to include"),
        (b"\xff", ": not UTF-8 at byte 0; save the file as UTF-8"),
        (
            b"{% for a in 'x' * 99999 %}{{ a * 99 }}{% endfor %}",
            ": more than 2,000,000 characters come out of it",
        ),
    ],
)
def test_a_broken_template_is_named_with_its_line(tmp_path: Path, template: bytes, problem: str) -> None:
    """One line that leads the operator to the place."""
    (tmp_path / "report.txt").write_bytes(template)
    with pytest.raises(BadConfig) as refused:
        Renderer(tmp_path).text(report(day()))
    line = str(refused.value)
    assert line.startswith("template report.txt")
    assert line.endswith(problem)
    assert "\n" not in line


def test_the_check_finds_what_only_an_empty_day_breaks(tmp_path: Path) -> None:
    """The shipped templates pass; one that forgets days without ratings is named, once."""
    Renderer(tmp_path).check()
    (tmp_path / "report.txt").write_text("{{ '%.1f' | format(latest.average) }}")
    with pytest.raises(BadConfig) as refused:
        Renderer(tmp_path).check()
    assert refused.value.problems == (
        "template report.txt line 1: must be real number, not NoneType (on a day without ratings)",
    )


def test_a_report_without_words_is_refused(tmp_path: Path) -> None:
    """An emptied file is a slip; the shipped template comes back when it is deleted."""
    (tmp_path / "report.html").write_text("\n")
    with pytest.raises(BadConfig, match=r"template report\.html: nothing comes out of it; delete the file"):
        Renderer(tmp_path).check()
