"""Whether a ledger can be where it is configured to be: looked at before it is needed, nothing is made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from feedback_app.errors import FeedbackAppError
from feedback_app.store import migrate

if TYPE_CHECKING:
    from pathlib import Path


def problems(path: Path) -> list[str]:
    """Return a line for each reason why the ledger at `path` cannot be opened, or made where there is none."""
    found = []
    try:
        migrate.check_folder(path)
        if migrate.is_there(path):
            migrate.check(path)
            found += _unwritable(path)
    except FeedbackAppError as error:
        found.append(str(error))
    return found


def _unwritable(path: Path) -> list[str]:
    return [] if os.access(path, os.R_OK | os.W_OK) else [f"{path}: not writable by this user"]
