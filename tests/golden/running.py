"""Runs a golden case, in this process or in one of its own, and returns what came of it."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import time_machine

from feedback_app.cli import run_command_line
from tests.golden import ledgers, packages, rights, setups
from tests.golden.case import Case
from tests.golden.rights import NOBODY

NOW = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)  # for whatever depends on the day

SETUPS = {**setups.SETUPS, **ledgers.SETUPS, **rights.SETUPS, **packages.SETUPS}

# Said about the machine that runs the tests, not about the case.
_ABOUT_THE_MACHINE = (
    '{"event": "running as root',
    "warning: {dir}/feedback.db: is kept in memory",
    '{"event": "check the settings", "level": "warning", "warning": "{dir}/feedback.db: is kept in memory',
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What a command left."""

    exit: int
    stdout: str
    stderr: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a case left."""

    ran: Ran
    shown: str | None  # what its `then` printed


def outcome(case: Case, *, process: bool) -> Outcome:
    """Make the case's folder, run its commands in it, and clean up."""
    with tempfile.TemporaryDirectory(prefix="golden-") as name:  # pytest's own are closed to other users
        folder = Path(name).resolve()
        folder.chmod(0o755)
        _write(case, folder)
        setup = SETUPS[case.setup] if case.setup else nullcontext
        with _surroundings(folder, case.env):
            for arguments in case.before:
                ready = _run_here(arguments, "")
                assert ready.exit == 0, f"{arguments} failed: {ready.stderr}"
            with setup(folder):
                ran = (_run_process if process else _run_here)(case.run, case.stdin)
                shown = _shown(case) if case.then else None
        return Outcome(ran=_neutral(ran, folder), shown=shown and shown.replace(str(folder), "{dir}"))


def _write(case: Case, folder: Path) -> None:
    contents = {name: text.encode() for name, text in case.files.items()}
    contents |= {name: bytes.fromhex(digits) for name, digits in case.bytes.items()}
    for name, content in contents.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.parent.chmod(0o755)  # whatever the umask of who runs the tests
        file.write_bytes(content)
        file.chmod(0o600)


@contextmanager
def _surroundings(folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Be in the folder, with nothing configured anywhere else."""
    before, root = dict(os.environ), logging.getLogger()
    handlers, level = root.handlers.copy(), root.level
    for name in [name for name in os.environ if name.startswith("FEEDBACK_APP_")]:
        del os.environ[name]
    os.environ.update({"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "no-config-here"), **env})
    try:
        with chdir(folder), time_machine.travel(NOW):
            yield
    finally:
        root.handlers[:], root.level = handlers, level  # `run` sets the log up for itself
        os.environ.clear()
        os.environ.update(before)


def _run_here(arguments: Sequence[str], stdin: str) -> Ran:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    was = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()))
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run_command_line(arguments)
    finally:
        sys.stdin = was
    return Ran(exit=code, stdout=_text(out), stderr=_text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _run_process(arguments: Sequence[str], stdin: str) -> Ran:
    """Run the real program; arguments such as `>/dev/full` and `<&-` are the shell's."""
    redirections = " ".join(one for one in arguments if one.startswith((">", "<")))
    command = [
        sys.executable,
        "-m",
        "feedback_app",
        *(one for one in arguments if not one.startswith((">", "<"))),
    ]
    shell = ["sh", "-c", f'exec "$@" {redirections}', "sh"]
    done = subprocess.run(
        [*shell, *command], input=stdin.encode(), capture_output=True, timeout=60, check=False
    )
    return Ran(exit=done.returncode, stdout=done.stdout.decode(), stderr=done.stderr.decode())


def _shown(case: Case) -> str:
    assert case.then is not None
    ran = _run_here(case.then.run, "")
    assert ran.exit == 0, f"{case.then.run} failed: {ran.stderr}"
    if not case.then.pick:
        return ran.stdout
    found, key = json.loads(ran.stdout), case.then.pick
    return json.dumps(
        [row[key] for row in found] if isinstance(found, list) else found[key], ensure_ascii=False
    )


def _neutral(ran: Ran, folder: Path) -> Ran:
    """Return the texts as they are on every machine."""

    def neutral(text: str) -> str:
        places = text.replace(f"/dev/shm/{folder.name}", "{shm}").replace(str(folder), "{dir}")
        user = f"user {os.geteuid() or NOBODY}"
        return places.replace(f"pid {os.getpid()}", "pid {pid}").replace(user, "user {uid}")

    lines = neutral(ran.stderr).splitlines(keepends=True)
    said = "".join(line for line in lines if not line.startswith(_ABOUT_THE_MACHINE))
    return Ran(exit=ran.exit, stdout=neutral(ran.stdout), stderr=said)
