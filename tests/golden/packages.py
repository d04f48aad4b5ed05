"""Lets a package be as if it were not installed, while a case runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.golden.registry import Setup


@contextmanager
def _without(package: str, _folder: Path) -> Iterator[None]:
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *more: None if name == package else find(name, *more)
    try:
        yield
    finally:
        importlib.util.find_spec = find


SETUPS: dict[str, Setup] = {
    f"without_{package}": partial(_without, package) for package in ("redis", "nats", "aiobotocore")
}
