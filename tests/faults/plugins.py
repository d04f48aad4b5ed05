"""A plugin that does one wrong thing at one place, beside one that is well, in the real daemon.

Whatever it does, the other plugin's messages are sent, once, the low ratings are kept, the log names it and no
customer, and SIGTERM ends the process in order.
"""

from __future__ import annotations

import asyncio
import math
import random
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from feedback_app.clock import now_ms
from feedback_app.intake.records import Incoming
from feedback_app.model import Customer
from feedback_app.store import ratings
from feedback_app.store.sqlite.store import SqliteStore
from tests.faults.program import Program
from tests.making import incoming

_EACH = 8  # ratings of each kind: for the good channel, for the evil one, low
_LIMIT = 60.0  # seconds that anything may take
_STOP_LIMIT = 6.0  # grace 1 s, and what is left behind gets 1 s each time

GOOD = '''
"""Writes down what it sends."""

from pathlib import Path

from feedback_app import Message, Notifier, Receipt, hookimpl


class Good(Notifier):
    channel = "good"
    on_unknown = "resend"

    async def send(self, message: Message) -> Receipt:
        with Path(__file__).with_name("sent.log").open("a") as log:
            log.write(message.id + "\\n")
        return Receipt()


@hookimpl
def make_notifier(settings):
    return Good()
'''

EVIL = '''
"""Does one wrong thing."""

import asyncio
import itertools
import threading
import time

from feedback_app import Analyser, Message, Notifier, Receipt, hookimpl

calls = itertools.count()
blocks = itertools.count()


async def deaf():
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass


async def deaf_to_all():
    while True:
        try:
            await asyncio.sleep(1000)
        except BaseException:
            pass


{at_import}


class Evil(Notifier):
    channel = "evil"
    on_unknown = "resend"
    timeout = 0.3

    async def send(self, message):
        if next(calls) % {every} == 0:
            {at_send}
        return Receipt()

    def address(self, customer):
        message = customer
        {at_address}
        return customer.id

    async def open(self):
        message = "nobody"
        {at_open}

    async def close(self):
        message = "nobody"
        {at_close}


class Facts(Analyser):
    name = "facts"
    timeout = 0.3

    async def analyse(self, feedback):
        message = feedback
        if next(calls) % {every} == 0:
            {at_analyse}
        return {{"length": len(feedback.comment)}}


@hookimpl
def make_notifier(settings):
    message = "nobody"
    {at_hook}
    return Evil()


@hookimpl
def make_analyser(settings):
    return Facts()
'''

_RAISED = (
    "ValueError(message)", "SystemExit(3)", "KeyboardInterrupt(message)", "GeneratorExit", "BaseException(message)",
    "StopIteration(message)", "StopAsyncIteration", "asyncio.CancelledError", "RecursionError", "MemoryError",
    "ExceptionGroup('x', [ValueError(message)])", "BaseExceptionGroup('x', [SystemExit(message)])",
)  # fmt: skip
_ANYWHERE = {
    **{f"raise {one}": f"raise {one}" for one in _RAISED},
    "block": "time.sleep(0.9 if next(blocks) < 3 else 0)",
    "thread": "threading.Thread(target=time.sleep, args=(1000,), name='left').start()",
    "print": "print('talk')",
}
_AWAITED = {
    "hang": "await asyncio.Event().wait()",
    "deaf": "await deaf()",
    "deaf to all": "await deaf_to_all()",
    "task": "asyncio.create_task(deaf_to_all())",
    "executor": "await asyncio.to_thread(time.sleep, 1000)",
    "cancel": "asyncio.current_task().cancel(); await asyncio.sleep(0)",
}
_ANSWERS = {"none": "return None", "number": "return 5", "coroutine": "return deaf()"}


class Case(NamedTuple):
    """What is wrong where."""

    site: str
    fault: str


def _cases() -> Iterator[tuple[Case, str]]:
    for site in ("import", "hook", "address", "open", "close", "send", "analyse"):
        faults = dict(_ANYWHERE)
        if site in ("send", "analyse"):
            faults |= _AWAITED
        if site in ("open", "close"):  # what hangs there has 30 and 10 seconds
            faults |= {one: _AWAITED[one] for one in ("task", "cancel")}
        if site not in ("import", "open", "close"):
            faults |= _ANSWERS
        for fault, code in faults.items():
            yield Case(site, fault), code


CASES = dict(_cases())


@dataclass(kw_only=True)
class Figures:
    """What became of plugins and messages."""

    refused: int = 0  # starts, in a line that names the plugin
    left_out: int = 0
    suspended: int = 0
    stalls_named: int = 0
    good_sent: int = 0
    evil_sent: int = 0
    evil_waiting: int = 0
    evil_dead: int = 0
    slowest_stop: float = 0.0
    broken: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int) -> Figures:
    """Try `seeds` cases, in an order that covers all of them before any comes again."""
    figures = Figures()
    for seed in range(first_seed, first_seed + seeds):
        asyncio.run(_try(seed, figures))
    return figures


