"""Other processes that are in the way."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def stranger(ledger: Path, *statements: str) -> Iterator[int]:
    """Give the pid of a process that holds what the statements took, until the block ends."""
    program = f"""
import sqlite3
base = sqlite3.connect({str(ledger)!r}, isolation_level=None)
for statement in {statements!r}:
    base.execute(statement).fetchone()
print("held", flush=True)
input()
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process.pid
        finally:
            process.communicate("\n", timeout=20)
