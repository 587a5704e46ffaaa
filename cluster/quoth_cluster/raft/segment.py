"""One file of the journal: checksummed records, one after the other.

    record   crc32c of the rest (4, little-endian) | length of the body (4)
             | how much of the file was durable when this was written (8) | body (msgpack)

A torn tail - what was written since the last sync before power was lost - is cut when the file is
opened. A bad record that a later one vouches for, because it was durable when the later one was
written, is damage: the node stops.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct

import google_crc32c
import msgpack

from quoth_cluster.errors import CorruptFile
from quoth_cluster.raft.disk import DiskFile
from quoth_cluster.raft.entry import COMMAND_BYTES_MAX

PREFIX = Struct("<IIQ")
log = logging.getLogger(__name__)
BODY_BYTES_MAX = COMMAND_BYTES_MAX + 4096
Body = list[object]


@dataclass(slots=True)
class Segment:
    """A file of records. Invariant: durable_end <= written_end <= end."""

    path: Path
    file: DiskFile
    number: int
    end: int = 0  # where the next record starts, written or not
    durable_end: int = 0
    pending: list[bytes] = field(default_factory=list)

    def append(self, body: Body) -> int:
        """Put a record at the end, to be written by `sync`; its length."""
        packed = bytes(msgpack.packb(body))
        assert len(packed) <= BODY_BYTES_MAX, f"a record of {len(packed)} bytes is over the limit"
        sealed = PREFIX.pack(0, len(packed), self.durable_end)[4:] + packed
        record = google_crc32c.value(sealed).to_bytes(4, "little") + sealed
        self.pending.append(record)
        self.end += len(record)
        return len(record)

    def sync(self) -> None:
        """Write what is pending and wait for the disk. Raises OSError."""
        data = b"".join(self.pending)
        self.pending.clear()
        self.file.write(self.end - len(data), data)
        self.file.sync()
        self.durable_end = self.end

    def read(self, offset: int, length: int) -> Body:
        """The body of a written record. Raises CorruptFile."""
        return self._open_record(self.file.read(offset, length), offset)

    def replay(self) -> Iterator[tuple[int, int, Body]]:
        """Offset, length and body of every record; a torn tail is cut.

        Raises CorruptFile if something is wrong with what was durable.
        """
        size = self.file.size()
        while self.end < size:
            offset = self.end
            prefix = self.file.read(offset, PREFIX.size)
            length = PREFIX.unpack(prefix)[1] if len(prefix) == PREFIX.size else 0
            record = self.file.read(offset, PREFIX.size + min(length, BODY_BYTES_MAX))
            try:
                body = self._open_record(record, offset)
            except CorruptFile:
                self._cut_torn_tail(size)
                return
            self.end = self.durable_end = offset + len(record)
            yield offset, len(record), body

    def _open_record(self, record: bytes, offset: int) -> Body:
        if len(record) < PREFIX.size:
            raise CorruptFile(f"{self.path}: record at offset {offset} is cut short")
        checksum, length, _ = PREFIX.unpack_from(record)
        if len(record) != PREFIX.size + length or google_crc32c.value(record[4:]) != checksum:
            raise CorruptFile(f"{self.path}: record at offset {offset} does not match its checksum")
        body: Body = msgpack.unpackb(record[PREFIX.size :], max_bin_len=BODY_BYTES_MAX)
        return body

    def _cut_torn_tail(self, size: int) -> None:
        """Drop what was never synced; CorruptFile if a later record proves it was."""
        witness = self._record_after(self.end, size)
        if witness is not None:
            raise CorruptFile(
                f"{self.path}: record at offset {self.end} is damaged; the one at {witness} "
                "was written after it was durable. Restore the file, or wipe this node's folder "
                "and let it join again."
            )
        log.warning("%s: cut off %d bytes that were never synced", self.path, size - self.end)
        self.file.truncate(self.end)
        self.file.sync()
        self.durable_end = self.end

    def _record_after(self, start: int, size: int) -> int | None:
        """The offset of a sound record beyond `start` that was written when `start` was durable."""
        rest = self.file.read(start, size - start)
        for skipped in range(1, len(rest) - PREFIX.size):
            checksum, length, durable_end = PREFIX.unpack_from(rest, skipped)
            at, end = start + skipped, skipped + PREFIX.size + length
            if not start < durable_end <= at or not 0 < length or end > len(rest):
                continue
            if google_crc32c.value(rest[skipped + 4 : end]) == checksum:
                return at
        return None
