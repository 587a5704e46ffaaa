"""What became of a change of membership is told by what the log holds, however it got there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quoth_cluster.errors import MembershipRefused, NotProposed
from quoth_cluster.log import Change, Member, MembershipChange, Vote
from quoth_cluster.raft.entry import Slot, pack_membership
from quoth_cluster.raft.journal import Journal, Mark
from quoth_cluster.raft.reconfiguration import Reconfiguration
from quoth_cluster.raft.syncobj import Timing

FOUNDERS = [Member(tag, f"http://{tag}", f"{tag}:1") for tag in "ABC"]
DEMOTION = MembershipChange(Change.DEMOTE, FOUNDERS[2])
DEMOTED = replace(FOUNDERS[2], vote=Vote.WATCHER)
CONTENT = pack_membership(MembershipChange(Change.DEMOTE, DEMOTED, Vote.MEMBER))


@dataclass
class Leader:
    """The parts of a leader that a change goes through; `then` happens once it is in the log."""

    journal: Journal
    then: Any
    clock: Any = field(default_factory=lambda: SimpleNamespace(monotonic=lambda: 0.0))
    identity: Any = field(default_factory=lambda: SimpleNamespace(tag="A"))
    links: Any = field(default_factory=lambda: SimpleNamespace(is_up=lambda tag: True))
    term: int = 1
    tag: str = "A"
    is_leader: bool = True
    third: Member = FOUNDERS[2]
    matches: int = 0  # what each follower is known to hold

    @property
    def engine(self) -> "Leader":
        return self

    def counts(self, tag: str) -> bool:
        return True

    def match_index(self, tag: str) -> int:
        return self.matches

    def moved_at(self, tag: str) -> int:
        return 4

    @property
    def commit_index(self) -> int:
        return self.journal.last_index

    def members(self) -> dict[str, Member]:
        return {member.tag: member for member in (*FOUNDERS[:2], self.third)}

    def propose_membership(self, change: MembershipChange) -> int:
        log_index = self.journal.last_index + 1
        self.journal.append(Slot(log_index, self.term, pack_membership(change)))
        return log_index

    async def run_inside(self, step: Any) -> Any:
        proposed = step()
        self.then(self.journal)
        return proposed


class Applied:
    """Says that everything is applied here."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    @property
    def value(self) -> int:
        return self.journal.last_index

    async def reached_within(self, log_index: int, *, seconds: float) -> bool:
        return True


async def demote(folder: Path, then: Any) -> None:
    journal = founded(folder)
    leader: Any = Leader(journal, then)
    await room_of(leader).change_here(DEMOTION, timeout_seconds=1.0)


def founded(folder: Path) -> Journal:
    journal = Journal.open(folder / "journal")
    for at, member in enumerate(FOUNDERS):
        founding = MembershipChange(Change.ADD, member)
        journal.append(Slot(2 + at, 1, pack_membership(founding)))
    journal.sync()
    return journal


def room_of(leader: Any) -> Reconfiguration:
    applier: Any = SimpleNamespace(applied=Applied(leader.journal))
    return Reconfiguration(leader, leader, applier, leader.journal)


async def test_a_change_that_came_back_within_a_snapshot_is_done(tmp_path: Path) -> None:
    def is_given_the_state(journal: Journal) -> None:
        memberships = dict(journal.numbered_memberships())
        assert memberships[journal.last_index] == CONTENT
        journal.sync()
        journal.reset(Mark(50, 3), memberships)

    await demote(tmp_path, is_given_the_state)


async def test_a_change_whose_place_another_slot_took_is_not_done(tmp_path: Path) -> None:
    def is_overwritten(journal: Journal) -> None:
        journal.truncate_from(journal.last_index)

    with pytest.raises(NotProposed, match="another leader's entry"):
        await demote(tmp_path, is_overwritten)


async def test_a_node_that_has_not_caught_up_is_no_voter_however_it_is_asked(
    tmp_path: Path,
) -> None:
    newcomer = replace(FOUNDERS[2], vote=Vote.PROMOTABLE)
    leader: Any = Leader(founded(tmp_path), lambda _: None, third=newcomer, matches=1)
    promotion = MembershipChange(Change.PROMOTE, newcomer)
    with pytest.raises(MembershipRefused, match="node C has not caught up yet"):
        await room_of(leader).change_here(promotion, timeout_seconds=1.0)
    leader.matches = 4
    await room_of(leader).change_here(promotion, timeout_seconds=1.0)


async def test_a_leader_that_goes_takes_nothing_in_until_another_can_lead(tmp_path: Path) -> None:
    """Under load nobody else ever held all of its log, and it stayed."""
    seen: list[str] = []
    leader: Any = Leader(founded(tmp_path), lambda _: None)
    leader.others = {"B", "C"}
    leader.timing = Timing()

    @contextmanager
    def holding_proposals() -> Iterator[None]:
        seen.append("hold")
        yield
        seen.append("go on")

    def hand_over(tag: str) -> bool:
        seen.append(f"ask {tag}")
        return seen.count(f"ask {tag}") == 3  # by then it holds the log

    async def news(*, seconds: float) -> None:
        seen.append("wait")

    leader.holding_proposals, leader.hand_over, leader.news = holding_proposals, hand_over, news
    with pytest.raises(NotProposed, match="hands over"):
        removal = MembershipChange(Change.REMOVE, FOUNDERS[0])
        await room_of(leader).change_here(removal, timeout_seconds=1.0)
    asked = ["ask B", "wait", "ask B", "wait", "ask B", "wait"]
    assert seen == ["hold", *asked, "go on"]
