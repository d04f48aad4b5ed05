"""Every shipped plugin that has a notifier, a source or an analyser is held to its contract by the kit."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from feedback_app.testing import AnalyserContract, NotifierContract, SourceContract
from tests.testing import (
    test_shipped_analysers,
    test_shipped_notifiers,
    test_shipped_sms,
    test_shipped_sources,
)

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
_CONTRACTS: dict[str, type] = {
    "make_notifier": NotifierContract,
    "make_source": SourceContract,
    "make_analyser": AnalyserContract,
}
_TESTS = (test_shipped_analysers, test_shipped_notifiers, test_shipped_sms, test_shipped_sources)
SHIPPED: dict[str, str] = tomllib.loads(_PROJECT.read_text("utf-8"))["project"]["entry-points"][
    "feedback_app"
]


def _tested(contract: type) -> Iterator[ModuleType]:
    """Yield the plugins for which a class has the contract's tests."""
    for tests in _TESTS:
        for name, one in vars(tests).items():
            if name.startswith("Test") and isinstance(one, type) and issubclass(one, contract):
                yield one.plugin  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_plugin_is_held_to_its_contracts(name: str) -> None:
    """A class with the tests of each contract that it makes something of."""
    plugin = importlib.import_module(SHIPPED[name])
    for hook, contract in _CONTRACTS.items():
        if hasattr(plugin, hook):
            assert plugin in _tested(contract), f"{name} has {hook} and no class of {contract.__name__}"
