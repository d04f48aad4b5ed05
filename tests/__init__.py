"""The tests; `pytest` runs them all."""
