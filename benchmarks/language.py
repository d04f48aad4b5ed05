"""How often the `language` analyser is right, on comments whose language is known.

`python -m benchmarks.language FILE FIELD LANGUAGE [WORDS]`: FILE is CSV or JSON lines, FIELD holds the comments, all of
which are in LANGUAGE; of comments with at least WORDS words (1).
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from feedback_app.plugins._languages import language_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def main(file: str, field: str, language: str, least: str = "1") -> None:
    """Print how many were told, and told right."""
    comments = [text for text in _comments(Path(file), field) if len(text.split()) >= int(least)]
    begun = time.process_time()
    told = Counter(language_of(text) for text in comments)
    took = (time.process_time() - begun) / max(len(comments), 1)
    silent, right = told.pop(None, 0), told.pop(language, 0)
    wrong = {str(other): count for other, count in told.most_common()}
    print(f"{len(comments):,} comments, {took * 1e6:.0f} µs each")
    print(f"right {right:,} ({right / len(comments):.2%}), silent {silent:,} ({silent / len(comments):.2%})")
    print(f"wrong {sum(wrong.values()):,} ({sum(wrong.values()) / len(comments):.2%}) {wrong}")


def _comments(file: Path, field: str) -> Iterator[str]:
    with file.open(encoding="utf-8", newline="") as stream:
        rows = map(json.loads, stream) if file.suffix == ".jsonl" else csv.DictReader(stream)
        yield from (row.get(field) or "" for row in rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
