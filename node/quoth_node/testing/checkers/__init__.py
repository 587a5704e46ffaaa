"""Verdicts on histories. Pure: operations in, violations out."""
