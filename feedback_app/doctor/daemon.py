"""Those who work on the ledger, and what waits there for a person."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from feedback_app.doctor.findings import Finding, ok, problem, warning
from feedback_app.store import daemons, health, sources, starts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from feedback_app.doctor.patient import Patient
    from feedback_app.model import Milliseconds

_STUCK = 90_000  # milliseconds without a heartbeat; they come every 10 seconds, and systemd waits as long
_SKEW = 5_000  # milliseconds between two clocks that still count as the same
_AHEAD = 60_000  # milliseconds by which what has happened may lie in the future
_START = "feedback-app run, or: systemctl start feedback-app"
_WAITING = {
    "held": ("messages may have left and wait for your word", "feedback-app messages list --state held"),
    "dead_messages": ("messages were given up", "feedback-app messages list --state dead"),
    "dead_ratings": ("ratings could not be processed", "feedback-app feedback list --state dead"),
    "dead_payloads": ("payloads of sources are no ratings", "feedback-app sources dead"),
}


def presence(patient: Patient) -> Iterator[Finding]:
    """Say who runs, and whether its heart beats."""
    pid = patient.daemon
    if pid is None:
        yield from _nobody(patient)
        return
    now = _ledger_now(patient)
    for one in patient.ledger.look(daemons.running):
        age = now - one["heartbeat_at"]
        who = f"pid {one['pid']} on {one['host']}"
        if age > _STUCK:
            yield problem(
                "daemon",
                f"{who} runs, and its last heartbeat is {age // 1000:,} s old: it is stuck or frozen",
                f"kill -USR1 {one['pid']} makes it log where; then restart it",
            )
        else:
            yield ok("daemon", f"{who} runs, last heartbeat {max(age, 0) // 1000} s ago")


def _nobody(patient: Patient) -> Iterator[Finding]:
    last = patient.ledger.look(daemons.last)
    if last is None:
        yield warning("daemon", "none runs, and none ever did", _START)
    elif last["stopped_at"] is None:
        since = _moment(last["heartbeat_at"])
        yield warning(
            "daemon", f"none runs; the last one ended without a word after {since}; see its log", _START
        )
    else:
        yield warning("daemon", f"none runs since {_moment(last['stopped_at'])}", _START)


def paused_starts(patient: Patient) -> Iterator[Finding]:
    """Say why a start waits."""
    paused = patient.ledger.look(partial(starts.paused, now=patient.now))
    if paused is not None:
        reason, until = paused
        yield problem(
            "daemon",
            f"its starts failed again and again, the next is paused until {_moment(until)}: {_line(reason)}",
            f"mend that, then: {_START}",
        )


def down(patient: Patient) -> Iterator[Finding]:
    """Say which channels and sources the daemons find down."""
    if patient.daemon is None:
        return
    running = patient.ledger.look(daemons.running)
    for name, one in _first_of("channels", running).items():
        if one.get("reason"):
            yield _channel_down(name, one["reason"], one["down_since"])
            continue
        for plugin, trouble in one.get("providers", {}).items():
            found = f"{plugin} is down since {_moment(trouble['down_since'])}, the next provider serves it: "
            yield warning(
                f"channel {name}",
                found + _line(trouble["reason"]),
                "mend what it says; it is tried again by itself",
            )
    for name, one in _first_of("sources", running).items():
        if one["state"] == "down":
            found = f"down since {_moment(one['down_since'])}, its ratings wait: {_line(one['reason'])}"
            yield problem(f"source {name}", found, "mend what it says; it is opened again by itself")


def _channel_down(name: str, reason: str, since: Milliseconds) -> Finding:
    if reason.startswith("suspended: "):
        mend = "mend the plugin, then reload the daemon: systemctl reload feedback-app, or kill -HUP"
    else:
        mend = "mend what it says; it is tried again by itself"
    return problem(
        f"channel {name}", f"down since {_moment(since)}, its messages wait: {_line(reason)}", mend
    )


def _first_of(what: str, running: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return each channel or source as the first daemon that names it finds it."""
    found: dict[str, Any] = {}
    for one in running:
        found = {**one[what], **found}
    return found


def paused_sources(patient: Patient) -> Iterator[Finding]:
    """Remind of sources that somebody paused."""
    for name, facts in patient.ledger.look(sources.known).items():
        if facts["paused_at"] is not None:
            found = f"paused since {_moment(facts['paused_at'])}"
            yield warning(f"source {name}", found, f"feedback-app sources resume {name}")


def waiting(patient: Patient) -> Iterator[Finding]:
    """Count what only a person moves on."""
    counts = patient.ledger.look(health.waiting_for_people)
    for name, (what, command) in _WAITING.items():
        if counts[name]:
            yield warning("waiting", f"{counts[name]:,} {what}", command)


def preferences(patient: Patient) -> Iterator[Finding]:
    """Name the channels that customers prefer and nobody serves."""
    unserved = patient.ledger.look(health.preferred_channels) - set(patient.host.notifiers)
    for name in sorted(unserved)[:10]:
        yield warning(
            f"channel {name[:60]!r}",
            "customers prefer it and no plugin serves it; they are thanked by their next channel, or not",
            f"configure or install a plugin for it; `feedback-app plugins new {name[:60]}` writes one to start from",
        )


def clocks(patient: Patient) -> Iterator[Finding]:
    """Compare the clock with the server's, and with what was written down last."""
    server = patient.ledger.look(health.server_clock)
    now = patient.now
    if server is not None and abs(now - server) > _SKEW:
        yield warning(
            "clock",
            f"differs from the database server's by {(now - server) / 1000:+,.0f} s",
            "timedatectl set-ntp true, here and there",
        )
    ahead = (patient.ledger.look(health.newest) or 0) - patient.now
    if ahead > _AHEAD:
        yield problem(
            "clock",
            f"the ledger has entries from {ahead / 1000:,.0f} s in the future: the clock is behind, or was ahead",
            "set the clock: timedatectl set-ntp true",
        )
    else:
        yield ok("clock", f"{_moment(patient.now)}, fits the ledger's entries")


def _ledger_now(patient: Patient) -> Milliseconds:
    """Return the time by the clock that heartbeats go by."""
    return patient.ledger.look(health.server_clock) or patient.now


def _moment(at: Milliseconds) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _line(text: str) -> str:
    return " ".join(text.split())


CHECKS = (presence, paused_starts, down, paused_sources, waiting, preferences, clocks)
