"""Adding and removing members through the log, one at a time.

A change enters the log only when the one before it is applied and an entry of the leader's own term
is committed (Ongaro's fix to single-server changes). A node is added only if it answers, and votes
only once it has caught up, so that the first thing a small cluster does with a new member is not to
lose its quorum. A leader that is to go hands over first.
"""

import logging
from dataclasses import replace

from quoth_cluster.errors import (
    ClusterError,
    FateUnknown,
    MembershipRefused,
    NoAnswer,
    NotAsked,
    NotProposed,
)
from quoth_cluster.log import Change, Member, MembershipChange, Vote
from quoth_cluster.raft import membership
from quoth_cluster.raft.applier import Applier
from quoth_cluster.raft.calls import Calls
from quoth_cluster.raft.cycle import Cycle
from quoth_cluster.raft.entry import pack_membership
from quoth_cluster.raft.inside import Inside
from quoth_cluster.raft.journal import Journal

RETRY_SECONDS = 0.1
LINK_SECONDS_MAX = 5.0
PROMOTE_SECONDS = 0.05  # how often the leader looks whether somebody has caught up
CHANGE_SECONDS = 5.0
HAND_OVER_SECONDS = 0.01  # how often a leader that is to go looks whether somebody holds its log
CAUGHT_UP_SLOTS = 100  # a node this close to the commit index will not hold up a quorum for long

log = logging.getLogger(__name__)


