"""Deleting what is done with once its time is over: docs/operations.md, "Retention"."""
