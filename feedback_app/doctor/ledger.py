"""The ledger's place and files, as far as they can be judged from outside."""

from __future__ import annotations

import shlex
import sqlite3
import stat
from typing import TYPE_CHECKING

from feedback_app.doctor.findings import Finding, ok, problem, taken_apart, unchecked, warning
from feedback_app.store.migrate import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feedback_app.doctor.patient import Patient

_MENDED = (3, 51, 3)  # SQLite's version without the WAL-reset bug (sqlite.org/wal.html)
_ROOM = 64 * 1024 * 1024  # bytes below which a disk counts as full
_LARGE_LOG = 256 * 1024 * 1024  # bytes; 16 times what is left to grow where nobody is in the way
_ROUNDS = 2  # folding the log back may take its size once more


def place(patient: Patient) -> Iterator[Finding]:
    """Say where it is, which schema it has, or why it cannot be opened."""
    ledger = patient.ledger
    lines = patient.ledger_problems
    for line in lines:
        found, mend = taken_apart(line, _otherwise(patient))
        yield problem("ledger", found, mend)
    for line in ledger.warnings():
        found, mend = taken_apart(line, f"edit [store] url in {patient.file}")
        yield warning("ledger", found, mend)
    if lines:
        return
    revision = patient.revision
    if revision is None:
        yield ok("ledger", f"{ledger.name}: not there yet; the first command that needs it makes it")
    elif revision < HEAD:
        yield warning(
            "ledger",
            f"{ledger.name}: has schema {revision}, this program wants {HEAD}; a daemon upgrades it when it starts",
            "feedback-app db upgrade",
        )
    else:
        yield ok("ledger", f"{ledger.name}: schema {revision}")


def _otherwise(patient: Patient) -> str:
    if not patient.settings.store.is_sqlite:
        return f"start the server, or edit [store] url in {patient.file}"
    return f"edit [store] url in {patient.file}, or give this user the right to it"


def sqlite_version(patient: Patient) -> Iterator[Finding]:
    """Warn of the WAL-reset bug, which needs a second connection that checkpoints or commits at the same moment."""
    if patient.settings.store.is_sqlite and sqlite3.sqlite_version_info < _MENDED:
        yield warning(
            "SQLite",
            f"{sqlite3.sqlite_version} has the WAL-reset bug of 3.7.0 to 3.51.2, which needs two connections that "
            "write; this program writes with one",
            "let no other program write the ledger (sqlite3 -readonly), or run on SQLite 3.51.3",
        )


def integrity(patient: Patient) -> Iterator[Finding]:
    """Look through its pages."""
    if patient.ledger_problems or patient.revision is None:
        return
    if not patient.settings.store.is_sqlite:
        yield unchecked("integrity", "the server's own pages", "pg_amcheck looks at them")
        return
    lines = patient.ledger.damage(full=patient.full)
    if lines is None:
        yield unchecked("integrity", "takes longer than 10 s", "feedback-app doctor --full")
        return
    for line in lines:
        yield problem("integrity", f"{patient.ledger.name}: damaged: {line}", "restore it from a backup")
    if not lines:
        yield ok(
            "integrity",
            "every page and index is as it should be" if patient.full else "every page is as it should be",
        )


def room(patient: Patient) -> Iterator[Finding]:
    """Compare what is free with what the ledger's log may need."""
    if patient.ledger_problems and not patient.settings.store.is_sqlite:
        return
    ledger, log, free = patient.ledger.room()
    if not ledger and free is None:
        return  # the place is not there, as was said
    log = log or 0
    sizes = (
        f"the ledger has {_mib(ledger)}" + (f", its log {_mib(log)}" if log else "")
        if ledger
        else "no ledger yet"
    )
    if log > _LARGE_LOG:
        yield warning(
            "room",
            f"the ledger's log has grown to {_mib(log)}: somebody reads an old state for long",
            "feedback-app status names who reads; end that process",
        )
    if free is None:
        yield ok("room", sizes)
    elif free < max(_ROOM, _ROUNDS * log):
        yield problem(
            "room",
            f"{_mib(free)} free beside the ledger, at least {_mib(max(_ROOM, _ROUNDS * log))} are needed; {sizes}",
            "make room, or name a ledger on another disk in [store] url",
        )
    else:
        yield ok("room", f"{sizes}, {_mib(free)} are free")


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB" if size < 10 << 20 else f"{size >> 20:,} MiB"


def modes(patient: Patient) -> Iterator[Finding]:
    """Warn where others can read the customers' addresses and words."""
    open_ones = [one for one in patient.ledger.files() if one.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)]
    if open_ones:
        names = shlex.join(map(str, open_ones))
        yield warning(
            "ledger", f"others than its owner can read customers' data in {names}", f"chmod 600 {names}"
        )


CHECKS = (place, modes, sqlite_version, integrity, room)
