"""Measurements: run by hand, never by the tests. Each prints medians and how it was run."""
