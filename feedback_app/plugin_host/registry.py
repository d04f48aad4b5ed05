"""pluggy behind a fence: one plugin at a time is registered, verified and called."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from pluggy import PluginManager, PluginValidationError

from feedback_app import hookspecs
from feedback_app.plugin_host.blame import MisfitError

Function = Callable[..., Any]
Marked = Sequence[tuple[str, Function]]  # hooks by their names


class Registry:
    """The plugins that fit the hooks.

    One raising implementation would abort pluggy's call of all, so each call is for one plugin only.
    """

    def __init__(self) -> None:
        self._manager = PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._specs: dict[str, Function] = {
            name: value
            for name, value in vars(hookspecs).items()
            if self._manager.parse_hookspec_opts(hookspecs, name) is not None
        }

    def add(self, name: str, plugin: object) -> tuple[str, ...]:
        """Return the plugin's hooks. Raises MisfitError when it has none, or one that does not fit."""
        if not isinstance(plugin, ModuleType):
            raise MisfitError(f"the entry point gives {type(plugin).__name__}; it must name a module")
        if (twin := self._manager.get_name(plugin)) is not None:
            raise MisfitError(f"is the same module as plugin '{twin}'")
        marked = list(self._marked(plugin))
        self._check_marks(plugin, marked)
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except PluginValidationError as error:
            self._manager.unregister(name=name)
            self._explain(marked)
            raise MisfitError(" ".join(str(error).split())) from error
        names = {hook for hook, _ in marked}
        return tuple(hook for hook in self._specs if hook in names)

    def call(self, name: str, hook: str, settings: object) -> list[object]:
        """Call the plugin's hook; the list is empty when it returned None."""
        results: list[object] = self.caller(name, hook)(settings=settings)
        return results

    def caller(self, name: str, hook: str) -> Function:
        """Return what calls this plugin's hook and no other's among those that are registered by now."""
        others = self._manager.get_plugins() - {self._manager.get_plugin(name)}
        return self._manager.subset_hook_caller(hook, others)

    def _marked(self, plugin: ModuleType) -> Iterator[tuple[str, Function]]:
        """Yield the functions marked `@hookimpl` by the name of their hook."""
        for name, value in vars(plugin).items():
            options = self._manager.parse_hookimpl_opts(plugin, name)
            if options is not None:
                yield options.get("specname") or name, value

    def _check_marks(self, plugin: ModuleType, marked: Marked) -> None:
        """Find what pluggy lets pass: no hook at all, one without its mark, one that is no plain function."""
        for name in self._specs:
            function = vars(plugin).get(name)
            is_own = inspect.isfunction(function) and function.__module__ == plugin.__name__
            if function is not None and is_own and all(function is not other for _, other in marked):
                raise MisfitError(f"{name} is not marked @hookimpl (from feedback_app)", _line(function))
        for name, function in marked:
            if _is_async(function):
                raise MisfitError(
                    f"{name} is async; hooks are plain functions, make send or analyse async", _line(function)
                )
            if inspect.isgeneratorfunction(function):
                raise MisfitError(
                    f"{name} yields; hooks are plain functions that return something", _line(function)
                )
        if not marked:
            raise MisfitError(
                f"has no hook: write a function marked @hookimpl, one of {', '.join(self._specs)}"
            )

    def _explain(self, marked: Marked) -> None:
        """Raise MisfitError in words of our own for what pluggy refuses."""
        for name, function in marked:
            if name not in self._specs:
                raise MisfitError(f"unknown hook {name}{_hint(name, list(self._specs))}", _line(function))
            takes = list(inspect.signature(self._specs[name]).parameters)
            for argument in inspect.signature(function).parameters:
                if argument not in takes:
                    text = f"{name} must take no argument but {', '.join(takes)}, not {argument}"
                    raise MisfitError(text, _line(function))


def _is_async(function: Function) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _line(function: Function) -> int:
    line: int = inspect.unwrap(function).__code__.co_firstlineno
    return line


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
