"""A plugin that takes long to load is named while it does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.plugin_host.conftest import info, names, notifier_file

if TYPE_CHECKING:
    from tests.plugin_host.conftest import Place

SLOW = "import time\ntime.sleep(0.3)\n"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback_app.plugin_host.patience._PATIENCE", 0.1)


@pytest.mark.parametrize(
    "text",
    [
        SLOW + notifier_file("slow"),
        notifier_file("slow").replace("return Mine()", "import time; time.sleep(0.3)"),
    ],
    ids=["import", "hook"],
)
def test_who_takes_long_is_named(place: Place, caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Once, with its file; whether its import takes long or its hook."""
    place.write("a.py", notifier_file("a"))
    place.write("slow.py", text)
    with caplog.at_level(logging.WARNING):
        host = place.load()
    assert [one.getMessage() for one in caplog.records] == ["still loading plugin slow (plugins/slow.py)"]
    assert names(host) == ["a", "slow"]


def test_nobody_is_named_when_all_are_quick(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does anything wait for the time to be over."""
    place.write("a.py", notifier_file("a"))
    with caplog.at_level(logging.WARNING):
        assert info(place.load(), "a").state == "active"
    assert caplog.records == []
