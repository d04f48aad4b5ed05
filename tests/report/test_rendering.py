"""How a report looks as mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from feedback_app.model import Section
from feedback_app.report.figures import DayFigures, Item
from feedback_app.report.render import Renderer
from feedback_app.report.wording import subject
from tests.report.days import day, empty, report
from tests.report.ledgers import DAY

NASTY = "<script>alert(1)</script><img src=x onerror=y> {{ 7*7 }} & \"'"


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
