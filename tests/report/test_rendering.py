"""How a report looks as mail, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from feedback_app.errors import BadConfig
from feedback_app.model import Section
from feedback_app.report.export import to_csv, to_json
from feedback_app.report.figures import Change, Comment, DayFigures, Deliveries, Item, OpenLow, Star
from feedback_app.report.render import Renderer, Report
from feedback_app.report.wording import subject
from tests.report.ledgers import DAY, at

if TYPE_CHECKING:
    from pathlib import Path

NASTY = "<script>alert(1)</script><img src=x onerror=y> {{ 7*7 }} & \"'"

KNOWN = (
    "business, days, detailed, latest, low_comments, sections, skipped, so_far, subject, summary, timezone"
)


def day(of: date = DAY, *, item: str = "Red boots") -> DayFigures:
    """Return a day with everything in it."""
    counts = {5: 30, 4: 5, 3: 2, 2: 0, 1: 5}
    return DayFigures(
        date=of,
        timezone="Europe/Berlin",
        start=at(of, "00:00"),
        end=at(of + timedelta(days=1), "00:00"),
        read_at=at(of + timedelta(days=1), "08:00"),
        ratings=42,
        average=4.12,
        stars=tuple(Star(rating=star, count=count, share=count / 42) for star, count in counts.items()),
        low_below=3,
        low=5,
        low_share=5 / 42,
        day_before=Change(
            days=1,
            base_ratings=30,
            base_average=4.4,
            base_low_share=0.1,
            ratings=12,
            average=-0.28,
            low_share=0.019,
        ),
        week_before=None,
        lowest_items=(Item(item=item, ratings=1200, average=1.5, low=3),),
        low_comments=(Comment(number=7, item=item, rating=1, comment=item, received_at=at(of)),),
        ended={"thanked": 37, "low": 5},
        history=3,
        open_low=OpenLow(count=9, oldest_since=at(of, "09:30")),
        deliveries=Deliveries(
            sent=36,
            suppressed=0,
            died=1,
            queued=4,
            sending=0,
            held=2,
            dead=1,
            oldest_waiting_since=at(of, "10:45"),
        ),
    )


def empty(of: date = DAY) -> DayFigures:
    """Return a day on which nothing came."""
    return replace(
        day(of),
        ratings=0,
        average=None,
        low=0,
        low_share=None,
        stars=tuple(replace(star, count=0, share=0.0) for star in day().stars),
        day_before=Change(
            days=1,
            base_ratings=30,
            base_average=4.4,
            base_low_share=0.1,
            ratings=-30,
            average=None,
            low_share=None,
        ),
        lowest_items=(),
        low_comments=(),
        ended={},
        history=0,
    )


def report(*days: DayFigures, **more: object) -> Report:
    """Return a report about these days."""
    return Report(business="Maple & Finch", days=days, **more)  # type: ignore[arg-type]


class Tags(HTMLParser):
    """Collects tags and what a reader sees, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the last one opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note the words."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """Return what a reader sees, in one line."""
        return " ".join("".join(self.words).split())


@pytest.mark.parametrize(
    ("days", "line"),
    [
        ([day()], "Ratings on 2026-11-21: 42 ratings, average 4.1, 5 low"),
        ([replace(day(), ratings=1, low=0)], "Ratings on 2026-11-21: 1 rating, average 4.1, 0 low"),
        ([empty()], "Ratings on 2026-11-21: no ratings"),
        (
            [day(date(2026, 11, 19)), empty(date(2026, 11, 20)), day()],
            "Ratings from 2026-11-19 to 2026-11-21: 84 ratings, average 4.1, 10 low",
        ),
    ],
)
def test_the_subject_says_the_most_important(days: list[DayFigures], line: str) -> None:
    """Who reads only the subject knows how the day went."""
    assert subject(days) == line


def test_the_text_says_it_all() -> None:
    """Every part of the report is in the plain text."""
    text = Renderer().text(report(day()))
    for part in (
        "Maple & Finch\nRatings on Saturday, 21 November 2026\n",
        "42 ratings, average 4.12, 5 low (11.9%; low is below 3)",
        "The day before: 30 ratings (+12), average 4.40 (\u22120.28), low 10.0% (+1.9 points)",
        "Mean of the 7 days before: no ratings",
        "    5       30   71.4%  \u2588\u2588",
        "    2        0    0.0%  \n",
        "1.50  Red boots (1,200 ratings, 3 low)",
        "1  #7, Red boots, 2026-11-21 12:00\n     Red boots",
        "37  thanked",
        "3 came from history",
        "2026-11-21: 36 sent, 1 given up",
        "Low ratings open: 9, the oldest since 2026-11-21 09:30",
        "Messages queued: 4, the oldest since 2026-11-21 10:45",
        "held until someone decides: 2",
    ):
        assert part in text


def test_a_day_without_ratings_says_so_plainly() -> None:
    """An empty report is no error and no row of zeros."""
    for content in (Renderer().text(report(empty())), Tags(Renderer().html(report(empty()))).text):
        assert "No ratings arrived." in content
        assert "How often" not in content
        assert "None" not in content


def test_several_days_stand_in_one_mail_with_what_was_given_up() -> None:
    """An overview first, then each day; deliveries and open ratings once."""
    days = [day(DAY - timedelta(days=1)), empty()]
    for content in (
        Renderer().text(report(*days, skipped=5)),
        Tags(Renderer().html(report(*days, skipped=5))).text,
    ):
        assert "Missed before that and not made up: 5 older days." in content
        assert "Friday, 20 November 2026" in content
        assert "Saturday, 21 November 2026" in content
        assert content.count("No ratings arrived.") == 1
        assert content.count("Right now") == 1


def test_a_week_in_one_mail_stays_below_what_clients_cut() -> None:
    """Gmail hides what is beyond 102 KB: the default of seven missed days fits."""
    items = tuple(Item(item=f"Blue umbrella {n}", ratings=9, average=2.5, low=3) for n in range(5))
    one = replace(day(), lowest_items=items, week_before=day().day_before)
    days = [replace(one, date=DAY - timedelta(days=back)) for back in reversed(range(7))]
    html = Renderer().html(report(*days))
    assert len(html.encode()) < 102_000 - 10 * 300  # ten long comments


def test_of_more_than_a_week_the_older_days_stand_in_the_overview_only() -> None:
    """Every day is listed, the newest seven are shown in full."""
    days = [day(DAY - timedelta(days=back)) for back in reversed(range(30))]
    for content in (Renderer().text(report(*days)), Renderer().html(report(*days))):
        assert all(str(one.date) in content for one in days)
        assert content.count("How often each rating was given") == 7


def test_the_mail_stands_alone_and_its_tags_match() -> None:
    """Nothing is fetched from anywhere, nothing runs, every tag is closed."""
    html = Renderer().html(report(day(), empty(DAY + timedelta(days=1))))
    tags = Tags(html)
    assert tags.open == []
    assert tags.seen.isdisjoint({"img", "script", "link", "iframe", "svg", "form"})
    assert tags.attributes.isdisjoint({"src", "href", "background"})
    assert "url(" not in html
    assert "@import" not in html


def test_words_of_customers_are_only_words() -> None:
    """Markup and template code in an item or a comment appear literally."""
    tags = Tags(Renderer().html(report(day(item=NASTY))))
    assert tags.seen.isdisjoint({"script", "img"})
    assert "onerror" not in tags.attributes
    assert tags.text.count(NASTY) == 3
    assert Renderer().text(report(day(item=NASTY))).count(NASTY) == 3


def test_a_day_that_is_not_over_says_so_far() -> None:
    """Today's figures do not pass for the day's."""
    today = replace(day(), read_at=day().end - 1)
    assert "21 November 2026, so far" in Renderer().text(report(today))
    assert "21 November 2026, so far" in Tags(Renderer().html(report(today))).text


def test_sections_of_plugins_stand_under_their_day() -> None:
    """A section's markup is trusted; where it has none its lines are shown, escaped."""
    sections = {
        DAY: [Section(title="Mood", text="<good>\nmostly"), Section(title="M", text="t", html="<i>up</i>")]
    }
    html = Renderer().html(report(day(), sections=sections))
    assert "&lt;good&gt;<br>mostly<br>" in html
    assert "<i>up</i>" in html
    assert "Mood\n<good>\nmostly\n" in Renderer().text(report(day(), sections=sections))


