"""The replicated log of one group on this node: the door, and what stands behind it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from quoth_cluster.clock import Chance, Clock
from quoth_cluster.errors import (
    Fatal,
    FateUnknown,
    NotProposed,
    NotReadable,
    TooLarge,
)
from quoth_cluster.log import Member, MembershipChange, Position, Vote
from quoth_cluster.raft import rules
from quoth_cluster.raft.applier import Applier, StateMachine
from quoth_cluster.raft.calls import Calls
from quoth_cluster.raft.cycle import Cycle
from quoth_cluster.raft.door import Applied, GroupStatus, PeerStatus, Role
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.entry import Proposal
from quoth_cluster.raft.journal import BASE_INDEX, Journal
from quoth_cluster.raft.link import Identity, Links
from quoth_cluster.raft.neighbours import Contact, Neighbours
from quoth_cluster.raft.patience import within
from quoth_cluster.raft.proposals import PROPOSED_BYTES_MAX, Proposals
from quoth_cluster.raft.questions import Questions
from quoth_cluster.raft.read_index import ReadIndex
from quoth_cluster.raft.reconfiguration import Reconfiguration
from quoth_cluster.raft.rules import RAFT_TYPES
from quoth_cluster.raft.snapshot import Snapshots, adopt
from quoth_cluster.raft.snapshot_store import Manifest, SnapshotStore
from quoth_cluster.raft.syncobj import Timing

LOG_KEEP_SLOTS = 10_000  # kept behind the state, so that a node a little behind needs no snapshot
LOG_KEEP_BYTES = 2**30  # ... but no more than this: a slot may have a megabyte
RETRY_SECONDS = 0.1  # how long to wait for news before looking for a leader again

log = logging.getLogger(__name__)


def _check_state_fits_journal(applied_index: int, journal: Journal) -> None:
    """The log reaches from the state on. Raises Fatal."""
    wiping = "Wipe this node's folder and let it join again."
    if applied_index > journal.last_index:
        raise Fatal(
            f"{journal.folder} ends at slot {journal.last_index}, and the state holds slot "
            f"{applied_index}: the journal was lost or replaced. {wiping}"
        )
    if applied_index < journal.base_index and journal.base_index > BASE_INDEX:
        raise Fatal(
            f"{journal.folder} begins behind slot {journal.base_index}, and the state ends at slot "
            f"{applied_index}: the state was lost or replaced. {wiping}"
        )


class RaftGroup:
    """One group's log on one node; fulfils the door `RaftLog`."""

    def __init__(
        self,
        identity: Identity,
        journal: Journal,
        machine: StateMachine,
        *,
        timing: Timing,
        clock: Clock,
        chance: Chance,
        contacts: Iterable[Contact] = (),
        make_links: Callable[..., Links] = Links,
        snapshots: SnapshotStore | None = None,
        log_keep_slots: int = LOG_KEEP_SLOTS,
        log_keep_bytes: int = LOG_KEEP_BYTES,
        checkpoint_seconds: float | None = None,
    ) -> None:
        _check_state_fits_journal(machine.position.log_index, journal)
        self.identity = identity
        self.clock, self.timing = clock, timing
        self._journal = journal
        self._machine = machine
        self._log_keep_slots, self._log_keep_bytes = log_keep_slots, log_keep_bytes
        self._writer: ThreadPoolExecutor | None = None
        self._link_news = asyncio.Event()  # replaced whenever a link comes up or goes down
        self._neighbours = Neighbours(
            identity.tag, journal, contacts, applied_index=lambda: self.applied_index
        )
        self._members_command_index = machine.members_command_index
        self.links = make_links(
            identity,
            chance=chance,
            epoch=clock.now_micros(),
            on_message=self._on_message,
            on_link=self._on_link,
            incarnation=journal.incarnation,
            refuses=self._neighbours.refuses,
            on_progress=self._on_progress,
        )
        self._proposals = Proposals(identity.tag, chance=chance, refuse=self._refuse_proposal)
        self._applier = Applier(
            journal,
            machine,
            self._proposals,
            clock=clock,
            on_membership=self._on_membership,
            on_checkpoint=self._on_checkpoint,
            checkpoint_seconds=checkpoint_seconds,
        )
        self.engine = Engine(
            identity.tag,
            journal,
            applied_index=machine.position.log_index,
            contacts=[contact.tag for contact in self._neighbours.contacts],
            timing=timing,
            clock=clock,
            chance=chance,
            queued_bytes=self.links.queued_bytes,
            log_keep_slots=log_keep_slots,
        )
        self._cycle = Cycle(
            self.engine,
            journal,
            self._proposals,
            self._applier,
            send=self.links.send,
            on_configuration=self._open_links,
        )
        self._calls = Calls(self.links.send)
        store = snapshots or SnapshotStore(journal.folder.parent / "snapshots")
        self._make_parts(store, chance)

    def _make_parts(self, store: SnapshotStore, chance: Chance) -> None:
        """What works behind the door, once links, engine and cycle are there."""
        journal = self._journal
        self._read_index = ReadIndex(self, self._calls, journal)
        self._reconfiguration = Reconfiguration(self, self._cycle, self._applier, journal)
        self._snapshots = Snapshots(
            *(self, self._cycle, self._calls, journal, store),
            chance=chance,
            log_keep_slots=self._log_keep_slots,
        )
        self._questions = Questions(
            self, self._calls, self._applier, self._reconfiguration, self._snapshots
        )

    async def run(self, *, disk: ThreadPoolExecutor, writer: ThreadPoolExecutor) -> None:
        """Take part until cancelled; the links must listen already. Raises what ends the node."""
        self._open_links()
        self._writer = writer
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.links.run(), name="links")
                tasks.create_task(self._cycle.run(disk), name="cycle")
                tasks.create_task(self._applier.run(writer), name="applier")
                tasks.create_task(self._read_index.run(), name="reads")
                tasks.create_task(self._questions.run(), name="questions")
                tasks.create_task(self._reconfiguration.run(), name="promotions")
                tasks.create_task(self._snapshots.run(), name="snapshots")
        finally:
            self.engine.close()

    async def found(self, member: Member) -> None:
        """Make this node, whose log is empty, the first member of a new cluster."""
        await self._reconfiguration.found(member)

    async def elect_now(self) -> None:
        """Stand for election without waiting; for a cluster of one node."""
        await self._cycle.run_inside(self.engine.elect_now)

    # -- the door

    async def propose(self, command: bytes, *, timeout_seconds: float) -> Applied:
        """See `RaftLog.propose`."""
        if len(command) > PROPOSED_BYTES_MAX:
            raise TooLarge(f"a command of {len(command)} bytes; {PROPOSED_BYTES_MAX} are allowed")
        deadline = self.clock.monotonic() + timeout_seconds
        why = "no leader is known"
        while (seconds := deadline - self.clock.monotonic()) > 0:
            leader, term = self.engine.leader, self.engine.term
            if leader is not None and self.engine.is_member:
                try:
                    return await self._propose_once(command, leader, term, seconds=seconds)
                except NotProposed as error:
                    why = str(error)  # definite, so it may be tried again
            await self._cycle.news(seconds=min(RETRY_SECONDS, seconds))
        raise NotProposed(f"not proposed within {timeout_seconds:g} s: {why}")

    async def current(self, *, timeout_seconds: float) -> None:
        """See `RaftLog.current`."""
        deadline = self.clock.monotonic() + timeout_seconds
        while (seconds := deadline - self.clock.monotonic()) > 0:
            try:
                read_index = await self._read_index.ask(seconds=seconds)
            except TimeoutError:
                break
            if read_index is not None:
                seconds = deadline - self.clock.monotonic()
                if await self._applier.applied.reached_within(read_index, seconds=seconds):
                    return
                raise NotReadable(f"slot {read_index} was not applied here in time")
            await self._cycle.news(seconds=min(RETRY_SECONDS, seconds))
        raise NotReadable(f"no quorum confirmed the read within {timeout_seconds:g} s")

    async def wait_for_command(self, command_index: int, *, timeout_seconds: float) -> bool:
        """See `RaftLog.wait_for_command`."""
        return await self._applier.commands.reached_within(command_index, seconds=timeout_seconds)

    async def wait_for_replicas(self, log_index: int, count: int, *, timeout_seconds: float) -> int:
        """See `RaftLog.wait_for_replicas`."""
        return await self._questions.count_replicas(log_index, count, seconds=timeout_seconds)

    async def change_membership(self, change: MembershipChange, *, timeout_seconds: float) -> None:
        """See `RaftLog.change_membership`."""
        await self._reconfiguration.change(change, self._calls, timeout_seconds=timeout_seconds)

    async def ask(self, tag: str, topic: str, body: bytes, *, timeout_seconds: float) -> bytes:
        """See `RaftLog.ask`."""
        return await self._questions.ask(tag, topic, body, seconds=timeout_seconds)

    def answer(self, topic: str, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        """See `RaftLog.answer`."""
        self._questions.answer(topic, answer)

    @property
    def role(self) -> Role:
        """See `RaftLog.role`."""
        if not self.engine.is_member:
            return Role.PASSIVE
        if self.engine.is_leader:
            return Role.LEADER
        return Role.CANDIDATE if self.engine.leader is None else Role.FOLLOWER

    @property
    def members_command_index(self) -> int:
        """See `RaftLog.members_command_index`."""
        return self._members_command_index

    def status(self) -> GroupStatus:
        """See `RaftLog.status`."""
        engine = self.engine
        members = self.members()
        return GroupStatus(
            cluster_id=self.identity.cluster_id,
            node_tag=self.identity.tag,
            role=self.role,
            leader=engine.leader,
            term=engine.term,
            last_log_index=self._journal.last_index,
            commit_index=engine.commit_index,
            applied_index=self._applier.applied.value,
            command_index=self._applier.commands.value,
            members=tuple(members[tag] for tag in sorted(members)),
            members_command_index=self._members_command_index,
            peers=tuple(self._peer(tag) for tag in sorted(members) if tag != self.identity.tag),
        )

    # -- for the parts behind the door

    def members(self) -> dict[str, Member]:
        """The configuration, from the log; committed or not. Not to be changed."""
        return self._neighbours.members()

    def removal(self) -> str | None:
        """What a peer says if this node was removed from the cluster, else None."""
        return self._neighbours.removal(self.links)

    @property
    def applied_index(self) -> int:
        """How far the state of this node has come."""
        return self._applier.applied.value

    async def freeze_and_copy(self, store: SnapshotStore, name: str) -> Manifest:
        """A snapshot of the state as it is now, copied into `store`."""
        assert self._writer is not None, "the group runs"
        frozen = await self._applier.freeze(self._writer)
        log_index = frozen.position.log_index
        term = self._journal.term_at(log_index)
        memberships = tuple(
            pair for pair in self._journal.numbered_memberships() if pair[0] <= log_index
        )

        def take() -> Manifest:
            # Released by who copies: if this node stops meanwhile, the copy is still being made.
            try:
                return store.take(frozen, name=name, term=term, memberships=memberships)
            finally:
                frozen.release()

        return await asyncio.get_running_loop().run_in_executor(None, take)

    async def install(self, manifest: Manifest, store: SnapshotStore) -> None:
        """Replace state and log by a verified snapshot; a crash from here on is finished later."""
        await self._cycle.run_between(partial(self._install, manifest, store))
        self._open_links()

    def counts(self, tag: str) -> bool:
        """Whether who calls itself `tag` is the one that the configuration means."""
        incarnation = self.links.callers().get(tag)
        return incarnation is not None and self._neighbours.knows(tag, incarnation)

    def refuses(self, tag: str, incarnation: bytes) -> str | None:
        """Why this incarnation of `tag` is not heard; None if it is."""
        return self._neighbours.refuses(tag, incarnation)

    def moved_at(self, tag: str) -> int:
        """The last slot of the log that says anything of `tag`."""
        return self._neighbours.moved_at(tag)

    async def confirm_leadership(self) -> int | None:
        """Join the next quorum round; the commit index then, or None."""
        return await self._read_index.confirm()

    async def until_promoted(self) -> None:
        """Return when this node is a member, or a watcher: no more only about to become one."""
        while True:
            me = self.members().get(self.identity.tag)
            is_me = self._neighbours.knows(self.identity.tag, self._journal.incarnation)
            if me is not None and is_me and me.vote is not Vote.PROMOTABLE:
                return
            await self._cycle.news(seconds=RETRY_SECONDS)

    async def link_news(self, *, seconds: float) -> None:
        """Return when some link comes up or goes down, or when the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._link_news.wait()
        except TimeoutError:
            return

    # -- inside

    async def _install(self, manifest: Manifest, store: SnapshotStore) -> None:
        assert self._writer is not None, "the group runs"
        loop = asyncio.get_running_loop()
        is_older = not rules.accepts_snapshot(manifest.log_index, self.applied_index)
        # What the log holds is applied from there, maybe while this waits; this node may even lead
        # by it. What it does not hold cannot be applied meanwhile: between turns it does not grow.
        if is_older or self._journal.term_at(manifest.log_index) == manifest.term:
            await loop.run_in_executor(None, store.forget_incoming)
            return
        await loop.run_in_executor(None, store.start_installing, manifest)
        await self._applier.install(store.incoming, self._writer, term=manifest.term)
        adopt(self._journal, manifest)
        await loop.run_in_executor(None, store.installed)
        self._members_command_index = self._machine.members_command_index
        self.engine.restart_at(manifest.log_index)
        log.info("went on from a snapshot at slot %d", manifest.log_index)

    def _on_checkpoint(self, position: Position) -> None:
        """What is applied durably is not needed in the log, but for those a little behind."""
        needed = max(
            position.log_index - self._log_keep_slots,
            min(position.log_index, self._journal.base_within(self._log_keep_bytes)),
        )
        held = self._snapshots.held_index
        self._cycle.trim_to(needed if held is None else min(needed, held))

    async def _propose_once(
        self, command: bytes, leader: str, term: int, *, seconds: float
    ) -> Applied:
        proposal_id, future = self._proposals.expect(term)
        proposal = Proposal(proposal_id, command)
        try:
            if leader == self.identity.tag:
                self._proposals.enqueue(proposal, origin=leader, term=term)
                self._cycle.wake()
            elif not self.links.send(
                leader, {"type": "propose", "term": term, "id": proposal_id, "command": command}
            ):
                raise NotProposed(f"the leader, node {leader}, cannot be reached")
            return await within(future, seconds)
        except TimeoutError as error:
            if self._proposals.withdraw(proposal_id):
                raise NotProposed(f"nothing entered the log within {seconds:.1f} s") from error
            raise FateUnknown(
                f"the command was handed in and not applied within {seconds:.1f} s; it may still be"
            ) from error
        finally:
            self._proposals.forget(proposal_id)

    async def _on_message(self, tag: str, incarnation: bytes, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind in RAFT_TYPES:
            await self._cycle.accept(tag, incarnation, message)
        elif kind == "propose":
            self._on_propose(tag, message)
        elif kind == "refused":
            self._proposals.on_refused(message.get("id", b""), str(message.get("why")))
        elif kind == "ask":
            self._questions.on_ask(tag, message)
        elif kind == "answer":
            self._calls.on_answer(tag, message)
        else:
            log.warning("node %s sent a message of unknown type %r", tag, kind)

    def _on_propose(self, tag: str, message: dict[str, Any]) -> None:
        proposal_id, command = message.get("id"), message.get("command")
        if not isinstance(proposal_id, bytes) or not isinstance(command, bytes):
            log.warning("node %s sent a malformed proposal", tag)
            return
        try:
            if not self.engine.is_leader or self.engine.term != message.get("term"):
                raise NotProposed(f"node {self.identity.tag} does not lead that term")
            self._proposals.enqueue(
                Proposal(proposal_id, command), origin=tag, term=self.engine.term
            )
        except NotProposed as error:
            self._refuse_proposal(tag, proposal_id, str(error))
            return
        self._cycle.wake()

    def _refuse_proposal(self, tag: str, proposal_id: bytes, why: str) -> None:
        self.links.send(tag, {"type": "refused", "id": proposal_id, "why": why})

    def _on_link(self, tag: str, is_up: bool) -> None:
        self.engine.set_link(tag, is_up=is_up)
        if not is_up:
            self._calls.on_link_down(tag)
        self._link_news.set()
        self._link_news = asyncio.Event()
        self._cycle.wake()

    def _on_progress(self, tag: str) -> None:
        self.engine.on_progress(tag)

    def _on_membership(self, change: MembershipChange, command_index: int) -> None:
        self._members_command_index = command_index
        log.info("%s node %s", change.change, change.member.tag)
        self._open_links()  # to one that is removed it ends only now

    def _open_links(self) -> None:
        self._neighbours.open_links(self.links)

    def _peer(self, tag: str) -> PeerStatus:
        if not self.engine.is_leader:
            return PeerStatus(tag, self.links.is_up(tag))
        match_index = self.engine.match_index(tag)
        lag = self._journal.last_index - match_index
        return PeerStatus(tag, self.links.is_up(tag), match_index, lag)
