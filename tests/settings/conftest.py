"""Writes configurations and collects what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from feedback_app.errors import BadConfig
from feedback_app.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


class Problems(Protocol):
    """Returns the problems of a configuration, none if it is fit."""

    def __call__(self, text: str, **environ: str) -> tuple[str, ...]:
        """Take the text of config.toml and environment variables."""


@pytest.fixture
def problems(tmp_path: Path) -> Problems:
    """Write config.toml, load it, and return the lines of the error."""

    def load(text: str, **environ: str) -> tuple[str, ...]:
        (tmp_path / "config.toml").write_text(text, encoding="utf-8")
        try:
            load_settings("config.toml", environ=environ, directory=tmp_path)
        except BadConfig as error:
            return error.problems
        return ()

    return load
