"""Suites whose cases are tests of their own: runs them and counts, so that one command proves every promise."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

_ROOT = Path(__file__).parents[2]


@dataclass(kw_only=True)
class Figures:
    """What the tests said."""

    passed: int = 0
    skipped: int = 0
    broken: list[str] = field(default_factory=list)


def run(_first_seed: int, _seeds: int, paths: tuple[str, ...]) -> Figures:
    """Run the tests under `paths`, patterns from the project's root, once."""
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report.xml"
        files = [str(file) for path in paths for file in sorted(_ROOT.glob(path))]
        command = [sys.executable, "-m", "pytest", "-q", "--junit-xml", str(report), *files]
        said = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        if not report.exists():
            return Figures(
                broken=[f"pytest ended with {said.returncode}: {said.stdout[-500:]}{said.stderr[-500:]}"]
            )
        cases = list(ET.parse(report).iter("testcase"))
    failed = [
        f"{one.get('classname')}::{one.get('name')}"
        for one in cases
        if one.find("failure") is not None or one.find("error") is not None
    ]
    skipped = sum(one.find("skipped") is not None for one in cases)
    return Figures(passed=len(cases) - len(failed) - skipped, skipped=skipped, broken=failed)
