"""Tests of the command line: commands are run as a person runs them, on a real ledger."""
