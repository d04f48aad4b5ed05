"""The configuration: all that is wrong with it, who can read and write it, and what does not fit the machine."""

from __future__ import annotations

import os
import re
import resource
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedback_app.doctor.findings import Finding, ok, problem, taken_apart, warning
from feedback_app.errors import FeedbackAppError
from feedback_app.settings.durations import format_duration
from feedback_app.settings.redaction import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from feedback_app.doctor.patient import Patient

UNITS = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))
_UNIT = "feedback-app.service"
_STOP_LIMIT = 90.0  # seconds that systemd gives where the unit says nothing
_AFTER_GRACE = 5.0  # seconds for what comes after the grace: noting the end, closing
_FILES = 64  # open files of a daemon without channels and sources: ledger, lock, log, threads, libraries
_FILES_OF_A_SOURCE = 8


def settings(patient: Patient) -> Iterator[Finding]:
    """Say all that is wrong with files and variables."""
    for line in patient.reading.problems:
        found, mend = taken_apart(line, _mend(line, patient))
        yield problem("settings", found, mend)
    found_in = patient.reading.settings
    if not patient.reading.problems and found_in is not None:
        files = ", ".join(map(str, found_in.files))
        yield ok("settings", files or "no configuration file, the defaults hold")


def _mend(line: str, patient: Patient) -> str:
    if line.endswith("permission denied"):
        return f"give user {os.geteuid()} the right to read it, or be the daemon's user"
    variable = re.match(r"FEEDBACK_APP_\w+", line)
    origin = f"the variable {variable[0]}" if variable else patient.file
    return f"edit {origin}; `feedback-app config check` checks it"


def exposed(patient: Patient) -> Iterator[Finding]:
    """Warn of secrets that others can read, and of files that others can write."""
    for line in patient.settings.warnings:
        found, mend = taken_apart(line, f"edit {patient.file}")
        yield warning("settings", found, mend)
    for file in patient.settings.files:
        if file.stat().st_mode & stat.S_IWOTH:
            command = f"chmod o-w {shlex.quote(str(file))}"
            yield problem("settings", f"{file}: anybody on this machine can change it", command)


def secret_files(patient: Patient) -> Iterator[Finding]:
    """Look at the files that hold the secrets; one that cannot be read is the plugin's to refuse."""
    tables = {"store": patient.settings.store.model_dump(), **patient.settings.plugins.tables}
    for key, written in sorted(_secret_files(tables)):
        file = patient.settings.directory / written
        if not file.is_file():
            continue
        yield from _secret_file(key, file)


def _secret_file(key: str, file: Path) -> Iterator[Finding]:
    if file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        command = f"chmod 600 {shlex.quote(str(file))}"
        yield warning("secrets", f"{key}: {file} can be read by others than its owner", command)
    try:
        content = file.read_bytes()[:4096]
    except OSError as error:
        yield problem(
            "secrets",
            f"{key}: cannot read {file}: {error.strerror}",
            f"chown it to the daemon's user: {file}",
        )
        return
    bare = content.rstrip(b"\r\n")
    if bare.strip() and bare != bare.strip():
        yield warning(
            "secrets",
            f"{key}: {file} has blanks around the secret, which count as part of it",
            f"write it anew, with one line and nothing else: {file}",
        )


def _secret_files(tables: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tables.items():
        place = f"{at}.{key}" if at else str(key)
        if isinstance(value, dict):
            if key == "url_files":  # apprise_notifier's, whose URLs hold tokens
                yield from (
                    (f"{place}.{name}", file) for name, file in value.items() if isinstance(file, str)
                )
            yield from _secret_files(value, place)
        elif (
            isinstance(value, str)
            and value
            and key.endswith("_file")
            and is_secret(key.removesuffix("_file"))
        ):
            yield place, value


def grace(patient: Patient) -> Iterator[Finding]:
    """Warn where systemd kills the daemon before its grace is over."""
    unit = next((file for folder in UNITS if (file := folder / _UNIT).is_file()), None)
    if unit is None:
        return
    limit = _stop_limit(unit.read_text(encoding="utf-8", errors="replace"))
    own = patient.settings.daemon.grace
    if own + _AFTER_GRACE > limit:
        yield warning(
            "stopping",
            f"{unit} kills the daemon after {limit:g} s, [daemon] grace is {format_duration(own)}",
            f"write TimeoutStopSec={own + 15:g}s into {unit}, then: systemctl daemon-reload",
        )


def _stop_limit(unit: str) -> float:
    written = re.findall(r"^\s*Timeout(?:Stop)?Sec\s*=\s*(\w+)\s*$", unit, re.MULTILINE)
    found = re.fullmatch(r"(\d+)(s|min)?", written[-1]) if written else None
    if found is None:
        return float("inf") if written else _STOP_LIMIT
    return float(found[1]) * (60 if found[2] == "min" else 1) or float("inf")


def open_files(patient: Patient) -> Iterator[Finding]:
    """Compare the limit with what all channels at once and all sources may need."""
    limit, whose = _files_limit(patient)
    workers, channels = patient.settings.delivery.workers, len(patient.host.notifiers)
    needed = _FILES + channels * workers + len(patient.host.sources) * _FILES_OF_A_SOURCE
    if limit != resource.RLIM_INFINITY and limit < needed:
        yield warning(
            "open files",
            f"{whose} is {limit:,}; {channels} channels with {workers} workers each may need {needed:,}",
            f"ulimit -n {needed}, or LimitNOFILE={needed} in the unit; or lower [delivery] workers",
        )
    else:
        yield ok("open files", f"{whose} is {limit:,}, {needed:,} may be needed")


def _files_limit(patient: Patient) -> tuple[int, str]:
    """Return the limit of the daemon where one runs here, else of this process, and whose it is."""
    try:
        if patient.settings.store.is_sqlite and (pid := patient.daemon):
            return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0], "the daemon's limit"
    except (FeedbackAppError, OSError):
        pass  # it is another user's, or the ledger is what it should not be, as is said elsewhere
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0], "the limit here"


CHECKS = (settings,)
MORE_CHECKS = (exposed, secret_files, grace, open_files)  # of what could be read
