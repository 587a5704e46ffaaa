"""Bytes on connections: HTTP/1.1 itself, and the two ways to wait for it."""
