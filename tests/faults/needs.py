"""What some fault tests need beside Python."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.faults import faketime


def need_strace() -> None:
    """Skip where strace is not installed; fail where everything must run."""
    _need("strace", is_there=shutil.which("strace") is not None)


def need_faketime() -> None:
    """Skip where libfaketime is not installed; fail where everything must run."""
    _need("libfaketime", is_there=faketime.library() is not None)


def _need(package: str, *, is_there: bool) -> None:
    if not is_there:
        reason = f"{package} is not installed (apt-get install {package})"
        if os.environ.get("FEEDBACK_APP_TEST_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
