"""The state on disk: one LMDB environment per database, plus one for the group."""
