"""Says in one line what is wrong with a plugin, naming its file and line."""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from feedback_app.errors import BadConfig, FeedbackAppError
from feedback_app.settings.redaction import redact_url

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 300  # characters of a plugin's own error text that are shown


class BrokenPluginError(FeedbackAppError):
    """A plugin cannot be used; the text names its file."""

    exit_code = 78


class MisfitError(FeedbackAppError):
    """A plugin is not made as it must be; `line` is where in its file, where that is known."""

    exit_code = 78

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


class RefusedSettings(BadConfig):
    """A plugin's model refuses its table; the plugin itself is well."""


@contextlib.contextmanager
def blaming(shown: str, file: Path | None) -> Iterator[None]:
    """Run a plugin's code: whatever it raises becomes BrokenPluginError, only the user's Ctrl-C passes.

    A plugin that raises KeyboardInterrupt itself is told from that only where Ctrl-C is handled, as in the daemon.

    `shown` is how the plugin is called in messages, `file` is its source. What the plugin prints goes to
    stderr, for stdout carries the data of the command.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except RefusedSettings:
        raise
    except MisfitError as misfit:
        raise BrokenPluginError(f"{_place(shown, misfit.line)}: {misfit}") from misfit
    except BaseException as error:  # SystemExit and its kin end a plugin, not the program
        if (
            isinstance(error, KeyboardInterrupt)
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            raise  # Ctrl-C; where it is handled in another way, as in the daemon, it is never raised
        raise BrokenPluginError(_sentence(error, shown, file)) from error


def _sentence(error: BaseException, shown: str, file: Path | None) -> str:
    if isinstance(error, SyntaxError):
        culprit = _sibling(error.filename, shown, file) if error.filename else shown
        return f"{_place(culprit, error.lineno)}: not valid Python: {error.msg}"
    place = _place(shown, _own_line(error, file))
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{place}: {_missing(error.name, file)}"
    if isinstance(error, SystemExit):
        return f"{place}: tries to end the program (SystemExit: {error.code})"
    return f"{place}: {_one_line(traceback.format_exception_only(error)[0])}"


def _place(shown: str, line: int | None) -> str:
    return f"{shown}:{line}" if line else shown


def _sibling(filename: str, shown: str, file: Path | None) -> str:
    """Show a helper in the plugin's folder in the same way as the plugin itself."""
    path = Path(filename)
    return str(Path(shown).with_name(path.name)) if file and path.parent == file.parent else filename


def _own_line(error: BaseException, file: Path | None) -> int | None:
    """Return the last line of the plugin's own file that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(file)), None)


def _missing(module: str, file: Path | None) -> str:
    if file and file.with_name(f"{module}.py").exists():
        return f"no module {module!r}: the plugin folder is not on sys.path, write 'from . import {module}'"
    return f"needs {module!r}, which is not installed here"


def _one_line(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in redact_url(text)).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
