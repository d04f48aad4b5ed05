"""Tests of how log lines leave the program."""
