"""The journal keeps what it was told to keep, and says so when it cannot."""

import os
import random
import tracemalloc
from pathlib import Path

import pytest

from quoth_cluster.errors import CorruptFile, Fatal, NewerFormat
from quoth_cluster.log import Change, Member, MembershipChange
from quoth_cluster.raft import journal as journal_room
from quoth_cluster.raft import slot_cache
from quoth_cluster.raft.disk import RealDisk, RealFile
from quoth_cluster.raft.entry import NOOP, Proposal, Slot, pack_commands, pack_membership
from quoth_cluster.raft.journal import Journal, Mark
from quoth_cluster.raft.segment import Segment
from tests.simulator.disks import Interrupted, SimDisk

FIRST = "0000000001.log"


def slot(log_index: int, *, term: int = 1, size: int = 20) -> Slot:
    return Slot(log_index, term, pack_commands([Proposal(b"i" * 16, b"c" * size)]))


def filled(path: Path, *, last: int = 30, sync_every: int = 5) -> Journal:
    journal = Journal.open(path)
    journal.set_term(1, "A")
    for log_index in range(2, last + 1):
        journal.append(slot(log_index, size=log_index))
        if log_index % sync_every == 0:
            journal.sync()
    journal.sync()
    return journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_what_was_synced_is_there_after_a_restart(path: Path) -> None:
    before = filled(path)
    before.set_term(7, "B")
    before.sync()
    before.close()
    after = Journal.open(path)
    assert (after.current_term, after.voted_for, after.last_index) == (7, "B", 30)
    assert [after.read(log_index) for log_index in range(2, 31)] == [
        slot(log_index, size=log_index) for log_index in range(2, 31)
    ]


def test_what_was_not_synced_is_not_promised(path: Path) -> None:
    journal = filled(path)
    journal.append(slot(31))
    assert journal.is_dirty and journal.synced_index == 30
    assert journal.read(31) == slot(31), "it can be read all the same"
    journal.close()
    assert Journal.open(path).last_index == 30


class WatchedFile(RealFile):
    """Notes when it is synced."""

    def __init__(self, path: Path, synced: list[str]) -> None:
        super().__init__(path)
        self.name = path.name
        self.synced = synced

    def sync(self) -> None:
        super().sync()
        self.synced.append(self.name)


class WatchedDisk(RealDisk):
    def __init__(self) -> None:
        self.synced: list[str] = []

    def open(self, path: Path) -> WatchedFile:
        return WatchedFile(path, self.synced)


def test_what_a_killed_process_wrote_is_durable_before_it_is_believed(path: Path) -> None:
    """Killed between write and fsync, the bytes are there, and a power cut may still take them."""
    filled(path).close()
    disk = WatchedDisk()
    Journal.open(path, disk=disk).close()
    assert FIRST in disk.synced


def test_a_truncation_survives(path: Path) -> None:
    journal = filled(path)
    journal.truncate_from(20)
    journal.append(slot(20, term=2))
    journal.sync()
    journal.close()
    again = Journal.open(path)
    assert again.last_index == 20 and again.term_at(20) == 2 and again.term_at(19) == 1


def test_every_torn_tail_is_cut_and_nothing_before_it(path: Path) -> None:
    journal = filled(path)
    durable = (path / FIRST).stat().st_size
    for log_index in (31, 32, 33):
        journal.append(slot(log_index))
    journal.sync()
    journal.close()
    whole = (path / FIRST).read_bytes()
    for length in range(durable, len(whole)):
        (path / FIRST).write_bytes(whole[:length])
        torn = Journal.open(path)
        assert 30 <= torn.last_index < 33
        torn.append(slot(torn.last_index + 1, term=3))
        torn.sync()
        torn.close()
        assert Journal.open(path).last_term == 3, "the log goes on behind the cut"


def test_a_tail_of_zeros_is_a_torn_tail(path: Path) -> None:
    filled(path).close()
    with (path / FIRST).open("ab") as file:
        file.write(bytes(10_000))
    assert Journal.open(path).last_index == 30


def test_records_of_one_write_may_reach_the_disk_in_any_order(path: Path) -> None:
    """Power lost during a write: its first page is missing, its second is there."""
    journal = filled(path)
    durable = (path / FIRST).stat().st_size
    journal.append(slot(31, size=5_000))
    journal.append(slot(32, size=5_000))
    journal.sync()
    journal.close()
    data = bytearray((path / FIRST).read_bytes())
    data[durable : durable + 4_096] = bytes(4_096)
    (path / FIRST).write_bytes(data)
    assert Journal.open(path).last_index == 30


