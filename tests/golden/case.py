"""A golden case: files and a command in, an exit code and exact texts out.

The cases are data, in `cases/*.toml`, one `[[case]]` each:

    name      unique, a sentence
    files     a table: path → text; folders are made as needed, only the owner may read the files
    bytes     a table: path → hexadecimal digits, for what is no text
    setup     a function of `setups`, `ledgers`, `rights` or `packages`, for what is no file
    before    commands that are run first and must succeed
    run       the arguments after `feedback-app`; of a process also redirections as the shell writes them
    stdin     what is piped into it
    env       a table: environment variables
    process   "too": run as a process as well, with the same result; "only": not inside this one
    exit      the exit code
    stderr    all of it; must be there, as '' where nothing is said
    stdout    all of it; absent: nothing
    then      a table: `run`, a command that is run afterwards; `pick`, a key of its JSON output; `stdout`

`{dir}` stands for the case's folder, `{shm}` for its folder in memory, `{pid}` and `{uid}` for this process and
its user. `python -m tests.golden.update`
writes `exit`, `stderr` and `stdout` as they are now.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

CASES = Path(__file__).parent / "cases"

How: TypeAlias = Literal["here", "too", "only"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Then:
    """A second command that shows what the first one left."""

    run: list[str]
    pick: str = ""  # a key of the JSON that it prints; "" takes its whole output
    stdout: str | None = None  # what is wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is written in a `[[case]]`."""

    file: Path  # where it is written
    name: str
    run: list[str]
    files: dict[str, str] = field(default_factory=dict)
    bytes: dict[str, str] = field(default_factory=dict)
    setup: str | None = None
    before: list[list[str]] = field(default_factory=list)
    stdin: str = ""
    env: dict[str, str] = field(default_factory=dict)
    process: How = "here"
    exit: int | None = None  # None: not written down yet
    stderr: str | None = None
    stdout: str = ""
    then: Then | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all that is wanted is written down."""
        is_shown = self.then is None or self.then.stdout is not None
        return self.exit is not None and self.stderr is not None and is_shown


def load_cases(folder: Path = CASES) -> list[Case]:
    """Return all cases of a folder, file by file. Raises TypeError for an unknown key."""
    return [
        _case(file, table)
        for file in sorted(folder.glob("*.toml"))
        for table in tomllib.loads(file.read_text(encoding="utf-8"))["case"]
    ]


def _case(file: Path, table: dict[str, Any]) -> Case:
    then = table.pop("then", None)
    return Case(file=file, then=Then(**then) if then else None, **table)