class Reconfiguration:
    """Changes the configuration of one group."""

    def __init__(self, group: Inside, cycle: Cycle, applier: Applier, journal: Journal) -> None:
        self._group = group
        self._cycle = cycle
        self._applier = applier
        self._journal = journal

    async def found(self, member: Member) -> None:
        """Elect this node, alone, and make it the first member."""
        assert not self._journal.memberships(), "a cluster is founded once"
        await self._cycle.run_inside(self._group.engine.elect_now)
        mine = self._journal.incarnation
        change = MembershipChange(Change.ADD, replace(member, incarnation=mine))
        while True:
            log_index = await self._cycle.run_inside(
                lambda: (
                    self._group.engine.propose_membership(change)
                    if self._group.engine.is_leader
                    else None
                )
            )
            if log_index is not None:
                break
            await self._cycle.news(seconds=RETRY_SECONDS)
        await self._applier.applied.reached(log_index)

    async def change(
        self, change: MembershipChange, calls: Calls, *, timeout_seconds: float
    ) -> None:
        """Carry a change out, here or at the leader. Raises as `RaftLog.change_membership`."""
        clock = self._group.clock
        deadline = clock.monotonic() + timeout_seconds
        why = "no leader is known"
        while (seconds := deadline - clock.monotonic()) > 0:
            engine = self._group.engine
            leader = engine.leader
            try:
                if leader == engine.tag:
                    await self.change_here(change, timeout_seconds=seconds)
                    return
                if leader is not None:
                    await self._change_at(leader, change, calls, seconds=seconds)
                    return
            except NotProposed as error:
                why = str(error)
            await self._cycle.news(seconds=min(RETRY_SECONDS, seconds))
        raise NotProposed(f"not changed within {timeout_seconds:g} s: {why}")

    async def change_here(self, change: MembershipChange, *, timeout_seconds: float) -> None:
        """Carry a change out as the leader."""
        clock = self._group.clock
        deadline = clock.monotonic() + timeout_seconds
        whole = membership.resolve(self._group.members(), change)
        if whole.change is Change.ADD:
            member = await self._reach(whole.member)
            change, whole = replace(change, member=member), replace(whole, member=member)
        elif whole.removes_voter and whole.member.tag == self._group.identity.tag:
            await self._hand_over()
            raise NotProposed("this node led, and hands over before it goes")
        if whole.removes_voter:
            self._check_quorum_without(whole.member.tag)
        if _makes_voter(whole) and not self._has_caught_up(whole.member.tag):
            is_there = self._counts(whole.member.tag)
            missing = "has not caught up yet" if is_there else "cannot be reached"
            raise MembershipRefused(
                f"node {whole.member.tag} {missing}; it will vote as soon as it has caught up"
            )
        proposed = await self._cycle.run_inside(lambda: self._propose(change))
        if proposed is None:
            raise NotProposed("an earlier change is under way, or this node does not lead")
        log_index, content = proposed
        seconds = deadline - clock.monotonic()
        if not await self._applier.applied.reached_within(log_index, seconds=seconds):
            raise FateUnknown(f"the change is in the log and not applied in {timeout_seconds:g} s")
        # By its content: the slot itself may be trimmed, or lie within a snapshot that came since.
        if dict(self._journal.numbered_memberships()).get(log_index) != content:
            raise NotProposed("another leader's entry took its place")

    def _counts(self, tag: str) -> bool:
        return self._group.links.is_up(tag) and self._group.counts(tag)

    def _check_quorum_without(self, tag: str) -> None:
        """A change that nobody left could commit must not enter the log."""
        voters = membership.voters(self._group.members()) - {tag}
        mine = self._group.identity.tag
        reached = {other for other in voters if other == mine or self._counts(other)}
        if len(reached) <= len(voters) // 2:
            missing = ", ".join(sorted(voters - reached))
            raise MembershipRefused(
                f"without node {tag} there is no quorum: node {missing} cannot be reached"
            )

    async def run(self) -> None:
        """As the leader, make members of promotable nodes that have caught up; until cancelled."""
        while True:
            await self._cycle.news(seconds=PROMOTE_SECONDS)
            ready = self._caught_up()
            if ready is None:
                continue
            try:
                promotion = MembershipChange(Change.PROMOTE, ready)
                await self.change_here(promotion, timeout_seconds=CHANGE_SECONDS)
            except ClusterError as error:
                log.info("node %s is not promoted yet: %s", ready.tag, error)

    def _caught_up(self) -> Member | None:
        """A promotable node that holds nearly all of this leader's log."""
        engine = self._group.engine
        if not engine.is_leader:
            return None
        for tag, member in sorted(self._group.members().items()):
            if member.vote is Vote.PROMOTABLE and self._has_caught_up(tag):
                return member
        return None

    def _has_caught_up(self, tag: str) -> bool:
        """Whether a node may vote, as far as this leader knows.

        It must hold the very slot that added it: a node that does not know that it is one of the
        cluster does not vote, and as a member its vote may be the one that is needed. So must be
        what it acknowledges: one that is gone by now would leave a small cluster without a quorum.
        """
        engine = self._group.engine
        enough = max(engine.commit_index - CAUGHT_UP_SLOTS, self._group.moved_at(tag))
        return self._counts(tag) and engine.match_index(tag) >= enough

    def _propose(self, change: MembershipChange) -> tuple[int, bytes] | None:
        """One step inside the cycle: check again, then into the log; where, and what."""
        engine = self._group.engine
        applied = self._applier.applied.value
        is_settled = self._journal.last_membership_index() <= applied
        leads_for_sure = self._journal.term_at(applied) == engine.term
        if not engine.is_leader or not is_settled or not leads_for_sure:
            return None
        try:
            whole = membership.resolve(self._group.members(), change)
        except MembershipRefused as error:
            log.info("a change lost a race: %s", error)
            return None
        if whole.removes_voter and whole.member.tag == engine.tag:
            return None
        if _makes_voter(whole) and not self._has_caught_up(whole.member.tag):
            return None
        log_index = engine.propose_membership(whole)
        return None if log_index is None else (log_index, pack_membership(whole))

    async def _reach(self, member: Member) -> Member:
        """The node as it answers: in which incarnation. Raises MembershipRefused."""
        links = self._group.links
        was_open = member.tag in links.tags()
        links.open(member.tag, member.peer_address)
        clock = self._group.clock
        deadline = clock.monotonic() + LINK_SECONDS_MAX
        while not links.is_reached_at(member.tag, member.peer_address):
            seconds = deadline - clock.monotonic()
            if seconds <= 0:
                trouble = links.trouble(member.tag) or "no answer"
                if not was_open:
                    links.close(member.tag)
                raise MembershipRefused(
                    f"node {member.tag} cannot be reached at {member.peer_address}: {trouble}"
                )
            await self._group.link_news(seconds=min(RETRY_SECONDS, seconds))
        incarnation = links.incarnation_of(member.tag)
        if (why := self._group.refuses(member.tag, incarnation)) is not None:
            raise MembershipRefused(f"{why}: wipe its folder and let it join as a new node")
        return replace(member, incarnation=incarnation)

    async def _hand_over(self) -> None:
        engine = self._group.engine
        others = [tag for tag in sorted(engine.others) if self._group.links.is_up(tag)]
        if not others:
            raise MembershipRefused("no other member is connected to take over from this leader")
        best = max(others, key=engine.match_index)
        seconds = self._group.timing.election_timeout_max
        deadline = self._group.clock.monotonic() + seconds
        # While commands go on entering the log, nobody ever holds all of it, or is voted for.
        with self._cycle.holding_proposals():
            while not await self._cycle.run_inside(lambda: engine.hand_over(best)):
                if self._group.clock.monotonic() >= deadline or not engine.is_leader:
                    return
                await self._cycle.news(seconds=HAND_OVER_SECONDS)
            await self._cycle.news(seconds=seconds)

    async def _change_at(
        self, leader: str, change: MembershipChange, calls: Calls, *, seconds: float
    ) -> None:
        body = {"content": pack_membership(change), "seconds": seconds}
        try:
            answer = await calls.ask(leader, "membership", body, timeout_seconds=seconds)
        except NotAsked as error:
            raise NotProposed(str(error)) from error
        except NoAnswer as error:
            raise FateUnknown(f"the change was handed to node {leader}: {error}") from error
        if answer.get("done") is True:
            return
        if "refused" in answer:
            raise MembershipRefused(str(answer["refused"]))
        if "not_proposed" in answer:
            raise NotProposed(str(answer["not_proposed"]))
        raise FateUnknown(str(answer.get("unknown")))


def _makes_voter(change: MembershipChange) -> bool:
    """Whether a change that was resolved lets a node vote from now on."""
    return change.change is Change.PROMOTE and change.member.vote is Vote.MEMBER
