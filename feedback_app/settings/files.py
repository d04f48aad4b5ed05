"""Finds and reads configuration files."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedback_app.errors import BadConfig
from feedback_app.settings.layers import Layer, Origin, is_too_deep
from feedback_app.settings.redaction import secrets_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SYSTEM_FILE = Path("/etc/feedback_app/config.toml")


def find_files(given: Sequence[Path | str], environ: Mapping[str, str], here: Path) -> list[Path]:
    """Return the files to read, as the user calls them; relative ones are seen from `here`.

    Those that were asked for are returned whether or not they exist; otherwise it is the first that does.
    """
    if given:
        return [Path(file) for file in given]
    if asked := environ.get("FEEDBACK_APP_CONFIG"):
        return [Path(asked)]
    candidates = [Path("config.toml"), *_users_file(environ), SYSTEM_FILE]
    return [file for file in candidates if _exists(here / file)][:1]


def _users_file(environ: Mapping[str, str]) -> list[Path]:
    """Follow the XDG base directory specification, which has relative paths ignored."""
    base = Path(environ.get("XDG_CONFIG_HOME", ""))
    if not base.is_absolute():
        base = Path(environ.get("HOME", "")) / ".config"
    return [base / "feedback_app" / "config.toml"] if base.is_absolute() else []


def _exists(path: Path) -> bool:
    """Count a file in a folder that may not be entered: it is to be complained of and not passed over."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read_file(file: Path, here: Path) -> tuple[Layer, tuple[str, ...]]:
    """Return what the file says, and warnings about it. Raises BadConfig with one problem."""
    if "\0" in str(file):
        raise BadConfig(f"{str(file)!r}: cannot be read: a file's name holds no NUL character")
    try:
        path = here / file
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # looked at before opening, which would wait for ever on a FIFO
            raise BadConfig(f"{file}: is {_kind(mode)}, a configuration is a file")
        content = path.read_bytes()
    except OSError as error:
        raise BadConfig(f"{file}: cannot be read: {_reason(error)}") from None
    tables = _parse(file, content)
    layer = Layer(origin=Origin(name=str(file)), tables=tables)
    return layer, _exposed(file, mode, tables)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a FIFO" if stat.S_ISFIFO(mode) else "a device or socket"


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file; feedback-app init writes one to start from"
    return os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)


def _parse(file: Path, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")  # editors on Windows put a byte order mark in front
    except UnicodeDecodeError as error:
        raise BadConfig(f"{file}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise BadConfig(f"{file}: tables or lists are nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        line, column, reason = _where(str(error), text)
        hint = _hint(reason, text.split("\n")[line - 1][column - 1 :])
        raise BadConfig(f"{file}:{line}:{column}: not valid TOML: {reason}{hint}") from None
    except ValueError:  # Python's limit of digits
        raise BadConfig(f"{file}: not valid TOML: a number is too long") from None
    if is_too_deep(tables):
        raise BadConfig(f"{file}: tables or lists are nested too deeply")
    return tables


def _where(message: str, text: str) -> tuple[int, int, str]:
    """Take tomllib's message apart; where it names no place, the end of the document is meant."""
    reason, _, place = message.partition(" (at ")
    if found := re.fullmatch(r"line (\d+), column (\d+)\)", place):
        return int(found[1]), int(found[2]), _lower(reason)
    return text.count("\n") + 1, len(text) - text.rfind("\n"), _lower(reason)


def _hint(reason: str, rest: str) -> str:
    """Explain what tomllib leaves to guess; `rest` is the line from where it stopped."""
    if reason == "cannot overwrite a value":
        return "; the key is given above already"
    return "; texts stand in quotes" if reason == "invalid value" and rest[:1].isalpha() else ""


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _exposed(file: Path, mode: int, tables: dict[str, Any]) -> tuple[str, ...]:
    secret = next(secrets_in(tables), None)
    if secret is None or not mode & (stat.S_IRGRP | stat.S_IROTH):
        return ()
    return (
        f"{file}: holds a secret ({secret}) and others than its owner can read it; run: chmod 600 {file}",
    )
