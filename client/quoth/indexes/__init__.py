"""Indexes as programs describe them: definitions, and classes that make definitions."""
