"""The version of the plugin API that a plugin was written for: `feedback_app_api = 1` at the top of its file.

It is read from the source before the plugin runs: one that wants a newer API would fail at its first import, in words
that do not say why.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from feedback_app import __version__
from feedback_app.hookspecs import API
from feedback_app.plugin_host.blame import MisfitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "feedback_app_api"


def check_source(file: Path) -> None:
    """Raise MisfitError when the source declares an API that this program does not have."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return  # loading it says what is wrong
    for line, value in _declared(tree):
        _judge(value, line)


def check_module(plugin: object) -> None:
    """Raise MisfitError when the loaded module has a version that was not to be seen in its source."""
    _judge(getattr(plugin, NAME, API), None)


def _declared(tree: ast.Module) -> Iterator[tuple[int, object]]:
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)) if name == NAME:
                yield statement.lineno, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=value)) if name == NAME:
                yield statement.lineno, value


def _judge(value: object, line: int | None) -> None:
    if type(value) is not int or value < 1:
        raise MisfitError(f"{NAME} must be a whole number from 1 on, such as {API}, not {value!r:.40}", line)
    if value != API:
        raise MisfitError(
            f"wants version {value} of the plugin API, this program, feedback-app {__version__}, has version {API}; "
            f"upgrade feedback-app or install an older version of the plugin",
            line,
        )
