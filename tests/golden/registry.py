"""How what makes something of a case's folder gets the name by which cases ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

Setup = Callable[[Path], AbstractContextManager[None]]  # entered while the case runs
Make = Callable[[Path], None]  # what it makes needs no undoing


def registering(setups: dict[str, Setup]) -> Callable[[Make], Make]:
    """Return a decorator that puts a function into `setups` under its name."""

    def register(make: Make) -> Make:
        @contextmanager
        def entered(folder: Path) -> Iterator[None]:
            make(folder)
            yield

        setups[make.__name__.strip("_")] = entered
        return make

    return register
