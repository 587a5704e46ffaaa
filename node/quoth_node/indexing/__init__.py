"""Indexes: what they make of documents, and the file each one is kept in."""