def case_of(seed: int) -> Case:
    """Return what is wrong in this case."""
    order = random.Random(seed // len(CASES)).sample(sorted(CASES), len(CASES))
    return order[seed % len(CASES)]


async def _try(seed: int, figures: Figures) -> None:
    case, chance = case_of(seed), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="feedback-plugins-") as name:
        folder = Path(name)
        every = chance.choice((1, 1, 2, 3))  # each of so many calls goes wrong
        _write(folder, case, every)
        await _fill(folder)
        program = await Program.start(folder, "run")
        try:
            await _live(folder, program, case, figures, innocent=_EACH - math.ceil(_EACH / every))
        except (TimeoutError, RuntimeError) as error:
            figures.broken.append(f"{_named(seed, case)}: {type(error).__name__}: {program.said[-600:]}")
            program.signal(signal.SIGKILL)
            await program.ended(_LIMIT)


def _named(seed: int, case: Case) -> str:
    return f"seed {seed}, {case.fault} in {case.site}"


def _write(folder: Path, case: Case, every: int) -> None:
    sites = {
        f"at_{site}": "pass" for site in ("import", "hook", "address", "open", "close", "send", "analyse")
    }
    sites[f"at_{case.site}"] = CASES[case]
    if case.site == "import":
        sites["at_import"] = f"message = 'nobody'\n{CASES[case]}"
    (folder / "plugins").mkdir(mode=0o755)
    (folder / "plugins" / "evil.py").write_text(EVIL.format(every=every, **sites))
    (folder / "plugins" / "good.py").write_text(GOOD)
    (folder / "config.toml").write_text(
        '[daemon]\ngrace = "1s"\n[delivery]\nworkers = 2\nbackoff_initial = "100ms"\nbackoff_maximum = "1s"\n'
        '[plugins]\ndisabled = ["email_notifier", "sms_notifier"]\n'
    )


async def _fill(folder: Path) -> None:
    async with SqliteStore(folder / "feedback.db") as store:
        await store.write(partial(ratings.take_in, arrivals=_arrivals(), now=now_ms()))


def _arrivals() -> list[Incoming]:
    people = {
        channel: Customer(id=f"canary-{channel}", name="Canary", preferred_channels=(channel,))
        for channel in ("good", "evil")
    }
    arrivals = []
    for number in range(_EACH):
        for channel, one in people.items():
            arrivals.append(incoming(f"{channel}{number}", customer=one.id, contact=one, comment="canary"))
        arrivals.append(incoming(f"low{number}", rating=1, customer=None, comment="canary"))
    return arrivals


async def _live(folder: Path, program: Program, case: Case, figures: Figures, innocent: int) -> None:
    """Let the daemon work until all is done that can be, stop it, and judge.

    `innocent` of the evil plugin's own messages go well, even where each other one hangs.
    """
    if not await _stands(program, case):
        figures.refused += 1
        return
    async with asyncio.timeout(_LIMIT):
        while not _done(folder, innocent if case.site == "send" else 0):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.05)
        if case.fault == "block" and case.site in ("send", "analyse", "address", "open"):
            await program.until("the event loop is blocked", _LIMIT)
    begun = time.perf_counter()
    program.signal(signal.SIGTERM)
    code = await program.ended(_LIMIT)
    took = time.perf_counter() - begun
    figures.slowest_stop = max(figures.slowest_stop, took)
    if code != 0 or took > _STOP_LIMIT:
        raise RuntimeError(f"ended with {code} after {took:.1f} s")
    _judge(folder, program, case, figures)


async def _stands(program: Program, case: Case) -> bool:
    """Wait until the daemon is ready; False when it rightly refuses to start, in words that name the plugin."""
    refusal = case.site == "open" or case == Case("hook", "raise ValueError(message)")
    try:
        await program.ready(_LIMIT)
    except RuntimeError:
        if refusal and await program.ended(_LIMIT) == 78 and "evil" in program.said.splitlines()[-1]:
            return False
        raise
    return True


def _done(folder: Path, innocent: int) -> bool:
    (low,) = _ask(folder, "SELECT count(*) FROM low_rating")[0]
    sent: dict[str, int] = dict(
        _ask(folder, "SELECT channel, count(*) FROM message WHERE state = 'sent' GROUP BY channel")
    )
    return sent.get("evil", 0) >= innocent and sent.get("good", 0) == _EACH and bool(low == _EACH)


def _judge(folder: Path, program: Program, case: Case, figures: Figures) -> None:
    sent = (folder / "plugins" / "sent.log").read_text().splitlines()
    if len(set(sent)) != _EACH or len(sent) != _EACH:
        raise RuntimeError(f"the good plugin sent {len(sent)}")
    if "Traceback" in program.said or "Exception ignored" in program.said:
        raise RuntimeError("a traceback was printed")
    states = dict(_ask(folder, "SELECT state, count(*) FROM message WHERE channel = 'evil' GROUP BY state"))
    figures.good_sent += len(sent)
    figures.evil_sent += states.get("sent", 0)
    figures.evil_dead += states.get("dead", 0)
    figures.evil_waiting += sum(states.get(one, 0) for one in ("queued", "sending", "held"))
    figures.left_out += "plugin left out" in program.said
    figures.suspended += "suspended: 5 failures in a row of plugin evil" in program.said
    if "the event loop is blocked" in program.said and case.fault == "block":
        figures.stalls_named += 1
        if '"plugin": "evil"' not in program.said:
            raise RuntimeError("the plugin that blocks the loop was not named")


def _ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    ledger = sqlite3.connect(folder / "feedback.db")
    try:
        return ledger.execute(query).fetchall()
    finally:
        ledger.close()
