"""Stories of one engine, fed message by message."""

from pathlib import Path
from typing import Any

import pytest

from quoth_cluster.clock import Clock, SeededChance, SystemClock
from quoth_cluster.log import Change, Member, MembershipChange, Vote
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.entry import COMMANDS, Slot, pack_membership
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.syncobj import Timing

LARGE = bytes([COMMANDS]) + bytes(3 * 1024 * 1024)


def member(tag: str) -> bytes:
    added = MembershipChange(Change.ADD, Member(tag, f"http://{tag}", f"{tag}:1"))
    return pack_membership(added)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Slots 2 to 4 make A, B and C members, in term 0."""
    journal = Journal.open(tmp_path / "journal")
    for at, tag in enumerate("ABC"):
        journal.append(Slot(2 + at, 0, member(tag)))
    journal.sync()
    return journal


def engine_of(journal: Journal, clock: Clock | None = None) -> Engine:
    engine = Engine(
        "A",
        journal,
        applied_index=4,
        contacts=(),
        timing=Timing(),
        clock=clock or SystemClock(),
        chance=SeededChance(1),
        queued_bytes=lambda _tag: 0,
    )
    for tag in "BC":
        engine.set_link(tag, is_up=True)
    return engine


def append(term: int, prev: tuple[int, int], slots: list[tuple[int, bytes]]) -> dict[str, Any]:
    entries = [[content, prev[0] + 1 + at, of] for at, (of, content) in enumerate(slots)]
    about = {"prevLogIdx": prev[0], "prevLogTerm": prev[1], "entries": entries}
    return {
        **{"type": "append_entries", "term": term, "sender_term": term, "commit_index": 0},
        **{"sequence": 1, **about},
    }


def answers(engine: Engine) -> list[dict[str, Any]]:
    engine.journal.sync()
    return [message for tag, message in engine.take_messages() if tag == "B"]


def test_a_conflict_is_cut_off_however_large_its_slots_are(journal: Journal) -> None:
    """The library sees a window of the log; a conflict beyond it was once left in place."""
    for log_index in (5, 6, 7):
        journal.append(Slot(log_index, 1, LARGE))
    journal.sync()
    engine = engine_of(journal)
    small = bytes([COMMANDS]) + b"small"
    engine.receive("B", append(2, (4, 0), [(2, small), (2, small)]))
    assert (journal.last_index, journal.term_at(5), journal.term_at(6)) == (6, 2, 2)
    (answer,) = answers(engine)
    assert (answer["next_node_idx"], answer["success"]) == (7, True)


def test_a_truncated_change_of_membership_is_undone(journal: Journal) -> None:
    journal.append(Slot(5, 1, LARGE))
    journal.append(Slot(6, 1, member("D")))
    journal.sync()
    engine = engine_of(journal)
    assert engine.others == {"B", "C", "D"}
    engine.receive("B", append(2, (4, 0), [(2, LARGE)]))
    assert engine.others == {"B", "C"} and journal.last_index == 5


def test_a_candidate_that_is_behind_hears_the_term(journal: Journal) -> None:
    journal.set_term(9, None)
    journal.sync()
    engine = engine_of(journal)
    late = {"type": "request_vote", "term": 4, "sender_term": 4, "forced": False}
    engine.receive("B", {**late, "last_log_index": 4, "last_log_term": 0})
    (answer,) = answers(engine)
    assert (answer["type"], answer["sender_term"]) == ("term_notice", 9)


class StillClock(SystemClock):
    """Time that moves by hand."""

    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


def test_a_node_that_was_cut_off_spends_no_term_while_the_others_have_a_leader(
    journal: Journal,
) -> None:
    clock = StillClock()
    engine = engine_of(journal, clock)
    engine.receive("B", append(1, (4, 0), []))
    answers(engine)
    for _ in range(50):
        clock.now += 0.5
        engine.tick()
    assert engine.term == 1, "it asks, and nobody grants it"
    asked = [message["type"] for message in answers(engine)]
    assert asked and set(asked) == {"pre_vote"}


def test_while_a_leader_is_heard_nobody_is_told_to_stand(journal: Journal) -> None:
    engine = engine_of(journal)
    request = {"type": "pre_vote", "term": 2, "sender_term": 1, "round": 1}
    request |= {"last_log_index": 99, "last_log_term": 1}
    engine.receive("B", append(1, (4, 0), []))
    answers(engine)
    engine.receive("B", request)
    assert answers(engine) == []
    engine.set_link("B", is_up=False)  # the leader's process is gone
    engine.set_link("B", is_up=True)
    engine.receive("B", request)
    (granted,) = answers(engine)
    assert granted["type"] == "pre_vote_granted" and engine.term == 1


def test_a_node_that_lost_its_log_does_not_vote(tmp_path: Path) -> None:
    engine = Engine(
        "A",
        Journal.open(tmp_path / "empty"),
        applied_index=0,
        contacts=["B"],
        timing=Timing(),
        clock=SystemClock(),
        chance=SeededChance(1),
        queued_bytes=lambda _tag: 0,
    )
    engine.set_link("B", is_up=True)
    request = {"type": "request_vote", "term": 4, "sender_term": 4, "forced": True}
    engine.receive("B", {**request, "last_log_index": 4, "last_log_term": 0})
    assert answers(engine) == [], "it does not know any more what it acknowledged"


def test_a_learner_that_has_its_snapshot_may_be_out_of_reach(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "alone")
    journal.append(Slot(2, 0, member("A")))
    learner = MembershipChange(Change.ADD, Member("D", "http://D", "D:1", Vote.PROMOTABLE))
    journal.append(Slot(3, 0, pack_membership(learner)))
    journal.append(Slot(4, 0, LARGE))
    journal.sync()
    engine = engine_of(journal)
    engine.elect_now()
    engine.tick()
    assert engine.is_leader
    engine._reign.behind["D"] = 0.0
    engine.caught_up_by_snapshot("D", 4)
    assert engine.behind == []
