"""Plugins: real files and real distributions, found, judged and called."""
