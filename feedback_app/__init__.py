"""Processes customers' ratings: keeps the low ones, thanks for the others, reports once a day.

These names, and those of `feedback_app.concurrency`, are what plugins and embedding programs may import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.contracts import Analyser, Notifier, Source
from feedback_app.errors import (
    ChannelDown,
    ForgedReceipt,
    OutcomeUnknown,
    PermanentFailure,
    SourceDown,
    TemporaryFailure,
)
from feedback_app.hookspecs import hookimpl
from feedback_app.model import (
    Batch,
    Customer,
    DeliveryReceipt,
    Feedback,
    Message,
    Receipt,
    ReceiptRequest,
    Received,
    Section,
    Settled,
)

if TYPE_CHECKING:
    from feedback_app.daemon import Daemon
    from feedback_app.intake.file_rows import FileRow, read_rows
    from feedback_app.report.figures import DayFigures
    from feedback_app.settings import load_settings

__version__ = "0.1.0"

__all__ = [
    "Analyser",
    "Batch",
    "ChannelDown",
    "Customer",
    "Daemon",
    "DayFigures",
    "DeliveryReceipt",
    "Feedback",
    "FileRow",
    "ForgedReceipt",
    "Message",
    "Notifier",
    "OutcomeUnknown",
    "PermanentFailure",
    "Receipt",
    "ReceiptRequest",
    "Received",
    "Section",
    "Settled",
    "Source",
    "SourceDown",
    "TemporaryFailure",
    "__version__",
    "hookimpl",
    "load_settings",
    "read_rows",
]

# The daemon brings the database and the settings library with it: a plugin's import stays light without them.
_LAZY = {
    "Daemon": "feedback_app.daemon",
    "DayFigures": "feedback_app.report.figures",
    "FileRow": "feedback_app.intake.file_rows",
    "load_settings": "feedback_app.settings",
    "read_rows": "feedback_app.intake.file_rows",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)
