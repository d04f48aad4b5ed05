"""The fixtures of the command line's tests serve here too."""

from tests.cli.conftest import cli, folder, ledger

__all__ = ["cli", "folder", "ledger"]
