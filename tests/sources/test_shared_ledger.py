"""Two daemons on one PostgreSQL, each with the same source: nothing is lost, nothing skipped, nothing doubled."""

from __future__ import annotations

from pathlib import Path

from tests.postgres import ask
from tests.running import business, daemon, running, until
from tests.sources.rig import Rig, rating

_COUNT = 120


async def test_two_daemons_share_a_source(rig: Rig, postgres_url: str, tmp_path: Path) -> None:
    """While ratings come in; each is in the ledger once, and processed."""
    config = business(tmp_path, config=f'[store]\nurl = "{postgres_url}"\n{rig.config()}')
    for number in range(1, _COUNT // 2):
        rig.put(rating(number), f"r{number}")
    async with running(daemon(config)), running(daemon(config)):
        for number in range(_COUNT // 2, _COUNT + 1):
            rig.put(rating(number), f"r{number}")
        done = "SELECT count(*) FROM feedback WHERE state = 'processed'"
        await until(lambda: ask(postgres_url, done) == [(_COUNT,)])
        if rig.remembers:
            await until(lambda: rig.waiting(tmp_path) == 0)
    assert ask(postgres_url, "SELECT count(*), count(DISTINCT external_id) FROM feedback") == [
        (_COUNT, _COUNT)
    ]
    assert ask(postgres_url, "SELECT count(*) FROM dead_letter") == [(0,)]


async def test_what_is_no_rating_is_kept_once(rig: Rig, postgres_url: str, tmp_path: Path) -> None:
    """Whoever of the two took it."""
    config = business(tmp_path, config=f'[store]\nurl = "{postgres_url}"\n{rig.config()}')
    async with running(daemon(config)), running(daemon(config)):
        rig.put(rig.poison, "r1")
        rig.put(rating(2), "r2")
        await until(lambda: ask(postgres_url, "SELECT count(*) FROM feedback") == [(1,)])
        await until(lambda: ask(postgres_url, "SELECT count(*) FROM dead_letter") == [(1,)])
