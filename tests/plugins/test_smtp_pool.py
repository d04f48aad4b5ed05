"""C16: a mail server that allows fewer connections than we would like is found out, not fought."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_app import ChannelDown, Customer
from feedback_app.plugins._smtp_conversation import Limits
from feedback_app.plugins._smtp_window import Window
from tests.making import NOW, incoming
from tests.plugins.mail_helpers import failure_of, message, notifier, opened
from tests.plugins.scripted_smtp import ScriptedSmtpServer
from tests.running import DEADLINE, add, daemon, rows
from tests.servers import Act

if TYPE_CHECKING:
    from pathlib import Path

    from feedback_app import Notifier

_PAUSE = Limits().growth


class HandClock:
    """A clock that goes on by a hair at each look, and by more only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        self.now += 1e-6
        return self.now


async def send_all(one: Notifier, numbers: range) -> None:
    """Send all at once; any failure is raised."""
    await asyncio.gather(*(one.send(message(number)) for number in numbers))


@pytest.mark.parametrize(("used", "expected"), [(8, 4), (7, 4), (4, 2), (3, 2), (2, 1), (1, 1)])
def test_one_refusal_halves_what_is_used(used: int, expected: int) -> None:
    """Rounded up, so one beyond a limit of two goes back to two; never less than one."""
    window = Window(8, _PAUSE)
    window.cut(used=used, begun=1.0, now=2.0)
    assert expected == window.size(2.0)


def test_a_burst_of_refusals_counts_once_and_the_next_one_again() -> None:
    """What began before the cut knew nothing of it."""
    window = Window(8, _PAUSE)
    for _ in range(8):
        window.cut(used=8, begun=1.0, now=2.0)
    assert window.size(2.0) == 4
    window.cut(used=4, begun=2.5, now=3.0)
    assert window.size(3.0) == 2


@given(
    most=st.integers(1, 100),
    steps=st.lists(st.tuples(st.floats(0.001, 1000), st.integers(1, 100), st.booleans()), max_size=30),
)
def test_the_window_shrinks_at_once_and_grows_by_one_at_a_time(
    most: int, steps: list[tuple[float, int, bool]]
) -> None:
    """Always within one and the most; a refusal never widens it, a pause adds one, patience brings all back."""
    window, now = Window(most, _PAUSE), 0.0
    for wait, used, refused in steps:
        before = window.size(now)
        now += wait
        grown = window.size(now)
        assert before <= grown <= min(most, before + wait / _PAUSE + 1)
        if refused:
            window.cut(used=used, begun=now, now=now)
            assert 1 <= window.size(now) <= max(1, (min(grown, used) + 1) // 2)
    assert most == window.size(now + most * _PAUSE)


async def test_all_mails_get_through_a_server_that_allows_two_connections() -> None:
    """Eight would be tried: none of the mails fails, and once the two are found nobody is turned away any more."""
    clock = HandClock()
    async with (
        ScriptedSmtpServer(room=2) as server,
        opened(notifier(server, connections=8, clock=clock)) as one,
    ):
        await send_all(one, range(40))
        found_out = server.seen.count("CONNECT")
        await send_all(one, range(40, 80))
        assert server.seen.count("CONNECT") == found_out <= 2 + 8
        clock.now += _PAUSE
        await send_all(one, range(80, 120))
        assert server.seen.count("CONNECT") == found_out + 1, "one more is tried after the pause"
    assert sorted(server.taken) == sorted(f"thanks-{number}" for number in range(120))


async def test_a_daemon_with_too_many_connections_burns_no_attempt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Sixteen workers, eight connections, two allowed: every message is sent at its first try, the channel is up."""
    ada = Customer(id="c1", email="ada@example.com")
    await add(tmp_path / "feedback.db", [incoming(f"r{n}", contact=ada) for n in range(60)], NOW)
    async with ScriptedSmtpServer(room=2) as server:
        config = tmp_path / "config.toml"
        config.write_text(f"""
[plugins.email_notifier]
transport = "smtp"
host = "127.0.0.1"
port = {server.port}
connections = 8
""")
        async with asyncio.timeout(DEADLINE):
            await daemon(config).run(drain=True)
    tries = rows(tmp_path / "feedback.db", "SELECT outcome, count(*) FROM delivery_attempt GROUP BY outcome")
    assert tries == [("sent", 60)]
    assert len(set(server.taken)) == len(server.taken) == 60
    assert server.seen.count("CONNECT") > 2, "nobody was turned away"
    assert "channel down" not in caplog.text


async def test_the_pool_grows_back_when_the_server_has_room_again() -> None:
    """One connection more after each pause, up to the configured number."""
    clock = HandClock()
    async with (
        ScriptedSmtpServer(room=2) as server,
        opened(notifier(server, connections=5, clock=clock)) as one,
    ):
        await send_all(one, range(10))
        server.room = 100
        sizes = []
        for start in range(10, 60, 10):
            await send_all(one, range(start, start + 10))
            sizes.append(server.most_open)
            clock.now += _PAUSE
    assert sizes == [2, 3, 4, 5, 5]


async def test_a_server_that_takes_nobody_is_down_at_once() -> None:
    """With no other connection to wait for, each mail is given back without an attempt."""
    async with ScriptedSmtpServer(room=0) as server, opened(notifier(server, connections=8)) as one:
        async with asyncio.timeout(10):
            failures = await asyncio.gather(*(failure_of(one, message(number)) for number in range(16)))
    assert all(isinstance(failure, ChannelDown) for failure in failures)
    assert server.seen.count("CONNECT") <= 3 * 16


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
async def test_a_421_in_mid_talk_closes_connections_that_are_not_needed(step: str) -> None:
    """The server has too much to do: of four idle ones, the one that was told so and those beyond half are ended."""
    async with ScriptedSmtpServer() as server, opened(notifier(server, connections=4)) as one:
        await send_all(one, range(4))
        server.answer(step, "421 too busy")
        sends = (one.send(message(number)) for number in range(4, 8))
        await asyncio.gather(*sends, return_exceptions=True)
        await server.reached("QUIT")
        await one.send(message(8))
    assert server.seen.count("CONNECT") == 4 + (step == "MAIL")


async def test_a_mail_waits_only_so_long_for_its_turn() -> None:
    """It is given back without an attempt, and the connection that was busy is none the worse for it."""
    limits = Limits(turn=0.05)
    async with ScriptedSmtpServer({"DOT": [Act.HANG]}) as server, opened(notifier(server, limits, 1)) as one:
        sending = asyncio.create_task(one.send(message(1)))
        await server.reached("DOT")
        failure = await failure_of(one, message(2))
        sending.cancel()
        await asyncio.wait((sending,))
        await one.send(message(3))
    assert isinstance(failure, ChannelDown)
    assert f"all connections to 127.0.0.1:{server.port} were busy" in failure.reason
    assert server.taken == ["thanks-3"]
