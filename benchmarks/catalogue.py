"""Every benchmark by name."""

from __future__ import annotations

from benchmarks import road

BENCHMARKS = {one.name: one for one in (*road.BENCHMARKS,)}
