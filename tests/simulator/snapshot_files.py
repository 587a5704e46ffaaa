"""Snapshots of a simulated node: fulfils what `SnapshotStore` offers, in memory that a crash keeps.

Power loss takes a random part of what has arrived and is not verified yet.
"""

import random

import google_crc32c

from quoth_cluster.raft.snapshot_store import Manifest, SnapshotFile
from tests.simulator.registers import FrozenState, State

CHUNK_BYTES = 40


class SimSnapshots:
    """The folder of snapshots of one node."""

    def __init__(self) -> None:
        self._outgoing = b""
        self._arrived = b""
        self._is_verified = False
        self._expected: Manifest | None = None
        self._installing: Manifest | None = None

    @property
    def incoming(self) -> FrozenState:
        """What has arrived, opened."""
        return FrozenState(State.unpack(self._arrived))

    def open(self) -> Manifest | None:
        self._outgoing = b""
        return self._installing

    def lose_power(self, dice: random.Random) -> None:
        self._outgoing = b""
        if not self._is_verified:
            at = dice.randrange(len(self._arrived) + 1)
            lost = bytes(dice.randrange(len(self._arrived) - at + 1))
            self._arrived = self._arrived[:at] + lost

    # -- giving

    def take(
        self,
        frozen: FrozenState,
        *,
        name: str,
        term: int,
        memberships: tuple[tuple[int, bytes], ...],
    ) -> Manifest:
        self._outgoing = frozen.state.pack()
        file = SnapshotFile("state", len(self._outgoing), google_crc32c.value(self._outgoing))
        return Manifest(name, frozen.position.log_index, term, memberships, (file,))

    def read(self, file: SnapshotFile, offset: int) -> bytes:
        return self._outgoing[offset : offset + CHUNK_BYTES]

    def forget_outgoing(self) -> None:
        self._outgoing = b""

    # -- being given

    def begin(self, manifest: Manifest) -> list[int]:
        if self._expected != manifest:
            self._expected, self._arrived, self._is_verified = manifest, b"", False
        return [len(self._arrived)]

    def write(self, file: SnapshotFile, offset: int, chunk: bytes) -> None:
        self._arrived = self._arrived[:offset] + chunk

    def verify(self, manifest: Manifest) -> str | None:
        file = manifest.files[0]
        is_whole = len(self._arrived) == file.size
        if not is_whole or google_crc32c.value(self._arrived) != file.checksum:
            self._arrived = b""
            return "it did not arrive whole"
        self._is_verified = True
        return None

    def start_installing(self, manifest: Manifest) -> None:
        self._installing = manifest

    def installed(self) -> None:
        self._installing = self._expected = None
        self._arrived, self._is_verified = b"", False
