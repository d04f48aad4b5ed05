"""The concurrency patterns, one test file for each module."""