def test_a_flipped_bit_in_what_was_durable_stops_the_node(path: Path) -> None:
    filled(path).close()
    whole = (path / FIRST).read_bytes()
    last_sync = whole.rindex(slot(26, size=26).content)  # slots 26..30 were the last write
    for at in range(0, last_sync - 80, 7):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        (path / FIRST).write_bytes(damaged)
        with pytest.raises((CorruptFile, NewerFormat)) as caught:
            Journal.open(path)
        assert str(path) in str(caught.value) and "offset" in str(caught.value)
        assert (path / FIRST).read_bytes() == damaged, "nothing is cut from a damaged file"


def test_a_newer_format_is_told_from_a_broken_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_room, "VERSION", 3)
    Journal.open(path).close()
    monkeypatch.undo()
    with pytest.raises(NewerFormat, match="version 3"):
        Journal.open(path)


def test_its_incarnation_outlives_segments_restarts_and_snapshots(path: Path) -> None:
    journal = Journal.open(path, segment_bytes=300, new_incarnation=b"first")
    for at in range(2, 40):
        journal.append(slot(at))
    journal.sync()
    journal.trim_to(30)
    journal.remove_trimmed()
    journal.close()
    journal = Journal.open(path, new_incarnation=b"second")
    assert journal.incarnation == b"first" and journal.base_index > 1
    journal.reset(Mark(50, 3), {})
    journal.close()
    journal = Journal.open(path, new_incarnation=b"third")
    assert (journal.incarnation, journal.base_index) == (b"first", 50)
    journal.close()


def test_a_journal_from_before_incarnations_is_read(path: Path) -> None:
    path.mkdir()
    first = path / "0000000001.log"
    segment = Segment(first, RealDisk().open(first), 1)
    segment.append([0, 1, "quoth-journal", 1, 0, 4, "B", 0, False, []])
    segment.append([1, 2, 4, bytes([NOOP])])
    segment.sync()
    segment.file.close()
    journal = Journal.open(path, segment_bytes=1, new_incarnation=b"new")
    assert (journal.incarnation, journal.current_term, journal.last_index) == (b"", 4, 2)
    journal.append(Slot(3, 4, bytes([NOOP])))  # into a segment of the newer version
    journal.sync()
    journal.close()
    journal = Journal.open(path)
    assert (journal.incarnation, journal.voted_for, journal.last_index) == (b"", "B", 3)
    journal.close()


