"""Every benchmark by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import building, growth, imports, latency, mail, pool, road, shared, start
from benchmarks.peers import sides as peers

if TYPE_CHECKING:
    from benchmarks.harness import Benchmark

_MODULES = (road, peers, imports, mail, building, latency, pool, growth, shared, start)
BENCHMARKS: dict[str, Benchmark] = {one.name: one for module in _MODULES for one in module.BENCHMARKS}
