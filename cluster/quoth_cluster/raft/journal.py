"""The durable log: one append-only file of checksummed records, with the term and the vote in it.

    record   crc32c of the rest (4, little-endian) | length of the body (4)
             | how much of the file was durable when this was written (8) | body (msgpack)
    bodies   [0, version, "quoth-journal"]        the first record of a file
             [1, log index, term, content]        a slot
             [2, term, voted for or nil]          the term and the vote from here on
             [3, log index]                       slots from this index on are no more

Nothing rests on a record before `sync` returned. Slots are read from the file by offset: what is
kept in memory is 24 bytes a slot, and a bounded cache of the newest. A torn tail - what was
written since the last sync before power was lost - is cut when the file is opened. A bad record
that a later one vouches for, because it was durable when the later one was written, is damage:
the node stops.
"""

import os
from array import array
from collections import OrderedDict
from pathlib import Path
from struct import Struct

import google_crc32c
import msgpack

from quoth_cluster.errors import CorruptFile, Fatal, NewerFormat
from quoth_cluster.raft.entry import COMMAND_BYTES_MAX, KINDS, MEMBERSHIP, Slot

VERSION = 1
MAGIC = "quoth-journal"
HEADER, SLOT, TERM, TRUNCATE = 0, 1, 2, 3
PREFIX = Struct("<IIQ")
BODY_BYTES_MAX = COMMAND_BYTES_MAX + 4096
CACHE_BYTES_MAX = 16 * 1024 * 1024
WINDOW_BYTES_MAX = 2 * 1024 * 1024  # what one read of a range returns at most, beyond one slot
WINDOW_SLOTS_MAX = 512


