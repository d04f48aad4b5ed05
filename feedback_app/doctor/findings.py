"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "warning", "problem", "not checked"]


_NO_MENDS = ("known: ", "there are", "it ", "its ", "allowed are ", "tables are ", "the key is ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at; no secrets and no customers' data in it."""

    state: State
    about: str  # what was looked at, in a few words
    found: str  # one line
    mend: str = ""  # one command or one edit; "" where there is nothing to mend


def ok(about: str, found: str) -> Finding:
    """Return what is well."""
    return Finding(state="ok", about=about, found=found)


def warning(about: str, found: str, mend: str) -> Finding:
    """Return what works now and may not for ever, or waits for a person."""
    return Finding(state="warning", about=about, found=found, mend=mend)


def problem(about: str, found: str, mend: str) -> Finding:
    """Return what does not work."""
    return Finding(state="problem", about=about, found=found, mend=mend)


def unchecked(about: str, why: str, mend: str = "") -> Finding:
    """Return what could not be looked at."""
    return Finding(state="not checked", about=about, found=why, mend=mend)


def taken_apart(line: str, otherwise: str) -> tuple[str, str]:
    """Split a line of the program's own, "what is wrong; what to do", where it says what to do."""
    found, sign, mend = line.rpartition("; ")
    if not sign or mend.startswith(_NO_MENDS):
        return line, otherwise
    return found, mend.removeprefix("run: ")