def test_a_queue_of_no_known_age_is_only_counted() -> None:
    """As a damaged ledger may have it."""
    of = replace(day(), deliveries=replace(day().deliveries, oldest_waiting_since=None))
    assert "Messages queued: 4\n" in Renderer().text(report(of))
    assert "Messages queued</td>" in Renderer().html(report(of))


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


def test_json_has_every_figure_under_its_name() -> None:
    """Programs read moments with their offset, shares as fractions, missing values as null."""
    data = json.loads(to_json(day()))
    assert data["date"] == "2026-11-21"
    assert data["complete"] is True
    assert (data["ratings"], data["average"], data["low"]) == (42, 4.12, 5)
    assert data["stars"][0] == {"rating": 5, "count": 30, "share": 0.714286}
    assert data["start"] == "2026-11-21T00:00:00+01:00"
    assert data["open_low"] == {"count": 9, "oldest_since": "2026-11-21T09:30:00+01:00"}
    assert data["week_before"] is None


def test_csv_has_one_row_per_day_with_the_same_columns() -> None:
    """A day without ratings leaves cells empty."""
    first, second = csv.DictReader(io.StringIO(to_csv([day(), empty(DAY + timedelta(days=1))])))
    assert (first["date"], first["ratings"], first["average"], first["rating_5"]) == (
        "2026-11-21",
        "42",
        "4.12",
        "30",
    )
    assert (second["date"], second["ratings"], second["average"], second["lowest_item"]) == (
        "2026-11-22",
        "0",
        "",
        "",
    )


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_csv_disarms_formulas(first: str) -> None:
    """A spreadsheet shows what a customer wrote and does not calculate it (OWASP, CSV injection)."""
    (row,) = csv.DictReader(io.StringIO(to_csv([day(item=f"{first}1+1")]), newline=""))
    assert row["lowest_item"] == f"'{first}1+1"