class Journal:
    """The log of one group on one disk.

    Used by one thread at a time: while `sync` runs in a worker thread nothing is appended, and what
    is not in the file yet is read from the cache.
    """

    # Invariant: synced_index <= last_index, and slots are numbered without gaps from 1.

    def __init__(self, path: Path) -> None:
        self.path = path
        self.current_term = 0
        self.voted_for: str | None = None
        self.synced_index = 0
        self._fd = -1
        self._end = 0  # where the next record starts, written or not
        self._durable_end = 0
        self._offsets = array("Q")  # of each slot's record; slot i is at i - 1
        self._lengths = array("Q")
        self._terms = array("Q")
        self._memberships: dict[int, bytes] = {}
        self._cache: OrderedDict[int, Slot] = OrderedDict()
        self._cache_bytes = 0
        self._pending: list[bytes] = []
        self._failed = False

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Open the journal at `path`, made if it is not there.

        Raises CorruptFile or NewerFormat, with the file and the offset named.
        """
        journal = cls(path)
        fresh = not path.exists()
        journal._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if fresh:
            _sync_folder(path.parent)
        journal._replay()
        if journal._end == 0:
            journal._record([HEADER, VERSION, MAGIC])
            journal.sync()
        journal.synced_index = journal.last_index
        return journal

    @property
    def last_index(self) -> int:
        return len(self._terms)

    @property
    def last_term(self) -> int:
        return self._terms[-1] if self._terms else 0

    @property
    def is_dirty(self) -> bool:
        return bool(self._pending)

    def term_at(self, log_index: int) -> int:
        """The term of a slot; 0 where there is none."""
        return self._terms[log_index - 1] if 1 <= log_index <= self.last_index else 0

    def memberships(self) -> list[bytes]:
        """The content of every membership slot, in order."""
        return [self._memberships[log_index] for log_index in sorted(self._memberships)]

    def last_membership_index(self) -> int:
        return max(self._memberships, default=0)

    def append(self, slot: Slot) -> None:
        """Put a slot at the end; durable after `sync`."""
        assert slot.log_index == self.last_index + 1, f"{slot.log_index} after {self.last_index}"
        assert slot.term >= self.last_term, f"term {slot.term} after {self.last_term}"
        assert slot.kind in KINDS, f"a slot of kind {slot.kind} has no business here"
        offset = self._end
        length = self._record([SLOT, slot.log_index, slot.term, slot.content])
        self._remember(slot.log_index, slot.term, slot.content, offset=offset, length=length)
        self._cache_slot(slot)

    def truncate_from(self, log_index: int) -> None:
        """Drop `log_index` and all after it."""
        assert 1 < log_index, "the first slot is in every log"
        if log_index > self.last_index:
            return
        self._record([TRUNCATE, log_index])
        self._forget_from(log_index)

    def set_term(self, term: int, voted_for: str | None) -> None:
        """Note the term and the vote; a vote or a request may leave after `sync`."""
        assert term >= self.current_term, f"term {term} after {self.current_term}"
        self.current_term, self.voted_for = term, voted_for
        self._record([TERM, term, voted_for])

    def read(self, log_index: int) -> Slot:
        """One slot. Raises CorruptFile."""
        cached = self._cache.get(log_index)
        if cached is not None:
            return cached
        assert 1 <= log_index <= self.last_index, f"no slot {log_index} in 1..{self.last_index}"
        offset, length = self._offsets[log_index - 1], self._lengths[log_index - 1]
        match self._body(os.pread(self._fd, length, offset), offset):
            case [1, int(stored_index), int(term), bytes(content)] if stored_index == log_index:
                return Slot(stored_index, term, content)
        raise CorruptFile(f"{self.path}: slot {log_index} is not at offset {offset}")

    def is_membership(self, log_index: int) -> bool:
        return log_index in self._memberships

    def window_end(self, start: int, *, end: int | None = None) -> int:
        """The last of the slots from `start` on that one step should handle, at most `end`.

        At least one, if there is one: so a slot may be larger than a window.
        """
        last = min(self.last_index, start + WINDOW_SLOTS_MAX - 1, *(() if end is None else (end,)))
        size = 0
        for log_index in range(start, last + 1):
            size += self._lengths[log_index - 1]
            if size > WINDOW_BYTES_MAX and log_index > start:
                return log_index - 1
        return last

    def sync(self) -> None:
        """Make everything appended so far durable.

        Raises Fatal. A disk that failed once is not asked again: after a failed fsync the kernel
        may call pages clean that never reached it.
        """
        if self._failed:
            raise Fatal(f"{self.path} failed before; the node must not write to it again")
        data, last_index = b"".join(self._pending), self.last_index
        self._pending.clear()
        start = self._end - len(data)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._fd, memoryview(data)[written:], start + written)
            os.fdatasync(self._fd)
        except OSError as error:
            self._failed = True
            raise Fatal(f"cannot make {self.path} durable: {error}") from error
        self._durable_end = start + len(data)
        self.synced_index = last_index

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _record(self, body: list[object]) -> int:
        packed = bytes(msgpack.packb(body))
        assert len(packed) <= BODY_BYTES_MAX, f"a record of {len(packed)} bytes is over the limit"
        sealed = PREFIX.pack(0, len(packed), self._durable_end)[4:] + packed
        self._pending.append(google_crc32c.value(sealed).to_bytes(4, "little") + sealed)
        self._end += PREFIX.size + len(packed)
        return PREFIX.size + len(packed)

    def _remember(
        self, log_index: int, term: int, content: bytes, *, offset: int, length: int
    ) -> None:
        self._offsets.append(offset)
        self._lengths.append(length)
        self._terms.append(term)
        if content[0] == MEMBERSHIP:
            self._memberships[log_index] = content

    def _forget_from(self, log_index: int) -> None:
        del self._offsets[log_index - 1 :]
        del self._lengths[log_index - 1 :]
        del self._terms[log_index - 1 :]
        for table in (self._memberships, self._cache):
            for stale in [index for index in table if index >= log_index]:
                del table[stale]
        self._cache_bytes = sum(len(slot.content) for slot in self._cache.values())
        self.synced_index = min(self.synced_index, log_index - 1)

    def _cache_slot(self, slot: Slot) -> None:
        self._cache[slot.log_index] = slot
        self._cache_bytes += len(slot.content)
        while self._cache_bytes > CACHE_BYTES_MAX:
            oldest = next(iter(self._cache))
            if oldest > self.synced_index:
                break  # not in the file yet: it can be read from nowhere else
            self._cache_bytes -= len(self._cache.pop(oldest).content)

    def _body(self, record: bytes, offset: int) -> list[object]:
        if len(record) < PREFIX.size:
            raise CorruptFile(f"{self.path}: record at offset {offset} is cut short")
        checksum, length, _ = PREFIX.unpack_from(record)
        body = record[PREFIX.size :]
        if len(body) != length or google_crc32c.value(record[4:]) != checksum:
            raise CorruptFile(f"{self.path}: record at offset {offset} does not match its checksum")
        opened: list[object] = msgpack.unpackb(body, max_bin_len=BODY_BYTES_MAX)
        return opened

    def _replay(self) -> None:
        size = os.fstat(self._fd).st_size
        while self._end < size:
            prefix = os.pread(self._fd, PREFIX.size, self._end)
            length = PREFIX.unpack(prefix)[1] if len(prefix) == PREFIX.size else 0
            record = os.pread(self._fd, PREFIX.size + min(length, BODY_BYTES_MAX), self._end)
            try:
                body = self._body(record, self._end)
            except CorruptFile:
                self._cut_torn_tail(size)
                return
            self._replay_record(body, length=len(record))
            self._end += len(record)
        self._durable_end = self._end

    def _replay_record(self, body: list[object], *, length: int) -> None:
        match body:
            case [0, int(version), str(magic)]:
                if magic != MAGIC:
                    raise CorruptFile(f"{self.path} is not a journal of quoth")
                if version > VERSION:
                    raise NewerFormat(f"{self.path} has version {version}; known here is {VERSION}")
            case [1, int(log_index), int(term), bytes(content)] if (
                log_index == self.last_index + 1 and term >= self.last_term
            ):
                self._remember(log_index, term, content, offset=self._end, length=length)
            case [2, int(term), (None | str()) as voted_for] if term >= self.current_term:
                self.current_term = term
                self.voted_for = voted_for if voted_for is None else str(voted_for)
            case [3, int(log_index)] if 1 < log_index <= self.last_index:
                self._forget_from(log_index)
            case _:
                raise CorruptFile(f"{self.path}: record at offset {self._end} does not fit here")

    def _cut_torn_tail(self, size: int) -> None:
        """Drop what was never synced; CorruptFile if a later record proves it was."""
        witness = self._record_after(self._end, size)
        if witness is not None:
            raise CorruptFile(
                f"{self.path}: record at offset {self._end} is damaged; the one at {witness} "
                "was written after it was durable. Restore the file, or wipe this node's folder "
                "and let it join again."
            )
        os.ftruncate(self._fd, self._end)
        os.fsync(self._fd)
        self._durable_end = self._end

    def _record_after(self, start: int, size: int) -> int | None:
        """The offset of a sound record beyond `start` that was written when `start` was durable."""
        for at in range(start + 1, size - PREFIX.size):
            prefix = os.pread(self._fd, PREFIX.size, at)
            checksum, length, durable_end = PREFIX.unpack(prefix)
            if not start < durable_end <= at or not 0 < length <= size - at - PREFIX.size:
                continue
            if google_crc32c.value(os.pread(self._fd, PREFIX.size + length, at)[4:]) == checksum:
                return at
        return None


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
