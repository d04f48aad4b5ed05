"""Writes a plugin to start from: one file for the plugin folder, or a project that pip installs."""

from __future__ import annotations

import keyword
import os
import re
from importlib.resources import files
from typing import TYPE_CHECKING

from feedback_app.errors import CannotCreate, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from feedback_app.settings import Settings

_TEMPLATES = files("feedback_app") / "scaffold"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PREFIXES = {"notifier": "notify", "source": "source", "analyser": "analyse"}  # of a distribution's name


def write_file(name: str, kind: str, settings: Settings, *, with_test: bool) -> list[Path]:
    """Write `NAME.py` into the plugin folder, with `tests/test_NAME.py` beside the folder if wanted.

    Returns what was written. Raises UsageError for a name that cannot be, CannotCreate for a file that is there.
    """
    _must_be_a_name(name)
    folder = settings.plugins_directory
    module = _module(name)
    words = _words(name, kind, module) | {"my_folder": folder.name}
    texts = {folder / f"{name}.py": _text(f"{kind}.py", words)}
    if with_test:
        tests = folder.parent / "tests"
        texts[tests / f"test_{module}.py"] = _text(f"test_{kind}.py", words)
        if not (tests / "conftest.py").exists():  # one for the tests of all plugins
            texts[tests / "conftest.py"] = _text("conftest.py", words)
    return _write(texts)


def write_package(name: str, kind: str, parent: Path) -> list[Path]:
    """Write the project `feedback-app-notify-NAME` into a folder of that name below `parent`.

    Returns what was written, the first of it stands in the project's own folder. Raises as `write_file` does.
    """
    _must_be_a_name(name)
    distribution = f"feedback-app-{_PREFIXES[kind]}-{name.replace('_', '-')}"
    module = _module(distribution)
    words = _words(name, kind, module) | {"my-distribution": distribution}
    root = parent / distribution
    return _write(
        {
            root / "pyproject.toml": _text("pyproject.toml", words),
            root / "README.md": _text("README.md", words),
            root / "src" / module / "__init__.py": _text(f"{kind}.py", words),
            root / "tests" / f"test_{_module(name)}.py": _text(f"test_{kind}.py", words),
        }
    )


def _must_be_a_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} cannot be a plugin's name: it must be a small letter, then small letters, digits, _ or -"
        )


def _module(name: str) -> str:
    module = name.replace("-", "_")
    return f"{module}_" if keyword.iskeyword(module) else module


def _words(name: str, kind: str, module: str) -> dict[str, str]:
    """Return what stands for what in the templates."""
    title = "".join(part.capitalize() for part in re.split(r"[-_]", name) if part)
    return {"my-name": name, "MyName": title, "my_module": module, "my-kind": kind}


def _text(template: str, words: Mapping[str, str]) -> str:
    text = (_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text


def _write(texts: Mapping[Path, str]) -> list[Path]:
    """Write all files or none."""
    for path in texts:
        if path.exists() or path.is_symlink():
            raise CannotCreate(
                f"{path} is there already and was not touched; choose another name, or move it away"
            )
    written = []
    for path, text in texts.items():
        try:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)  # never writable for all
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise CannotCreate(f"{path}: cannot be written: {error.strerror}") from None
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        written.append(path)
    return written
