"""Everything that must be the same on every node: the log, the commands, the state, its storage."""