def test_a_disk_that_failed_once_is_not_trusted_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = filled(path)
    journal.append(slot(31))

    def refuse(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", refuse)
    with pytest.raises(Fatal, match="Input/output error"):
        journal.sync()
    assert journal.synced_index == 30
    monkeypatch.undo()
    with pytest.raises(Fatal, match="failed before"):
        journal.sync()


def test_a_full_disk_stops_the_node_when_a_segment_begins(path: Path) -> None:
    disk = SimDisk(random.Random(1))
    journal = Journal.open(path, segment_bytes=600, disk=disk)
    disk.is_full = True
    with pytest.raises(Fatal, match="no space"):
        for log_index in range(2, 40):
            journal.append(slot(log_index))
    with pytest.raises(Fatal, match="failed before"):
        journal.sync()


def test_reading_does_not_need_the_cache(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_cache, "CACHE_BYTES_MAX", 0)
    journal = filled(path)
    assert journal.read(17) == slot(17, size=17)
    journal.append(slot(31))
    assert journal.read(31) == slot(31), "what is not in the file yet stays in memory"


def test_the_cache_of_small_slots_is_as_small_as_it_says(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Python needs around a slot is many times a small command."""
    monkeypatch.setattr(slot_cache, "CACHE_BYTES_MAX", 500_000)
    journal = Journal.open(path)
    tracemalloc.start()
    for log_index in range(2, 10_002):
        journal.append(Slot(log_index, 1, b"\x01%d" % log_index))
        if log_index % 100 == 0:
            journal.sync()
    traced_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert traced_bytes < 500_000 + 10_000 * 4 * 10, "the cache, and four numbers a slot"


def test_a_window_is_bounded_and_never_empty(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = filled(path)
    monkeypatch.setattr(journal_room, "WINDOW_BYTES_MAX", 300)
    assert 2 <= journal.window_end(2) < 30
    monkeypatch.setattr(journal_room, "WINDOW_BYTES_MAX", 1)
    assert journal.window_end(2) == 2
    assert journal.window_end(31) == 30, "behind the end there is nothing"


# -- segments


def in_segments(path: Path, *, last: int = 60) -> Journal:
    """A log of several small files, with a membership slot in the first."""
    journal = Journal.open(path, segment_bytes=600)
    change = MembershipChange(Change.ADD, Member("A", "http://a", "a:1"))
    journal.append(Slot(2, 0, pack_membership(change)))
    journal.set_term(1, "A")
    for log_index in range(3, last + 1):
        journal.append(slot(log_index))
        if log_index % 4 == 0:
            journal.sync()
    journal.sync()
    assert len(journal._disk.names(path)) > 5
    return journal


def reopened(path: Path) -> Journal:
    return Journal.open(path, segment_bytes=600)


def contents(journal: Journal) -> list[tuple[int, int]]:
    return [
        (log_index, journal.read(log_index).term)
        for log_index in range(journal.base_index + 1, journal.last_index + 1)
    ]


def test_a_log_of_many_files_is_one_log(path: Path) -> None:
    before = in_segments(path)
    expected = contents(before)
    before.close()
    after = reopened(path)
    assert contents(after) == expected and (after.current_term, after.voted_for) == (1, "A")
    assert len(after.memberships()) == 1


def test_trimming_lets_go_of_whole_files_and_of_nothing_else(path: Path) -> None:
    journal = in_segments(path)
    files = len(journal._disk.names(path))
    journal.trim_to(40)
    journal.remove_trimmed()
    assert len(journal._disk.names(path)) < files
    assert 2 < journal.base_index <= 40 and journal.term_at(journal.base_index) == 1
    kept = contents(journal)
    assert kept[-1][0] == 60
    journal.close()
    again = reopened(path)
    assert contents(again) == kept and again.base == journal.base
    assert len(again.memberships()) == 1, "the configuration outlives the slot that made it"
    again.append(slot(61, term=2))
    again.sync()
    again.close()
    assert reopened(path).last_term == 2


def test_the_newest_files_within_a_size_are_found(path: Path) -> None:
    journal = in_segments(path)
    sizes = [file.stat().st_size for file in sorted(path.iterdir())]
    assert journal.base_within(sum(sizes)) == journal.base_index
    for count in range(1, len(sizes)):
        journal.trim_to(journal.base_within(sum(sizes[count:])))
        journal.remove_trimmed()
        assert [file.stat().st_size for file in sorted(path.iterdir())] == sizes[count:]
    journal.trim_to(journal.base_within(0))
    journal.remove_trimmed()
    assert len(list(path.iterdir())) == 1, "the one that is written to stays"


def test_a_log_begun_anew_behind_a_snapshot_forgets_the_rest(path: Path) -> None:
    journal = in_segments(path)
    journal.set_term(5, None)
    journal.sync()
    content = journal.memberships()[0]
    journal.reset(Mark(30, 4), {2: content})  # its own slots up to 60 are of another history
    assert (journal.last_index, journal.last_term) == (30, 4)
    journal.append(slot(31, term=5))
    journal.sync()
    journal.close()
    again = reopened(path)
    assert (again.base, again.last_index, again.current_term) == (Mark(30, 4), 31, 5)
    assert again.memberships() == [content]


class PowerCut(Exception):
    """Not an OSError: nothing may handle it."""


class FailingDisk(RealDisk):
    """Loses power at the n-th removal of a file."""

    def __init__(self, survives: int) -> None:
        self.survives = survives

    def remove(self, path: Path) -> None:
        if self.survives == 0:
            raise PowerCut
        self.survives -= 1
        super().remove(path)


@pytest.mark.parametrize("survives", range(4))
def test_power_lost_while_files_are_removed(path: Path, survives: int) -> None:
    in_segments(path).close()
    journal = Journal.open(path, segment_bytes=600, disk=FailingDisk(survives))
    with pytest.raises(PowerCut):
        journal.trim_to(60)
        journal.remove_trimmed()
    trimmed = reopened(path)
    assert contents(trimmed)[-1] == (60, 1)
    content = trimmed.memberships()[0]
    trimmed.close()
    journal = Journal.open(path, segment_bytes=600, disk=FailingDisk(min(survives, 1)))
    with pytest.raises(PowerCut):
        journal.reset(Mark(70, 3), {2: content})
    again = reopened(path)
    assert (again.base, again.last_index, again.memberships()) == (Mark(70, 3), 70, [content])


@pytest.mark.parametrize("survives", range(6))
def test_power_lost_while_a_segment_that_counts_back_is_removed(path: Path, survives: int) -> None:
    """The files before it are gone, and so it stands first, which it never does else."""
    before = in_segments(path)
    before.truncate_from(40)
    for log_index in range(40, 80):
        before.append(slot(log_index, term=2))
        before.sync()
    expected = contents(before)
    before.close()
    journal = Journal.open(path, segment_bytes=600, disk=FailingDisk(survives))
    with pytest.raises(PowerCut):
        journal.trim_to(79)
        journal.remove_trimmed()
    again = reopened(path)
    assert contents(again) == [pair for pair in expected if pair[0] > again.base_index]
    assert again.last_index == 79 and len(again.memberships()) == 1


def test_a_torn_new_file_is_no_file(path: Path) -> None:
    journal = in_segments(path)
    expected = contents(journal)
    journal.close()
    torn = path / f"{len(list(path.iterdir())) + 1:010}.log"
    torn.write_bytes(b"\x01\x02\x03")
    again = reopened(path)
    assert contents(again) == expected
    again.append(slot(61))
    for log_index in range(62, 80):
        again.append(slot(log_index))
    again.sync()
    again.close()
    assert reopened(path).last_index == 79


def test_two_new_files_that_power_never_reached_are_no_files(path: Path) -> None:
    journal = in_segments(path)
    expected = contents(journal)
    journal.close()
    number = len(list(path.iterdir()))
    (path / f"{number + 1:010}.log").write_bytes(b"")
    (path / f"{number + 2:010}.log").write_bytes(bytes(30))
    assert contents(reopened(path)) == expected
    assert len(list(path.iterdir())) == number


@pytest.mark.parametrize("calls", range(1, 16))
def test_power_lost_at_any_call_leaves_two_new_files_in_order(path: Path, calls: int) -> None:
    """The second was once written before the name of the first was durable."""
    for seed in range(20):
        disk = SimDisk(random.Random(seed))
        journal = Journal.open(path, disk=disk, segment_bytes=300)
        journal.append(slot(2, size=300))
        journal.sync()
        disk.fuse = calls
        try:
            for log_index in (3, 4):  # each begins a file
                journal.append(slot(log_index, size=300))
            journal.sync()
        except Interrupted:
            assert journal.synced_index == 2
        disk.fuse = None
        disk.lose_power()
        opened = Journal.open(path, disk=disk, segment_bytes=300)
        assert opened.last_index >= journal.synced_index


def test_an_empty_file_before_a_written_one_stops_the_node(path: Path) -> None:
    in_segments(path).close()
    sorted(path.iterdir())[-2].write_bytes(b"")
    with pytest.raises(CorruptFile, match="offset 0 is damaged"):
        reopened(path)


def test_a_missing_file_in_the_middle_stops_the_node(path: Path) -> None:
    in_segments(path).close()
    sorted(path.iterdir())[2].unlink()
    with pytest.raises(CorruptFile, match="does not go on"):
        reopened(path)


def test_damage_at_the_end_of_an_older_file_stops_the_node(path: Path) -> None:
    in_segments(path).close()
    older = sorted(path.iterdir())[1]
    older.write_bytes(older.read_bytes()[:-3])
    with pytest.raises(CorruptFile):
        reopened(path)


def test_a_segment_in_which_the_log_counts_back_is_never_its_beginning(path: Path) -> None:
    """Its first record says 60, and later in it the log goes back to 54."""
    journal = in_segments(path)
    newest = sorted(path.iterdir())[-1]
    journal.truncate_from(40)
    for log_index in range(40, 80):
        journal.append(slot(log_index, term=2))
        journal.sync()
    expected = contents(journal)
    journal.trim_to(62)
    journal.remove_trimmed()
    assert not newest.exists(), "it goes together with those before it"
    kept = [pair for pair in expected if pair[0] > journal.base_index]
    assert contents(journal) == kept and journal.base_index <= 62
    journal.close()
    assert contents(reopened(path)) == kept


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_to_a_log_it_opens_as_it_was(path: Path, seed: int) -> None:
    dice = random.Random(seed)
    journal, term, committed = reopened(path), 1, 1
    for _ in range(150):
        match dice.choice(["append", "append", "append", "truncate", "trim", "term", "reopen"]):
            case "append":
                for _ in range(dice.randrange(1, 6)):
                    journal.append(slot(journal.last_index + 1, term=term))
            case "truncate" if journal.last_index > committed:
                journal.truncate_from(dice.randrange(committed, journal.last_index) + 1)
            case "trim":
                journal.sync()
                committed = dice.randrange(committed, journal.last_index + 1)
                journal.trim_to(committed)
                journal.remove_trimmed()
            case "term":
                term += 1
                journal.set_term(term, dice.choice([None, "A", "B"]))
            case "reopen":
                journal.sync()
                expected = contents(journal), journal.base, journal.current_term, journal.voted_for
                journal.close()
                journal = reopened(path)
                found = contents(journal), journal.base, journal.current_term, journal.voted_for
                assert found == expected, f"seed {seed}"
