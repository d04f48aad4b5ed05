"""Says which plugins there are: first the files of the drop-in folder, then installed entry points."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from feedback_app.hookspecs import PROJECT
from feedback_app.plugin_host.api import check_source
from feedback_app.plugin_host.blame import MisfitError
from feedback_app.plugin_host.permissions import judge
from feedback_app.plugin_host.places import written_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from feedback_app.settings import Settings

DROPINS = "feedback_app_dropins"  # the package that the files of the drop-in folder are modules of

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")  # what a configuration can name


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A plugin that is there, not yet loaded."""

    name: str
    origin: str  # the file, as the configuration writes its folder, or the distribution
    version: str | None  # the distribution's; a file says its own when it is loaded
    file: Path | None  # the source, where there is one
    shown: str  # how messages call that source
    load: Callable[[], object]  # runs the plugin's code; raises whatever that raises


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """All plugins in the order of their loading, and what is wrong with the places where they were sought."""

    found: tuple[Found, ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def find_plugins(settings: Settings) -> Search:
    """Look for plugins: a file overrides an entry point of its name, and what both serve is taken once."""
    installed = _installed()
    served = {identity for found in installed if found.file and (identity := _identity(found.file))}
    dropins = _dropins(settings, served)
    taken = {found.name for found in dropins.found}
    others = tuple(found for found in installed if found.name not in taken)
    return Search(found=dropins.found + others, problems=dropins.problems, warnings=dropins.warnings)


def _dropins(settings: Settings, served: set[tuple[int, int]]) -> Search:
    folder = settings.plugins_directory
    where = written_at(settings, "plugins", "directory")
    try:
        files = _python_files(folder)
    except FileNotFoundError:
        is_meant = ("plugins", "directory") in settings.origins
        return Search(found=(), warnings=(f"{where}: there is no folder {folder}",) if is_meant else ())
    except NotADirectoryError:
        return Search(
            found=(), problems=(f"{where}: {folder} is not a folder; name the one that holds plugins",)
        )
    except OSError as error:
        return Search(found=(), problems=(f"{where}: cannot read {folder}: {error.strerror}",))
    plugins = [file for file in files if not file.name.startswith("_") and _identity(file) not in served]
    if not plugins:
        return Search(found=())
    verdict = judge(folder, files)
    _make_package(folder)
    shown = Path(settings.plugins.directory)
    found = tuple(_dropin(file, shown / file.name, verdict.refusal) for file in plugins)
    refused = (f"{where}: refused: {verdict.refusal}",) if verdict.refusal else ()
    warnings = tuple(f"{where}: {warning}" for warning in verdict.warnings)
    return Search(found=found, problems=refused, warnings=warnings)


def _python_files(folder: Path) -> list[Path]:
    """Return the folder's files in order; what editors leave, such as `.#console.py`, is none of them."""
    entries = sorted(folder.iterdir())
    return [entry for entry in entries if entry.suffix == ".py" and not entry.name.startswith(".")]


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _make_package(folder: Path) -> None:
    """Make the folder a package, so that `from . import _helper` works although it is not on sys.path.

    What an earlier host loaded is forgotten, so that files changed since are read again.
    """
    for name in [name for name in sys.modules if name == DROPINS or name.startswith(f"{DROPINS}.")]:
        del sys.modules[name]
    spec = ModuleSpec(DROPINS, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    sys.modules[DROPINS] = importlib.util.module_from_spec(spec)
    importlib.invalidate_caches()


def _dropin(file: Path, shown: Path, refusal: str | None) -> Found:
    wrong = refusal or _unfit(file)
    return Found(
        name=file.stem,
        origin=str(shown),
        version=None,
        file=file,
        shown=str(shown),
        load=partial(_refuse, wrong) if wrong else partial(_run, file),
    )


def _unfit(file: Path) -> str | None:
    """Say why a file cannot be a plugin, whatever is in it."""
    if not _NAME.fullmatch(file.stem):
        return "must be named with a small letter, then small letters, digits, _ or -"
    if not file.resolve().is_relative_to(file.parent.resolve()):
        return f"is a link out of the plugin folder, to {file.resolve()}; copy the file into the folder"
    return None if file.is_file() else "is not a file"


def _refuse(reason: str) -> object:
    raise MisfitError(reason)


def _run(file: Path) -> ModuleType:
    """Load exactly this file; it stands in sys.modules while it runs, as dataclasses and pydantic need."""
    check_source(file)
    name = f"{DROPINS}.{file.stem}"
    if name in sys.modules:  # another plugin has imported it
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise MisfitError("is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _installed() -> list[Found]:
    """Return the entry points by name, for their own order is that of a listing of site-packages."""
    points: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=PROJECT):
        points.setdefault(point.name, []).append(point)
    return [_entry_point(sorted(points[name], key=_origin)) for name in sorted(points)]


def _entry_point(points: list[EntryPoint]) -> Found:
    point, *rivals = points
    file = _source(point.module)
    clash = f"comes from {_origin(point)} and from {_origin(rivals[0])}; uninstall one" if rivals else ""
    return Found(
        name=point.name,
        origin=_origin(point),
        version=point.dist.version if point.dist else None,
        file=file,
        shown=str(file or point.value),
        load=partial(_refuse, clash) if clash else partial(_import, point, file),
    )


def _import(point: EntryPoint, file: Path | None) -> object:
    if file is not None:
        check_source(file)
    return point.load()


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _source(module: str) -> Path | None:
    """Return the file of a module without running it; only the packages around it run."""
    try:
        spec = importlib.util.find_spec(module)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - whatever is wrong is said when the plugin is loaded
        return None
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None
