"""The journal keeps what it was told to keep, and says so when it cannot."""

import os
from pathlib import Path

import pytest

from quoth_cluster.errors import CorruptFile, Fatal, NewerFormat
from quoth_cluster.raft import journal as journal_room
from quoth_cluster.raft.entry import NOOP, Proposal, Slot, pack_commands
from quoth_cluster.raft.journal import Journal


def slot(log_index: int, *, term: int = 1, size: int = 20) -> Slot:
    return Slot(log_index, term, pack_commands([Proposal(b"i" * 16, b"c" * size)]))


def filled(path: Path, *, last: int = 30, sync_every: int = 5) -> Journal:
    journal = Journal.open(path)
    journal.append(Slot(1, 0, bytes([NOOP])))
    journal.set_term(1, "A")
    for log_index in range(2, last + 1):
        journal.append(slot(log_index, size=log_index))
        if log_index % sync_every == 0:
            journal.sync()
    journal.sync()
    return journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.log"


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
    durable = path.stat().st_size
    for log_index in (31, 32, 33):
        journal.append(slot(log_index))
    journal.sync()
    journal.close()
    whole = path.read_bytes()
    for length in range(durable, len(whole)):
        path.write_bytes(whole[:length])
        torn = Journal.open(path)
        assert 30 <= torn.last_index < 33
        torn.append(slot(torn.last_index + 1, term=3))
        torn.sync()
        torn.close()
        assert Journal.open(path).last_term == 3, "the log goes on behind the cut"


def test_a_tail_of_zeros_is_a_torn_tail(path: Path) -> None:
    filled(path).close()
    with path.open("ab") as file:
        file.write(bytes(10_000))
    assert Journal.open(path).last_index == 30


def test_records_of_one_write_may_reach_the_disk_in_any_order(path: Path) -> None:
    """Power lost during a write: its first page is missing, its second is there."""
    journal = filled(path)
    durable = path.stat().st_size
    journal.append(slot(31, size=5_000))
    journal.append(slot(32, size=5_000))
    journal.sync()
    journal.close()
    data = bytearray(path.read_bytes())
    data[durable : durable + 4_096] = bytes(4_096)
    path.write_bytes(data)
    assert Journal.open(path).last_index == 30


def test_a_flipped_bit_in_what_was_durable_stops_the_node(path: Path) -> None:
    filled(path).close()
    whole = path.read_bytes()
    last_sync = whole.rindex(slot(26, size=26).content)  # slots 26..30 were the last write
    for at in range(0, last_sync - 80, 7):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises((CorruptFile, NewerFormat)) as caught:
            Journal.open(path)
        assert str(path) in str(caught.value) and "offset" in str(caught.value)
        assert path.read_bytes() == damaged, "nothing is cut from a damaged file"


def test_a_newer_format_is_told_from_a_broken_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_room, "VERSION", 2)
    Journal.open(path).close()
    monkeypatch.undo()
    with pytest.raises(NewerFormat, match="version 2"):
        Journal.open(path)


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


def test_reading_does_not_need_the_cache(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_room, "CACHE_BYTES_MAX", 0)
    journal = filled(path)
    assert journal.read(17) == slot(17, size=17)
    journal.append(slot(31))
    assert journal.read(31) == slot(31), "what is not in the file yet stays in memory"


def test_a_window_is_bounded_and_never_empty(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = filled(path)
    monkeypatch.setattr(journal_room, "WINDOW_BYTES_MAX", 300)
    assert 2 <= journal.window_end(2) < 30
    monkeypatch.setattr(journal_room, "WINDOW_BYTES_MAX", 1)
    assert journal.window_end(2) == 2
    assert journal.window_end(31) == 30, "behind the end there is nothing"
