"""Finds what the program logs, by reading its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
OUTAGE = {"away": "error", "still": "warning", "back": "info"}  # see feedback_app.logs.Outage


class Line(NamedTuple):
    """One kind of line."""

    event: str
    level: str
    fields: frozenset[str]  # as far as they are written where it is logged
    file: str


def log_lines() -> Iterator[Line]:
    """Yield all that the program and the shipped plugins log."""
    for folder in ("feedback_app", "plugins"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            if file.is_relative_to(ROOT / "feedback_app" / "testing"):
                continue
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for function, call in _calls(tree, tree):
                for event, level in _events(call, _Scope(function, tree)):
                    yield Line(event, level, frozenset(_fields(call)), str(file.relative_to(ROOT)))


class _Scope(NamedTuple):
    """Where a name may have its value from."""

    function: ast.AST
    module: ast.Module


def _calls(node: ast.AST, function: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Yield (innermost function, call)."""
    for child in ast.iter_child_nodes(node):
        inner = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(child, ast.Call):
            yield inner, child
        yield from _calls(child, inner)


def _events(call: ast.Call, scope: _Scope) -> Iterator[tuple[str, str]]:
    function = call.func
    if isinstance(function, ast.Attribute) and _is_logger(function.value) and function.attr in LEVELS:
        found = list(_texts(call.args[0], scope))
        assert found, f"line {call.lineno}: what is logged is not to be seen"
        yield from ((text, LEVELS[function.attr]) for text in found)
    elif isinstance(function, ast.Name) and function.id == "Outage":
        for keyword in call.keywords:
            if keyword.arg in OUTAGE:
                yield from ((text, OUTAGE[keyword.arg]) for text in _texts(keyword.value, scope))
    elif isinstance(function, ast.Attribute) and function.attr == "makeLogRecord":
        yield from ((text, "warning") for text in _texts(_value(call.args[0], "msg"), scope))
    for at, argument in enumerate(call.args):  # handed over to be called later
        if isinstance(argument, ast.Attribute) and _is_logger(argument.value) and argument.attr in LEVELS:
            values = call.args[at + 1]
            assert isinstance(values, ast.Tuple)
            yield from ((text, LEVELS[argument.attr]) for text in _texts(values.elts[0], scope))


def _value(node: ast.expr, key: str) -> ast.expr:
    assert isinstance(node, ast.Dict)
    keys = [one.value if isinstance(one, ast.Constant) else None for one in node.keys]
    return node.values[keys.index(key)]


def _is_logger(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("log", "logger")


def _texts(node: ast.expr, scope: _Scope) -> Iterator[str]:
    """Yield what an expression may be: a text, one of two, a variable of the function, an argument of it."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body, scope)
        yield from _texts(node.orelse, scope)
    elif isinstance(node, ast.Name):
        for other in ast.walk(scope.function):
            if isinstance(other, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == node.id for target in other.targets
            ):
                yield from _texts(other.value, scope)
        if isinstance(scope.function, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [one.arg for one in scope.function.args.args]
            if node.id in arguments:
                yield from _passed(
                    scope.function.name, arguments.index(node.id) - ("self" in arguments), scope
                )


def _passed(function: str, at: int, scope: _Scope) -> Iterator[str]:
    for _, call in _calls(scope.module, scope.module):
        if getattr(call.func, "attr", getattr(call.func, "id", "")) == function:
            yield from _texts(call.args[at], scope)


def _fields(call: ast.Call) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
            for key in keyword.value.keys:
                if isinstance(key, ast.Constant):
                    yield str(key.value)
