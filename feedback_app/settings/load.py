"""Brings files and environment together. What is wrong with any of them is said in one go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from feedback_app.errors import BadConfig
from feedback_app.settings.environment import read_environment
from feedback_app.settings.files import find_files, read_file
from feedback_app.settings.layers import merge
from feedback_app.settings.problems import problem_lines
from feedback_app.settings.schema import Settings, Tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feedback_app.settings.layers import Layer


def load_settings(
    *files: Path | str, environ: Mapping[str, str] = os.environ, directory: Path | str | None = None
) -> Settings:
    """Read the files given (later ones win) or the first of the usual places, then the environment.

    `directory` stands for the working directory. Raises BadConfig with a line for each problem.
    """
    here = Path.cwd() / (directory or "")
    paths = find_files(files, environ, here)
    layers, warnings, problems = _read_files(paths, here)
    variables, unreadable = read_environment(environ)
    tables, origins = merge(layers + variables)
    problems += unreadable
    checked = Tables()
    try:
        checked = Tables.model_validate(tables)
    except ValidationError as error:
        problems += problem_lines(error, Tables, origins)
    if problems:
        raise BadConfig(*problems)
    return Settings(
        **dict(checked),
        files=tuple(here / path for path in paths),
        directory=(here / paths[-1]).parent if paths else here,
        origins=origins,
        warnings=tuple(warnings),
    )


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
