"""For authors of plugins: checks that hold a plugin to its contract, recording servers, the whole program in a folder.

`pytest_plugins = ["feedback_app.testing.fixtures"]` brings the fixtures `app`, `clock`, `http_server` and
`smtp_server`. That is asked for, not brought along by an entry point of pytest's: a program that only has
feedback-app installed keeps its tests as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.testing.clock import ManualClock
from feedback_app.testing.far_side import FarSide, Fault, Faults
from feedback_app.testing.findings import Finding, assert_conforms, failures

if TYPE_CHECKING:
    from feedback_app.testing.analysers import check_analyser
    from feedback_app.testing.app import App, KeptMessage
    from feedback_app.testing.contract import AnalyserContract, NotifierContract, SourceContract
    from feedback_app.testing.http_server import HttpAnswer, ReceivedRequest, RecordingHttpServer
    from feedback_app.testing.notifiers import check_notifier
    from feedback_app.testing.smtp_server import ReceivedMail, RecordingSmtpServer
    from feedback_app.testing.sources import check_source
    from feedback_app.testing.wire import Act

__all__ = [
    "Act",
    "AnalyserContract",
    "App",
    "FarSide",
    "Fault",
    "Faults",
    "Finding",
    "HttpAnswer",
    "KeptMessage",
    "ManualClock",
    "NotifierContract",
    "ReceivedMail",
    "ReceivedRequest",
    "RecordingHttpServer",
    "RecordingSmtpServer",
    "SourceContract",
    "assert_conforms",
    "check_analyser",
    "check_notifier",
    "check_source",
    "failures",
]

# What needs the daemon, aiosmtpd or the settings is imported when it is used.
_LAZY = {
    "Act": "wire",
    "AnalyserContract": "contract",
    "App": "app",
    "HttpAnswer": "http_server",
    "KeptMessage": "app",
    "NotifierContract": "contract",
    "ReceivedMail": "smtp_server",
    "ReceivedRequest": "http_server",
    "RecordingHttpServer": "http_server",
    "RecordingSmtpServer": "smtp_server",
    "SourceContract": "contract",
    "check_analyser": "analysers",
    "check_notifier": "notifiers",
    "check_source": "sources",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
