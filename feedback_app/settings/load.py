"""Brings files and environment together. What is wrong with any of them is said in one go."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from feedback_app.errors import BadConfig
from feedback_app.settings.environment import read_environment
from feedback_app.settings.files import find_files, read_file
from feedback_app.settings.layers import merge
from feedback_app.settings.problems import problem_lines
from feedback_app.settings.salvage import salvaged
from feedback_app.settings.schema import Settings, Tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feedback_app.settings.layers import Layer


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a configuration says, and what is wrong with it."""

    settings: Settings | None  # with the defaults of what is faulty; None: too little is left to go by
    problems: tuple[str, ...]  # a line each; none: the settings are fit


def load_settings(
    *files: Path | str, environ: Mapping[str, str] = os.environ, directory: Path | str | None = None
) -> Settings:
    """Read the files given (later ones win) or the first of the usual places, then the environment.

    `directory` stands for the working directory. Raises BadConfig with a line for each problem.
    """
    reading = read_settings(*files, environ=environ, directory=directory)
    if reading.problems:
        raise BadConfig(*reading.problems)
    assert reading.settings is not None
    return reading.settings


def read_settings(
    *files: Path | str, environ: Mapping[str, str] = os.environ, directory: Path | str | None = None
) -> Reading:
    """Do the same, but return what is wrong beside what is left, for a check that wants to find all of it."""
    here = _here() / (directory or "")
    paths = find_files(files, environ, here)
    layers, warnings, problems = _read_files(paths, here)
    variables, unreadable = read_environment(environ)
    problems += unreadable
    is_whole = not problems
    tables, origins = merge(layers + variables)
    try:
        checked = Tables.model_validate(tables)
    except ValidationError as error:
        problems += problem_lines(error, Tables, origins)
        # Which plugins may run must not be guessed: a disabled one would be loaded.
        is_whole = is_whole and not any(details["loc"][0] == "plugins" for details in error.errors())
        checked = salvaged(tables)
    settings = Settings(
        **dict(checked),
        files=tuple(here / path for path in paths),
        directory=(here / paths[-1]).parent if paths else here,
        origins=origins,
        warnings=tuple(warnings),
    )
    return Reading(settings=settings if is_whole else None, problems=tuple(problems))


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise BadConfig("the working directory does not exist any more; change to another one") from None


def _read_files(paths: list[Path], here: Path) -> tuple[list[Layer], list[str], list[str]]:
    """Return the layers, the warnings and the problems; a file that cannot be read does not hide the next."""
    layers: list[Layer] = []
    warnings: list[str] = []
    problems: list[str] = []
    for path in paths:
        try:
            layer, about = read_file(path, here)
        except BadConfig as error:
            problems += error.problems
        else:
            layers.append(layer)
            warnings += about
    return layers, warnings, problems
