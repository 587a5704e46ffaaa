"""The HTTP room: the RavenDB protocol in front, the log and read-only snapshots behind.

A request is read into values (`query`, `wire.bodies`), becomes a command for the log or a snapshot
read, and leaves as bytes (`wire`). No file here changes state, and none but `wire` knows JSON.
"""

from quoth_node.http.app import make_runner
from quoth_node.http.services import HttpConfig, Services

__all__ = ["HttpConfig", "Services", "make_runner"]
