"""A hook exists only with a shipped user, a test and an entry in the documentation."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from feedback_app import hookspecs
from feedback_app.plugin_host.bringing_up import LATER

ROOT = Path(__file__).parents[2]
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "feedback_app_spec")]


def test_the_hooks_are_found() -> None:
    """Else the other tests would say nothing."""
    assert HOOKS == ["make_notifier", "make_source", "make_analyser", "add_report_section", "message_settled"]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_shipped_user(hook: str) -> None:
    """What nobody uses is not understood."""
    assert any(f"@hookimpl\ndef {hook}(" in file.read_text("utf-8") for file in ROOT.glob("plugins/[!_]*.py"))


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_test(hook: str) -> None:
    """Some test writes a plugin with it."""
    tests = [file for file in (ROOT / "tests").rglob("test_*.py") if file != Path(__file__)]
    assert any(f"def {hook}(" in file.read_text("utf-8") for file in tests)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented(hook: str) -> None:
    """Under a heading of its own, with its arguments."""
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    page = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    assert f"\n### `{hook}({arguments})`\n" in page


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_called(hook: str) -> None:
    """At start, as `make_…` are, or by who says so in the host."""
    assert hook.startswith("make_") or hook in LATER
    parts = (ROOT / "feedback_app" / "plugin_host").glob("*.py")
    assert any(f'later["{hook}"]' in file.read_text("utf-8") for file in parts) == (hook in LATER)
