"""`python -m tests.faults.altered MODE PYTHON -m MODULE ARGUMENT …` runs a module in this process, for a recording.

Two things are not as they are elsewhere: the ledger's log is folded back every 200 kB, so that short recordings see it,
too; and with MODE `NORMAL` commits do not wait for the disk, so that power cuts must lose some.
"""

from __future__ import annotations

import runpy
import sys

from feedback_app.store.sqlite import engines, writer


def prefix(mode: str) -> list[str]:
    """Return what a command `PYTHON -m MODULE …` is to begin with."""
    return [sys.executable, "-m", "tests.faults.altered", mode]


if __name__ == "__main__":
    mode, _python, _option, module, *arguments = sys.argv[1:]
    writer._CHECKPOINT_BYTES = 200_000
    if mode == "NORMAL":
        engines._WRITER = ("PRAGMA synchronous = NORMAL",)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
