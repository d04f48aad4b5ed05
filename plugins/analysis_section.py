"""The part of the daily report that says what the comments were about: what the analysers found, counted.

Works by itself as soon as an analyser has said something of the day's ratings; without any there is no section.
Settings, `[plugins.analysis_section]`, none of them needed:

    title = "What the comments were about"
    leave_out = ["vader_sentiment", "disagreement.words"]    # an analyser, or one of its facts
"""

# Annotations are read at run time by pydantic, so they are not postponed here.

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from feedback_app import Section, hookimpl

if TYPE_CHECKING:
    from feedback_app import DayFigures

_LABELS = {  # of what the shipped analysers say; others stand under their own names
    ("disagreement", "disagrees"): "Words against the rating",
    ("disagreement", "words"): "Which words",
    ("keyword_tags", "tags"): "Tags",
    ("language", "language"): "Languages",
    ("vader_sentiment", "label"): "Tone",
}
_FLAG = "true"  # a fact that is only ever said when it holds needs no value beside its count

Line = tuple[str, Sequence[tuple[str, str]]]  # a fact's label, and (value, how often) of each value


class Settings(BaseModel):
    """The table `[plugins.analysis_section]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[str, Field(min_length=1, max_length=100)] = "What the comments were about"
    leave_out: list[Annotated[str, Field(min_length=1, max_length=130)]] = []


@hookimpl
def add_report_section(figures: "DayFigures", settings: Settings) -> Section | None:
    """Return a line for each fact: its values, how many ratings have each, and the share of low ones in them."""
    lines = list(_lines(figures, set(settings.leave_out)))
    if not lines:
        return None
    return Section(
        title=settings.title,
        text="\n".join(
            f"  {label}: {', '.join(' '.join(filter(None, one)) for one in values)}"
            for label, values in lines
        ),
        html="".join(map(_row, lines)),
    )


def _lines(figures: "DayFigures", leave_out: set[str]) -> Iterator[Line]:
    for (analyser, name), facts in groupby(figures.facts, key=lambda fact: (fact.analyser, fact.name)):
        if leave_out.isdisjoint((analyser, f"{analyser}.{name}")):
            label = _LABELS.get((analyser, name), f"{analyser}, {name}")
            yield (
                label,
                [
                    (
                        "" if fact.value == _FLAG else fact.value,
                        f"{fact.ratings:,} ({fact.low / fact.ratings:.0%} low)",
                    )
                    for fact in facts
                ],
            )


def _row(line: Line) -> str:
    label, values = line
    shown = ", ".join(f"{escape(value)} <b>{often}</b>" for value, often in values)
    return f'<div style="padding:0 0 4px;">{escape(label)}: {shown}</div>'
