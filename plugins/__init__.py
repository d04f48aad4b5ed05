"""The shipped notifier plugins, one file per channel; modules that begin with `_` are their helpers."""
