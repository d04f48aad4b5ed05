"""Where a ledger is kept badly; who may not keep one there is in the golden cases."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from feedback_app.store.sqlite import place
from tests.running import business, daemon

MOUNTS = """\
22 1 {device} / {folder} rw,relatime shared:1 - {kind} server:/export rw
23 1 0:1 / /elsewhere rw - ext4 /dev/sda rw
"""


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("nfs4", "is on a network (nfs4), where SQLite's locks can fail; name another file in [store] url"),
        ("9p", "is on a network (9p), where SQLite's locks can fail; name another file in [store] url"),
        (
            "tmpfs",
            "is kept in memory (tmpfs) and lost when the machine restarts; name another file in [store] url",
        ),
        ("ext4", None),
        ("a kind of tomorrow", None),
    ],
)
def test_a_file_system_that_keeps_a_ledger_badly_is_warned_of_at_the_start(
    kind: str,
    wanted: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In the daemon's log; it starts all the same, because it may be meant so."""
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        MOUNTS.format(device=f"{os.major(device)}:{os.minor(device)}", folder=tmp_path, kind=kind)
    )
    monkeypatch.setattr(place, "_MOUNTS", mounts)
    asyncio.run(daemon(business(tmp_path)).run(drain=True))
    said = [text for one in caplog.records if "feedback.db" in (text := getattr(one, "warning", ""))]
    assert said == ([f"{tmp_path}/feedback.db: {wanted}"] if wanted else [])
