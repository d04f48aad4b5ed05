"""`python -m benchmarks.where [--count N] [--svg FILE]`: where the time of one rating, and of one mail, goes.

Runs our side of `deliver` and of `mail` under py-spy, which looks at all threads a thousand times a second, and gives
each look to the stage whose code stands nearest to what was running. The start of the program is left out, and so
is waiting, except a commit's for the disk where py-spy cannot tell it from work.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.mails import without_postfix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_RATE = 1000  # looks a second
_START = "start and end"
_OTHER = "other"

# (stage, what a frame of it contains), the first that fits wins; frames are looked at from the innermost outwards.
_STAGES = (
    ("commits", ("do_commit (sqlalchemy", "_checkpoint (feedback_app/store/writer")),
    ("ratings and customers read", ("(feedback_app/store/ratings",)),
    ("outcomes written", ("(feedback_app/store/outcomes",)),
    ("messages claimed", ("claim (feedback_app/store/outbox",)),
    ("results recorded", ("settle (feedback_app/store/outbox",)),
    ("message formed", ("(feedback_app/pipeline/composer",)),
    ("pipeline", ("(feedback_app/pipeline/", "(feedback_app/processing", "(plugins/keyword_tags")),
    ("mail built", ("(plugins/_mail_",)),
    ("mail sent", ("(plugins/_smtp", "(plugins/email_notifier")),
    ("try of a message", ("(feedback_app/delivery/", "(feedback_app/concurrency/bounded")),
    (
        _START,
        ("<module>", "_prepare", "(feedback_app/assembly", "(feedback_app/cli", "load_settings", "migrate"),
    ),
    (
        "pools and event loop",
        ("(feedback_app/concurrency/", "_run_once (asyncio", "(feedback_app/store/writer"),
    ),
)
# Innermost frames of threads that wait, which py-spy does not see on every system.
_WAITING = (
    "wait (threading",
    "select (selectors",
    "_worker (concurrent/futures",
    "_connection_worker_thread (aiosqlite",
)
_COLOURS = (
    "#4e79a7", "#76b7b2", "#59a14f", "#8cd17d", "#b6992d", "#f28e2b", "#ffbe7d", "#e15759", "#ff9d9a", "#b07aa1",
    "#9c755f", "#bab0ac",
)  # fmt: skip


class Bar(NamedTuple):
    """What one of something costs: microseconds of processor by stage."""

    title: str
    stages: dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, draw; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.where", description=__doc__)
    parser.add_argument(
        "--count", type=int, default=100_000, help="ratings; mails are a tenth; default: %(default)s"
    )
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw it there")
    options = parser.parse_args(arguments)
    if shutil.which("py-spy") is None:
        parser.error("no py-spy here: pip install 'feedback-app[bench]'")
    bars = [_measured("a rating, until its message is recorded as sent", "deliver", options.count)]
    if lack := without_postfix():
        print(f"mail left out: {lack}")
    else:
        bars.append(_measured("a mail by SMTP, from the outbox", "mail", options.count // 10))
    for bar in bars:
        print(f"{bar.title}: {sum(bar.stages.values()):.0f} µs")
        for stage, cost in bar.stages.items():
            print(f"  {stage:<28}{cost:>8.1f}")
    if options.svg:
        options.svg.write_text(drawn(bars), encoding="utf-8")
    return 0


def _measured(title: str, benchmark: str, count: int) -> Bar:
    with tempfile.TemporaryDirectory(prefix="feedback-bench-") as folder:
        side = [sys.executable, "-m", "benchmarks", "--side", benchmark, "feedback_app", folder, str(count)]
        subprocess.run([*side, "prepare"], check=True)
        looks = Path(folder) / "looks.txt"
        spy = [
            "py-spy",
            "record",
            "--rate",
            str(_RATE),
            "--format",
            "raw",
            "--output",
            str(looks),
            "--nonblocking",
        ]
        subprocess.run([*spy, "--", *side, "run"], check=True, capture_output=True)
        stages = by_stage(looks.read_text(encoding="utf-8").splitlines())
    return Bar(title, {stage: looks / _RATE / count * 1e6 for stage, looks in stages.items()})


def by_stage(looks: Iterable[str]) -> dict[str, int]:
    """Count py-spy's lines (frames joined by semicolons, a number of looks) by stage, the start left out."""
    found: Counter[str] = Counter()
    for line in looks:
        stack, _, number = line.rpartition(" ")
        frames = stack.split(";")
        if stack and not any(sign in frames[-1] for sign in _WAITING):
            found[_stage(frames)] += int(number)
    order = [stage for stage, _ in _STAGES] + [_OTHER]
    return {stage: found[stage] for stage in order if found[stage] and stage != _START}


def _stage(frames: Sequence[str]) -> str:
    for frame in reversed(frames):
        for stage, signs in _STAGES:
            if any(sign in frame for sign in signs):
                return stage
    return _OTHER


def drawn(bars: Sequence[Bar]) -> str:
    """Return the bars as SVG, all of one length, their stages named with their microseconds."""
    width, height, gap = 760, 26, 18
    stages = list(dict.fromkeys(stage for bar in bars for stage in bar.stages))
    colours = dict(zip(stages, _COLOURS, strict=False))
    parts, y = [], 10
    for bar in bars:
        total = sum(bar.stages.values())
        parts.append(
            f'<text x="10" y="{y + 12}" font-weight="bold">{escape(bar.title)}: {total:.0f} µs</text>'
        )
        y += 20
        x = 10.0
        for stage, cost in bar.stages.items():
            long = cost / total * width
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{long:.1f}" height="{height}" fill="{colours[stage]}">'
                f"<title>{escape(stage)}: {cost:.1f} µs</title></rect>"
            )
            if long > 24:
                parts.append(f'<text x="{x + 4:.1f}" y="{y + 17}" fill="#fff">{cost:.0f}</text>')
            x += long
        y += height + gap
    for place, stage in enumerate(stages):
        column, row = place % 4, place // 4
        parts.append(
            f'<rect x="{10 + column * 190}" y="{y + row * 20}" width="12" height="12" fill="{colours[stage]}"/>'
            f'<text x="{28 + column * 190}" y="{y + row * 20 + 11}">{escape(stage)}</text>'
        )
    y += (len(stages) + 3) // 4 * 20 + 10
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 20} {y}" font-family="sans-serif"'
        f' font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    sys.exit(main())
