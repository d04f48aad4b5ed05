"""What docs/scaling.md says on deleting old rows does that, and leaves what is still to be done."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from feedback_app.model import Outcome
from feedback_app.store import outbox, outcomes, ratings
from feedback_app.store.outbox import Attempt, Lease
from feedback_app.store.postgresql import leases
from tests.making import NOW, incoming, message
from tests.postgres import ask, do, store_on

PAGE = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text(encoding="utf-8")


async def test_the_pages_statements_delete_what_is_old_and_done(postgres_url: str) -> None:
    """A rating that waits, an open case and a message that is not sent stay, with the ratings that they are about."""
    async with store_on(postgres_url) as store:
        arrivals = [incoming(f"r{number}") for number in range(1, 6)]
        await store.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))
        claimed = await store.write(partial(leases.claim_fresh, owner="a", limit=4))
        done = [
            Outcome(
                feedback=one.feedback,
                ended="low" if number < 3 else "thanked",
                analysis={},
                keep_low=number < 3,
                messages=() if number < 3 else (message(number, feedback=number)[1],),
            )
            for number, one in enumerate(claimed, 1)
        ]
        await store.write(partial(outcomes.commit, outcomes=done, now=NOW, owners=["a"] * 4))
        (sent,) = await store.write(
            partial(outbox.claim, channel="email", lease=Lease("a", NOW), now=NOW, limit=1)
        )
        attempt = Attempt(
            number=sent.number, outcome="sent", state="sent", provider="p", owner="a", started_at=NOW, ended_at=NOW
        )  # fmt: skip
        await store.write(partial(outbox.settle, attempts=[attempt]))
    do(postgres_url, f"UPDATE low_rating SET state = 'resolved', resolved_at = {NOW} WHERE feedback_id = 1")

    _forget(postgres_url, before=NOW)
    assert ask(postgres_url, "SELECT count(*) FROM feedback") == [(5,)]

    _forget(postgres_url, before=NOW + 1)
    assert ask(postgres_url, "SELECT id FROM feedback ORDER BY id") == [(2,), (4,), (5,)]
    assert ask(postgres_url, "SELECT feedback_id FROM low_rating") == [(2,)]
    assert ask(postgres_url, "SELECT feedback_id, state FROM message") == [(4, "queued")]
    assert ask(postgres_url, "SELECT count(*) FROM delivery_attempt") == [(0,)]


def _forget(url: str, before: int) -> None:
    (block,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    for statement in filter(str.strip, block.replace(":before", str(before)).split(";")):
        do(url, statement)
