"""Breaks the program on purpose and checks that its promises hold: `python -m tests.faults [SUITE]`."""
