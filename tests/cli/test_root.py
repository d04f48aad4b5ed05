"""The command line itself, before any command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli


@pytest.mark.parametrize("arguments", [(), ("feedback",)])
def test_without_a_command_the_help_is_shown_as_it_is(cli: Cli, arguments: tuple[str, ...]) -> None:
    """Not as an error in a line that begins with the program's name."""
    result = cli(*arguments)

    assert result.code == 2
    assert result.said[0].startswith("Usage: feedback-app")
    assert "feedback-app: " not in result.err
