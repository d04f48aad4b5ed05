"""The names that Prometheus is told: those of the guide, and of nobody in particular."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_app.metrics import Metrics
from feedback_app.model import Customer
from tests.making import NOW, incoming
from tests.metrics.reading import FICKLE, METRICS, Samples, samples_of
from tests.running import DEADLINE, add, business, daemon, running, serving

GUIDE = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.fixture
def section() -> str:
    """Return what the guide says of metrics."""
    found = re.search(
        r"^## Metrics$.*?(?=^## |\Z)", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found
    return found[0]


async def test_the_guide_lists_every_metric(tmp_path: Path, section: str) -> None:
    """With its kind and its labels, and no other."""
    one = daemon(business(tmp_path, config=METRICS))
    async with running(one):
        families = list(Metrics(serving(one), lambda: NOW).registry.collect())
    listed = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE))
    suffix = {"counter": "_total"}

    assert {one.name + suffix.get(one.type, ""): one.type for one in families} == listed
    for line in section.splitlines():
        if line.startswith("| `feedback_app_"):
            name, _, labels, _says = [cell.strip(" `") for cell in line.strip("|").split("|")]
            family = next(one for one in families if one.name + suffix.get(one.type, "") == name)
            assert labels.replace("`", "") == ", ".join(getattr(family, "_labelnames", ())), name


def _labels(samples: Samples) -> Iterator[str]:
    for _, labels in samples:
        yield from dict(labels).values()


async def test_no_label_names_a_customer(tmp_path: Path) -> None:
    """Nor an address, an item or words, though all of them are sent and fail."""
    contact = Customer(
        id="canary-id", name="Canary", preferred_channels=("chat",), addresses={"chat": "canary@x.org"}
    )
    await add(
        tmp_path / "feedback.db",
        [incoming("canary-r", comment="canary", customer="canary-id", contact=contact)],
        NOW,
    )
    config = business(tmp_path, plugin=FICKLE, config=METRICS)
    await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    text = (tmp_path / "feedback_app.prom").read_text()
    assert "canary" not in text.lower()
    assert set(_labels(samples_of(text))) & {"umbrella", "c1"} == set()
