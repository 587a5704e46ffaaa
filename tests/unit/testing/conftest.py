"""Three nodes for stories about the log, as those of the log itself have them."""

from tests.unit.raft.conftest import trio

__all__ = ["trio"]
