"""Queries: a tree is planned, run over an index, and its results are read."""
