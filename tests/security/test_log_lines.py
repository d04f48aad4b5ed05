"""Nothing that is logged makes a line of its own or moves a cursor (S17), and no error's words are logged (S11)."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator

import pytest

from feedback_app.cli.logs import set_up_logging
from feedback_app.logs import flush_logs

NASTY = [
    'x\n{"event": "forged", "level": "info"}',
    "x\r\nforged",
    "x\rforged",
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b2J",
    "\b\b\b\x7f",
    "\u2028forged\u2029forged\x85forged\x0bforged\x0cforged\x1cforged",
    "\u202edegrof",
    "\0",
    "\ud800",
]
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # what the console itself writes
OURS = logging.getLogger("feedback_app.test")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    yield
    root.handlers[:], level, logging.raiseExceptions = before
    root.setLevel(level)
    for name in ("feedback_app", "feedback_app_dropins"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture(params=[False, True], ids=["JSON", "terminal"])
def terminal(request: pytest.FixtureRequest) -> bool:
    """Log as to a file and as to a person."""
    on_terminal: bool = request.param
    return on_terminal


def _log(capfd: pytest.CaptureFixture[str], *, terminal: bool, work: Callable[[], object]) -> str:
    """Return what is logged while `work` is done."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.stderr, "isatty", lambda: terminal)
        set_up_logging(debug=True)
        work()
        flush_logs()
    return COLOURS.sub("", capfd.readouterr().err)


@pytest.mark.parametrize("value", NASTY, ids=ascii)
def test_every_logged_value_stays_in_its_line(
    value: str, terminal: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """As a field, as a part of a structure, as a message, and as what an error says."""

    def work() -> None:
        try:
            _refuse(value)
        except ValueError:
            OURS.exception("failed", extra={"reason": value, "many": [value], "table": {"key": value}})
        logging.getLogger("library").warning(value)

    said = _log(capfd, terminal=terminal, work=work)

    assert len(said.splitlines()) == 2
    assert all(line.isprintable() for line in said.splitlines())
    if not terminal:
        events = [json.loads(line) for line in said.splitlines()]
        assert events[0]["event"] == "failed"
        assert events[0]["reason"] == value
        assert events[1]["event"] == value.partition("\n")[0]


def test_an_error_is_logged_by_its_places(terminal: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """With what was behind it; what they say, and the values of variables, may be customers' words."""

    def work() -> None:
        try:
            _fail("canary@example.com")
        except RuntimeError:
            OURS.exception("it failed")

    said = _log(capfd, terminal=terminal, work=work)

    assert "RuntimeError" in said
    assert "behind it ValueError" in said
    assert said.count("_fail") == 2
    assert "canary" not in said


def _refuse(value: str) -> None:
    raise ValueError(value)


def _fail(address: str) -> None:
    try:
        _refuse(address)
    except ValueError as error:
        raise RuntimeError(f"no {address}") from error


def test_a_task_that_nobody_waited_for_is_logged_without_its_words(
    terminal: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Python's asyncio repeats the error of a plugin's lost task in the further lines of what it logs."""

    async def fail() -> None:
        raise RuntimeError("canary@example.com")

    async def lose() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])

    def work() -> None:
        asyncio.run(lose())
        gc.collect()

    said = _log(capfd, terminal=terminal, work=work)

    assert "Task exception was never retrieved" in said
    assert "RuntimeError" in said
    assert "canary" not in said


def test_libraries_fill_in_nothing(terminal: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """What they would is an address as often as not; who says it is told instead."""

    def work() -> None:
        logging.getLogger("aiosmtplib").warning("to %s", "canary@example.com")
        OURS.warning("ticker %s", "daily")

    said = _log(capfd, terminal=terminal, work=work)

    assert "to %s" in said
    assert "aiosmtplib" in said
    assert "canary" not in said
    assert "ticker daily" in said


def test_libraries_are_silent_below_a_warning(terminal: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever is asked for: their DEBUG lines hold SQL parameters, addresses and headers."""

    def work() -> None:
        for name in ("aiosqlite", "sqlalchemy.engine", "httpx2", "aiosmtplib", "asyncio"):
            logging.getLogger(name).info("canary")
            logging.getLogger(name).debug("canary")
        OURS.debug("ours")

    said = _log(capfd, terminal=terminal, work=work)

    assert "ours" in said
    assert "canary" not in said
