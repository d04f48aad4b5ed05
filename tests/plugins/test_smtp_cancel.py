"""C13: a send that is cancelled or timed out, at whatever moment, never spoils the next one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_app.plugins._smtp_conversation import Limits
from tests.plugins.mail_helpers import message, notifier, opened
from tests.plugins.scripted_smtp import ScriptedSmtpServer
from tests.servers import Act

if TYPE_CHECKING:
    from feedback_app import Notifier, Receipt

_WITHIN_ANY_TALK = 1000  # turns of the event loop; a send has ended long before


async def cut_at(one: Notifier, number: int, moment: int) -> Receipt | None:
    """Send, cancel after so many turns of the event loop; the receipt, or None for a send that was cut."""
    sending = asyncio.create_task(one.send(message(number)))
    for _ in range(moment):
        if sending.done():
            break
        await asyncio.sleep(0)
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        return await sending
    return None


async def assert_own_reply(one: Notifier, server: ScriptedSmtpServer, number: int) -> None:
    """Check that a mail that nobody cuts goes out once and gets the reply to itself."""
    assert (await one.send(message(number))).detail == f"250 queued thanks-{number}"
    assert server.taken.count(f"thanks-{number}") == 1


@pytest.mark.parametrize("pipelining", [False, True], ids=["line by line", "pipelined"])
@pytest.mark.parametrize("limits", [Limits(mails=1), Limits()], ids=["new connection", "kept connection"])
async def test_c13_a_cancel_at_every_single_moment_of_a_talk(limits: Limits, *, pipelining: bool) -> None:
    """Each turn of the event loop once: what is said to be sent was taken, and the next mail gets its own reply."""
    cut = 0
    for moment in range(_WITHIN_ANY_TALK):
        async with (
            ScriptedSmtpServer(pipelining=pipelining) as server,
            opened(notifier(server, limits, connections=1)) as one,
        ):
            await assert_own_reply(one, server, 0)
            receipt = await cut_at(one, 1, moment)
            await assert_own_reply(one, server, 2)
        if receipt is not None:
            assert receipt.detail == "250 queued thanks-1"
            break
        cut += 1
    assert cut >= 8, "the talk was cut at too few moments to mean anything"


@settings(max_examples=25, deadline=None)
@given(moments=st.lists(st.integers(0, 60), min_size=2, max_size=6), pipelining=st.booleans())
async def test_c13_whatever_is_cut_together_with_others(moments: list[int], *, pipelining: bool) -> None:
    """Several at once on two connections, with waiting ones among them: no turn is lost, no reply is mixed up."""
    async with (
        ScriptedSmtpServer(pipelining=pipelining) as server,
        opened(notifier(server, connections=2)) as one,
    ):
        await assert_own_reply(one, server, 99)
        sends = (cut_at(one, number, moment) for number, moment in enumerate(moments))
        receipts = await asyncio.gather(*sends)
        for number in (100, 101, 102):
            await assert_own_reply(one, server, number)
    for number, receipt in enumerate(receipts):
        assert receipt is None or receipt.detail == f"250 queued thanks-{number}"
        assert server.taken.count(f"thanks-{number}") <= 1
        assert receipt is None or f"thanks-{number}" in server.taken


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "DOT"])
async def test_c13_a_cancelled_send_takes_its_connection_with_it(step: str) -> None:
    """The server sees it closed, and whoever comes next gets a new one."""
    async with ScriptedSmtpServer({step: [Act.HANG]}) as server, opened(notifier(server)) as one:
        sending = asyncio.create_task(one.send(message(1)))
        await server.reached(step)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await assert_own_reply(one, server, 2)
    assert server.seen.count("CONNECT") == 2
