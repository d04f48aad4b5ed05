"""Tests of the shipped notifier plugins."""
