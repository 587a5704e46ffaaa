"""Stories of one engine, fed message by message."""

from pathlib import Path
from typing import Any

import pytest

from quoth_cluster.clock import Clock, SeededChance, SystemClock
from quoth_cluster.log import Change, Member, MembershipChange, Vote
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.entry import COMMANDS, Slot, pack_membership
from quoth_cluster.raft.group import LOG_KEEP_SLOTS
from quoth_cluster.raft.journal import Journal, Mark
from quoth_cluster.raft.syncobj import REPLAY_SLOTS_MAX, Timing

LARGE = bytes([COMMANDS]) + bytes(3 * 1024 * 1024)


def member(tag: str, *, incarnation: bytes = b"") -> bytes:
    added = Member(tag, f"http://{tag}", f"{tag}:1", incarnation=incarnation)
    return pack_membership(MembershipChange(Change.ADD, added))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Slots 2 to 4 make A, B and C members, in term 0."""
    journal = Journal.open(tmp_path / "journal")
    for at, tag in enumerate("ABC"):
        journal.append(Slot(2 + at, 0, member(tag)))
    journal.sync()
    return journal


def engine_of(journal: Journal, clock: Clock | None = None, *, applied_index: int = 4) -> Engine:
    engine = Engine(
        "A",
        journal,
        applied_index=applied_index,
        contacts=(),
        timing=Timing(),
        clock=clock or SystemClock(),
        chance=SeededChance(1),
        queued_bytes=lambda _tag: 0,
        log_keep_slots=LOG_KEEP_SLOTS,
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
        log_keep_slots=LOG_KEEP_SLOTS,
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


def test_a_leader_whose_log_begins_late_takes_changes_of_voters_also_while_nobody_writes(
    tmp_path: Path,
) -> None:
    """The library declines them until it has passed all that was committed, dropped or not."""
    journal = Journal.open(tmp_path / "late")
    late = 3 * REPLAY_SLOTS_MAX
    journal.reset(Mark(late, 1), {2 + at: member(tag) for at, tag in enumerate("AB")})
    clock = StillClock()
    engine = engine_of(journal, clock, applied_index=late)
    engine.receive("B", append(2, (late, 1), [(2, LARGE)]) | {"commit_index": late + 1})
    answers(engine)
    engine.receive("B", {"type": "timeout_now", "term": 2, "sender_term": 2})
    engine.tick()
    engine.receive("B", {"type": "response_vote", "term": 3, "sender_term": 3})
    last_index = engine.journal.last_index
    answer = {"type": "next_node_idx", "next_node_idx": last_index + 1, "sequence": 0}
    engine.receive("B", answer | {"sender_term": 3, "reset": False, "success": True})
    for _ in range(6):
        engine.tick()
    assert engine.is_leader and engine.commit_index == last_index
    assert engine.hand_over("B") and not engine.hand_over("C"), "C holds nothing that is known"
    known = Member("B", "http://B", "B:1")
    removal = MembershipChange(Change.REMOVE, known, Vote.MEMBER)
    assert engine.propose_membership(removal) == last_index + 1


def journal_of(folder: Path, *, incarnation: bytes) -> Journal:
    """A, B and C are members, each in its first incarnation; the journal is that of A."""
    journal = Journal.open(folder, new_incarnation=incarnation)
    for at, tag in enumerate("ABC"):
        journal.append(Slot(2 + at, 0, member(tag, incarnation=f"{tag}1".encode())))
    journal.sync()
    return journal


@pytest.mark.parametrize(("who", "wins"), [(b"B1", True), (b"B2", False)])
def test_votes_and_acknowledgements_count_if_who_gives_them_remembers(
    tmp_path: Path, who: bytes, wins: bool
) -> None:
    """B2 is B after it lost its disk, and with it what it had acknowledged and voted for."""
    clock = StillClock()
    engine = engine_of(journal_of(tmp_path / "A", incarnation=b"A1"), clock)
    clock.now += 5.0
    engine.tick()
    (question,) = answers(engine)
    granted = {"type": "pre_vote_granted", "term": 1, "sender_term": 0, "round": question["round"]}
    engine.receive("B", granted, incarnation=who)
    engine.tick()
    assert (engine.term == 1) is wins
    if not wins:
        engine.receive("C", granted, incarnation=b"C1")
        engine.tick()
    vote = {"type": "response_vote", "term": engine.term, "sender_term": engine.term}
    engine.receive("B", vote, incarnation=who)
    assert engine.is_leader is wins
    if not wins:
        engine.receive("C", vote, incarnation=b"C1")
    last_index = engine.journal.last_index
    answer = {"type": "next_node_idx", "next_node_idx": last_index + 1, "sequence": 0}
    answer |= {"sender_term": engine.term, "reset": False, "success": True}
    engine.receive("B", answer, incarnation=who)
    engine.tick()
    assert (engine.match_index("B"), engine.commit_index) == ((last_index,) * 2 if wins else (0, 4))


def test_a_node_that_forgot_neither_votes_nor_stands_in_its_former_name(tmp_path: Path) -> None:
    """Its log has come as far as to name it, but means the one that it was before."""
    clock = StillClock()
    engine = engine_of(journal_of(tmp_path / "A", incarnation=b"A2"), clock)
    assert not engine.is_member and not engine.is_voter
    request = {"type": "request_vote", "term": 4, "sender_term": 4, "forced": True}
    engine.receive("B", {**request, "last_log_index": 4, "last_log_term": 0}, incarnation=b"B1")
    for _ in range(20):
        clock.now += 1.0
        engine.tick()
    assert answers(engine) == [] and engine.term == 0
    engine.receive("B", append(1, (4, 0), [(1, member("A", incarnation=b"A2"))]))
    assert engine.is_member, "it was added anew"
