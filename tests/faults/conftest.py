"""What holds for every run of the program in these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.program import take_leaks


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """No program prints a secret or a customer's data, whatever is done to it (G12)."""
    take_leaks()
    yield
    assert take_leaks() == []
