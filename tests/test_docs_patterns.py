"""Every example in docs/patterns.md runs as it stands there and prints what stands below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import feedback_app.concurrency

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "patterns.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


def _examples() -> list[object]:
    """Return (code, what it prints or None), named by chapter and line."""
    examples: list[object] = []
    for found in BLOCK.finditer(DOCUMENT):
        before = DOCUMENT[: found.start()]
        chapter = before.rpartition("\n## ")[2].partition("\n")[0]
        examples.append(pytest.param(*found.groups(), id=f"{chapter}, line {before.count(chr(10)) + 2}"))
    return examples


@pytest.mark.parametrize(("code", "printed"), _examples())
def test_an_example_prints_what_the_page_says(
    code: str,
    printed: str | None,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a namespace of its own, as a script, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/patterns.md", "exec"), {"__name__": "__main__"})
    if printed is not None:
        assert capsys.readouterr().out == printed


def test_no_example_is_left_out() -> None:
    """Each fence that begins an example was found."""
    assert len(_examples()) == DOCUMENT.count("```python") > 0


def test_every_file_that_the_page_names_is_there() -> None:
    """The table leads to real files and folders."""
    table = DOCUMENT.partition("\n\n")[2].partition("## ")[0]
    named = re.findall(r"`((?:tests|concurrency|store|pipeline|intake|report)/[\w/.]*)`", table)
    assert len(named) > 15
    missing = [
        name
        for name in named
        if not any((folder / name).exists() for folder in (ROOT, ROOT / "feedback_app"))
    ]
    assert missing == []


def test_every_pattern_is_on_the_page() -> None:
    """Each public name but the small ones, whose docstring is enough."""
    small = {"Clock", "SystemClock", "Schedule", "Stall", "JobResult", "first_instant"}
    assert [
        name for name in feedback_app.concurrency.__all__ if name not in DOCUMENT and name not in small
    ] == []
