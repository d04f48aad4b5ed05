"""What some fault tests need beside Python."""

from __future__ import annotations

import os
import shutil

import pytest


def need_strace() -> None:
    """Skip where strace is not installed; fail where everything must run."""
    if shutil.which("strace") is None:
        reason = "strace is not installed (apt-get install strace)"
        if os.environ.get("FEEDBACK_APP_TEST_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
