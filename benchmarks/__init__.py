"""Measures the program against plain programs that do the same durable work: `python -m benchmarks`."""
