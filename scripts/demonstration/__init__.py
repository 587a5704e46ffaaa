"""The demonstration that `scripts/demo` runs: every promise, tried on a real cluster."""
