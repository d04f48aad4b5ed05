"""What a provider is given by the day, while other daemons record how their tries ended."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, event

from feedback_app.store import limits, outbox
from feedback_app.store.limits import Limit
from feedback_app.store.outbox import Lease
from tests.making import NOW, message
from tests.postgres import do, store_on

FEW = Limit(provider="p", channel="email", per_day=2)
SETTLED = f"""UPDATE message SET state = 'sent';
INSERT INTO tries_by_minute (provider, minute, tries) VALUES ('p', {NOW // 60_000}, 2)"""


async def test_what_ends_while_it_is_counted_is_not_missed(postgres_url: str) -> None:
    """It stops being sent and becomes a try that ended between one look and the next, each at its own snapshot."""
    looks: list[str] = []

    def settle_after_the_first_look(_connection: object, _cursor: object, statement: str, *_: Any) -> None:
        if "tries_by_minute" in statement or "state = 'sending'" in statement:
            looks.append(statement)
            if len(looks) == 1:
                do(postgres_url, SETTLED)

    def ask(connection: Connection) -> int:
        event.listen(connection, "after_cursor_execute", settle_after_the_first_look)
        return limits.allowance(connection, FEW, 10, NOW).count

    async with store_on(postgres_url) as store:
        entries = [message(number) for number in (1, 2)]
        await store.write(lambda connection: outbox.enqueue(connection, entries, NOW))
        lease = Lease("b", NOW, "p")
        await store.write(lambda connection: outbox.claim(connection, "email", lease=lease, now=NOW, limit=2))
        assert await store.write(ask) == 0
    assert len(looks) == 2
