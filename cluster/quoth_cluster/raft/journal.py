"""The durable log: append-only segments of checksummed records, with the term and the vote in them.

    bodies   [0, version, "quoth-journal", base index, base term, term, voted for,
              end of the segment before, begins anew, memberships, incarnation]  a segment's first
             [1, log index, term, content]        a slot
             [2, term, voted for or nil]          the term and the vote from here on
             [3, log index]                       slots from this index on are no more

A segment's first record holds all that the segments before it come to but for their slots, so whole
segments can be dropped from the front. Nothing rests on a record before `sync` returned. Slots are
read from the files by offset: in memory are 28 bytes a slot, and a bounded cache of the newest.

The incarnation is drawn when the journal is made: who has another forgot what this one promised.
"""

from array import array
from dataclasses import dataclass
from pathlib import Path

from quoth_cluster.errors import CorruptFile, Fatal, NewerFormat
from quoth_cluster.raft.disk import Disk, RealDisk
from quoth_cluster.raft.entry import KINDS, MEMBERSHIP, Slot
from quoth_cluster.raft.segment import Body, Segment
from quoth_cluster.raft.slot_cache import SlotCache

VERSION = 2
MAGIC = "quoth-journal"
HEADER, SLOT, TERM, TRUNCATE = 0, 1, 2, 3
SUFFIX = ".log"
NEVER = 2**62  # the base of a segment that the log cannot begin with
BASE_INDEX, BASE_TERM = 1, 0  # where every log begins; slot 1 is the same nothing everywhere
SEGMENT_BYTES = 64 * 1024 * 1024
WINDOW_BYTES_MAX = 2 * 1024 * 1024  # what one read of a range comes to at most, beyond one slot
WINDOW_SLOTS_MAX = 512


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the log: an index and the term of its slot."""

    log_index: int
    term: int


class Journal:
    """The log of one group on one disk.

    Used by one thread at a time: while `sync` runs in a worker thread nothing is appended, and what
    is not in the file yet is read from the cache. Slots are numbered without gaps, and
    base.log_index <= synced_index <= last_index.
    """

    def __init__(self, folder: Path, disk: Disk, segment_bytes: int) -> None:
        self.folder = folder
        self.incarnation = b""
        self.current_term = 0
        self.voted_for: str | None = None
        self.base = Mark(BASE_INDEX, BASE_TERM)  # the slot before the first that is kept
        self.synced_index = BASE_INDEX
        self._disk = disk
        self._segment_bytes = segment_bytes
        self._segments: list[Segment] = []
        self._let_go: list[Segment] = []  # no part of the log any more, and not removed yet
        self._base_of: dict[int, int] = {}  # segment number -> the index before its first slot
        self._numbers = array("I")  # of the segment of each slot; slot i is at i - base - 1
        self._offsets = array("Q")
        self._lengths = array("Q")
        self._terms = array("Q")
        self._memberships: dict[int, bytes] = {}  # by index; those of dropped slots, too
        self.membership_moves = 0  # grows whenever they change, by a slot more or fewer
        self._cache = SlotCache()
        self._has_new_file = False
        self._failed = False

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        disk: Disk | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        new_incarnation: bytes = b"",
    ) -> "Journal":
        """Open the journal in `folder`; if it is not there it is made, as `new_incarnation`.

        Raises CorruptFile or NewerFormat, with the file and the offset named.
        """
        journal = cls(folder, disk or RealDisk(), segment_bytes)
        journal._disk.make_folder(folder)
        journal._replay()
        if not journal._segments:
            journal.incarnation = new_incarnation
            journal._start_segment()
        journal._make_replayed_durable()
        journal.sync()
        return journal

    @property
    def base_index(self) -> int:
        return self.base.log_index

    @property
    def last_index(self) -> int:
        return self.base.log_index + len(self._terms)

    @property
    def last_term(self) -> int:
        return self._terms[-1] if self._terms else self.base.term

    @property
    def is_dirty(self) -> bool:
        return any(segment.pending for segment in self._segments[-2:])

    def term_at(self, log_index: int) -> int:
        """The term of a slot; 0 where it is not known."""
        if log_index == self.base.log_index:
            return self.base.term
        at = log_index - self.base.log_index - 1
        return self._terms[at] if 0 <= at < len(self._terms) else 0

    def memberships(self) -> list[bytes]:
        """The content of every membership slot from the beginning, in order."""
        return [content for _, content in self.numbered_memberships()]

    def numbered_memberships(self) -> list[tuple[int, bytes]]:
        """Index and content of every membership slot from the beginning, in order."""
        return sorted(self._memberships.items())

    def is_membership(self, log_index: int) -> bool:
        return log_index in self._memberships

    def last_membership_index(self) -> int:
        return max(self._memberships, default=0)

    def append(self, slot: Slot) -> None:
        """Put a slot at the end; durable after `sync`."""
        assert slot.log_index == self.last_index + 1, f"{slot.log_index} after {self.last_index}"
        assert slot.term >= self.last_term, f"term {slot.term} after {self.last_term}"
        assert slot.kind in KINDS, f"a slot of kind {slot.kind} has no business here"
        self._record_slot([SLOT, slot.log_index, slot.term, slot.content], slot)
        self._cache.add(slot)
        self._cache.shrink(self.synced_index)

    def truncate_from(self, log_index: int) -> None:
        """Drop `log_index` and all after it."""
        assert log_index > self.base.log_index, "what was dropped from the front is committed"
        if log_index > self.last_index:
            return
        self._record([TRUNCATE, log_index])
        self._forget_from(log_index)
        if self._unmake_beginnings(log_index):
            self._start_segment()

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
        at = log_index - self.base.log_index - 1
        assert 0 <= at < len(self._terms), (
            f"no slot {log_index} behind {self.base.log_index}, up to {self.last_index}"
        )
        segment = self._segments[self._numbers[at] - self._segments[0].number]
        match segment.read(self._offsets[at], self._lengths[at]):
            case [1, int(stored_index), int(term), bytes(content)] if stored_index == log_index:
                return Slot(stored_index, term, content)
        raise CorruptFile(f"{segment.path}: slot {log_index} is not at offset {self._offsets[at]}")

    def window_end(self, start: int, *, end: int | None = None) -> int:
        """The last of the slots from `start` on that one step should handle, at most `end`.

        At least one, if there is one: so a slot may be larger than a window.
        """
        last = min(self.last_index, start + WINDOW_SLOTS_MAX - 1, *(() if end is None else (end,)))
        size = 0
        for log_index in range(start, last + 1):
            size += self._lengths[log_index - self.base.log_index - 1]
            if size > WINDOW_BYTES_MAX and log_index > start:
                return log_index - 1
        return last

    def sync(self) -> None:
        """Make everything appended so far durable.

        Raises Fatal. A disk that failed once is not asked again: after a failed fsync the kernel
        may call pages clean that never reached it.
        """
        if self._failed:
            raise Fatal(f"{self.folder} failed before; the node must not write to it again")
        last_index = self.last_index
        try:
            if self._has_new_file:
                self._disk.sync_folder(self.folder)
                self._has_new_file = False
            # Names first, then in order: a segment's first record vouches for the one before.
            for segment in self._segments[-2:]:
                if segment.pending:
                    segment.sync()
        except OSError as error:
            self._failed = True
            raise Fatal(f"cannot make {self.folder} durable: {error}") from error
        self.synced_index = last_index
        self._cache.shrink(last_index)

    def base_within(self, size: int) -> int:
        """The slot behind which segments come to at most `size` bytes, or behind it is only one."""
        found = self.last_index
        for segment in reversed(self._segments):
            size -= segment.end
            if size < 0 and found < self.last_index:
                break
            found = min(found, self._base_of[segment.number])
        return found

    def trim_to(self, log_index: int) -> None:
        """Let go of whole segments whose slots are all at or before `log_index`.

        The caller knows that those slots are in a durable snapshot or applied durably everywhere.
        Their files are there until `remove_trimmed`.
        """
        assert log_index <= self.synced_index and not self.is_dirty
        count = max(
            at
            for at, segment in enumerate(self._segments)
            if at == 0 or self._base_of[segment.number] <= log_index
        )
        if count == 0:
            return
        dropped, self._segments = self._segments[:count], self._segments[count:]
        first = self._base_of[self._segments[0].number]
        base = Mark(first, self.term_at(first))
        self._drop_front(first - self.base.log_index)
        self.base = base
        self._let_go += dropped

    def remove_trimmed(self) -> None:
        """Remove the files of what was trimmed; it takes a while. Raises Fatal."""
        while self._let_go:
            self._remove([self._let_go.pop(0)])

    def reset(self, base: Mark, memberships: dict[int, bytes]) -> None:
        """Begin anew behind a snapshot that holds all up to `base`; durable at return."""
        assert base.log_index > self.base.log_index and not self.is_dirty
        dropped = self._let_go + self._segments
        self._let_go = []
        self._forget_from(self.base.log_index + 1)
        self._memberships = dict(memberships)
        self.membership_moves += 1
        self.base = base
        self.synced_index = base.log_index
        self._start_segment(anew=True)
        self.sync()
        del self._segments[:-1]
        self._remove(dropped)

    def close(self) -> None:
        for segment in self._let_go + self._segments:
            segment.file.close()

    # -- inside

    def _record(self, body: Body) -> int:
        if self._segments[-1].end >= self._segment_bytes:
            self._start_segment()
        return self._segments[-1].append(body)

    def _record_slot(self, body: Body, slot: Slot) -> None:
        length = self._record(body)
        segment = self._segments[-1]
        self._remember(slot, segment.number, segment.end - length, length)

    def _start_segment(self, *, anew: bool = False) -> None:
        """A new file, whose first record repeats what the log has come to."""
        before = self._segments[-1] if self._segments else None
        if before is not None and len(self._segments) > 1 and self._segments[-2].pending:
            self.sync()  # more than two files never wait
        number = before.number + 1 if before else 1
        path = self.folder / f"{number:010}{SUFFIX}"
        try:
            segment = Segment(path, self._disk.open(path), number)
            segment.file.truncate(0)
        except OSError as error:
            self._failed = True
            raise Fatal(f"cannot begin {path}: {error}") from error
        self._segments.append(segment)
        self._base_of[number] = self.last_index
        self._has_new_file = True
        memberships = [[at, content] for at, content in sorted(self._memberships.items())]
        end_before = before.end if before else 0
        base = [self.last_index, self.last_term]
        term = [self.current_term, self.voted_for]
        rest = [end_before, anew, memberships, self.incarnation]
        segment.append([HEADER, VERSION, MAGIC, *base, *term, *rest])

    def _unmake_beginnings(self, log_index: int) -> bool:
        """After a truncation below where the newest segments begin: whether there was one.

        Such a segment counts back in its middle, so the log can never begin with it.
        """
        unmade = [number for number, base in self._base_of.items() if log_index <= base < NEVER]
        for number in unmade:
            self._base_of[number] = NEVER
        return bool(unmade)

    def _remember(self, slot: Slot, number: int, offset: int, length: int) -> None:
        self._numbers.append(number)
        self._offsets.append(offset)
        self._lengths.append(length)
        self._terms.append(slot.term)
        if slot.kind == MEMBERSHIP:
            self._memberships[slot.log_index] = slot.content
            self.membership_moves += 1

    def _forget_from(self, log_index: int) -> None:
        at = log_index - self.base.log_index - 1
        for table in (self._numbers, self._offsets, self._lengths, self._terms):
            del table[at:]
        self.membership_moves += self.last_membership_index() >= log_index
        for stale in [index for index in self._memberships if index >= log_index]:
            del self._memberships[stale]
        self._cache.forget_from(log_index)
        self.synced_index = min(self.synced_index, log_index - 1)

    def _drop_front(self, count: int) -> None:
        for table in (self._numbers, self._offsets, self._lengths, self._terms):
            del table[:count]
        self._cache.forget_to(self.base.log_index + count)

    def _remove(self, segments: list[Segment]) -> None:
        """From the oldest on, so that what a crash leaves is a log without holes."""
        try:
            for segment in segments:
                segment.file.close()
                self._disk.remove(segment.path)
                self._disk.sync_folder(self.folder)
                del self._base_of[segment.number]
        except OSError as error:
            self._failed = True
            raise Fatal(f"cannot drop segments of {self.folder}: {error}") from error

    # -- opening

    def _make_replayed_durable(self) -> None:
        """What was read may be in the memory of the kernel only: written, and killed before a sync.

        It will be acknowledged as what this node has, so it must be made so first.
        """
        try:
            for segment in self._segments[-2:]:
                segment.file.sync()
            self._disk.sync_folder(self.folder)
        except OSError as error:
            raise Fatal(f"cannot make {self.folder} durable: {error}") from error

    def _replay(self) -> None:
        names = [name for name in self._disk.names(self.folder) if name.endswith(SUFFIX)]
        segments = [self._segment(name) for name in names]
        for at, segment in enumerate(segments):
            before = self._segments[-1] if self._segments else None
            records = segment.replay()
            first = next(records, None)
            if first is None:
                self._drop_unwritten(segments[at:])
                return
            self._replay_header(segment, first[2], before)
            self._segments.append(segment)
            for offset, length, body in records:
                if self._is_unmade_by(body) and at + 1 < len(segments):
                    self._drop_replayed()  # a trim was under way
                    break
                self._replay_record(segment, body, offset=offset, length=length)

    def _segment(self, name: str) -> Segment:
        path = self.folder / name
        return Segment(path, self._disk.open(path), int(name.removesuffix(SUFFIX)))

    def _drop_unwritten(self, segments: list[Segment]) -> None:
        """Files that were made, and power was lost before a record in the first was durable.

        They are written in order, so nothing is in the others.
        """
        for segment in segments[1:]:
            if next(segment.replay(), None) is not None:
                raise CorruptFile(f"{segments[0].path}: record at offset 0 is damaged")
        for segment in reversed(segments):
            segment.file.close()
            self._disk.remove(segment.path)

    def _replay_header(self, segment: Segment, body: Body, before: Segment | None) -> None:
        if len(body) < 3 or body[2] != MAGIC:
            raise CorruptFile(f"{segment.path}: record at offset 0 is not of a journal of quoth")
        if not isinstance(body[1], int) or body[1] > VERSION:
            raise NewerFormat(f"{segment.path} has version {body[1]}; known here is {VERSION}")
        rest = [*body[7:], b""] if body[1] == 1 else body[7:]
        match body[3:7], rest:
            case (
                [int(index), int(base_term), int(term), voted],
                [int(end), bool(anew), list(pairs), bytes(incarnation)],
            ):
                memberships = {int(at): bytes(content) for at, content in pairs}
            case _:
                raise CorruptFile(f"{segment.path}: record at offset 0 is malformed")
        if before is not None and not anew:
            expected = (before.number + 1, before.end, self.last_index, self.last_term)
            if (segment.number, end, index, base_term) != expected:
                raise CorruptFile(f"{segment.path} does not go on where {before.path} ends")
        elif before is not None:
            self._drop_replayed()  # a reset was under way
        if before is None or anew:
            self.base = Mark(index, base_term)
        self._base_of[segment.number] = index
        self._memberships = memberships
        self.incarnation = incarnation
        self.current_term = term
        self.voted_for = None if voted is None else str(voted)

    def _is_unmade_by(self, body: Body) -> bool:
        """Whether the log counts back beyond its beginning, which those before may have been."""
        match body:
            case [3, int(log_index)]:
                return log_index <= self.base.log_index
        return False

    def _drop_replayed(self) -> None:
        """The segments up to here are still there, and not needed any more."""
        self._forget_from(self.base.log_index + 1)
        dropped = self._segments[:]
        self._segments.clear()
        self._remove(dropped)

    def _replay_record(self, segment: Segment, body: Body, *, offset: int, length: int) -> None:
        match body:
            case [1, int(log_index), int(term), bytes(content)] if (
                log_index == self.last_index + 1 and term >= self.last_term
            ):
                self._remember(Slot(log_index, term, content), segment.number, offset, length)
            case [2, int(term), (None | str()) as voted_for] if term >= self.current_term:
                self.current_term = term
                self.voted_for = None if voted_for is None else str(voted_for)
            case [3, int(log_index)] if self.base.log_index < log_index <= self.last_index:
                self._forget_from(log_index)
                self._unmake_beginnings(log_index)
            case _:
                raise CorruptFile(f"{segment.path}: record at offset {offset} does not fit here")
