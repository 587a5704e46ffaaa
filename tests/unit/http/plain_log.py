"""The log for tests of the HTTP room: one process, no engine, the same door.

Every command is applied straight into a machine. Switches make calls fail, hold a proposal back, or
say how many other nodes have "applied" a write.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from quoth_cluster.errors import ClusterError, NotReadable
from quoth_cluster.log import Change, LogEntry, Member, MembershipChange, Vote
from quoth_cluster.machine import Machine
from quoth_cluster.raft import membership
from quoth_cluster.raft.door import Applied, GroupStatus, PeerStatus, Role

FOUNDER = Member("A", "http://127.0.0.1:8080", "127.0.0.1:9080")


@dataclass
class PlainLog:
    """Fulfils `RaftLog`. Invariant: what `propose` returned is applied to `machine`."""

    machine: Machine
    role: Role = Role.LEADER
    propose_fails: ClusterError | None = None
    current_fails: ClusterError | None = None
    ask_fails: ClusterError | None = None
    applied_elsewhere: int = 0  # how many other nodes have every write
    proposals: int = 0
    reads: int = 0
    membership_changes: list[MembershipChange] = field(default_factory=list)
    hold: asyncio.Event | None = None  # a proposal waits for this before it is applied
    held: asyncio.Event = field(default_factory=asyncio.Event)  # one has begun to wait
    applied: asyncio.Event = field(default_factory=asyncio.Event)
    log_index: int = 0
    topics: dict[str, Callable[[bytes], Awaitable[bytes]]] = field(default_factory=dict)

    def found(self) -> None:
        """Make node A the only member."""
        self._apply(LogEntry(self._next(), 1, membership=MembershipChange(Change.ADD, FOUNDER)))

    async def propose(self, command: bytes, *, timeout_seconds: float) -> Applied:
        self.proposals += 1
        if self.propose_fails is not None:
            raise self.propose_fails
        if (hold := self.hold) is not None:
            self.applied.clear()
            self.held.set()
            await hold.wait()
        applied = self._apply(LogEntry(self._next(), 1, commands=(command,)))
        self.applied.set()
        return applied

    async def current(self, *, timeout_seconds: float) -> None:
        self.reads += 1
        if self.current_fails is not None:
            raise self.current_fails

    async def ask(self, tag: str, topic: str, body: bytes, *, timeout_seconds: float) -> bytes:
        if self.ask_fails is not None:
            raise self.ask_fails
        return await self.topics[topic](body)

    def answer(self, topic: str, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        self.topics[topic] = answer

    async def wait_for_command(self, command_index: int, *, timeout_seconds: float) -> bool:
        return command_index <= self.machine.applied.command_index

    async def wait_for_replicas(self, log_index: int, count: int, *, timeout_seconds: float) -> int:
        assert log_index == self.log_index, "a wait follows its write"
        return min(self.applied_elsewhere, count)

    async def change_membership(self, change: MembershipChange, *, timeout_seconds: float) -> None:
        whole = membership.resolve(self.machine.members(), change)
        self.membership_changes.append(change)
        self._apply(LogEntry(self._next(), 1, membership=whole))
        if whole.member.vote is Vote.PROMOTABLE:
            promotion = MembershipChange(Change.PROMOTE, whole.member)
            whole = membership.resolve(self.machine.members(), promotion)
            self._apply(LogEntry(self._next(), 1, membership=whole))

    @property
    def members_command_index(self) -> int:
        return self.machine.members_command_index

    def status(self) -> GroupStatus:
        members = tuple(self.machine.members().values())
        return GroupStatus(
            cluster_id="9513e51b-9e6b-40a4-a15f-e68190912b34",
            node_tag="A",
            role=self.role,
            leader="A" if self.role is Role.LEADER else None,
            term=1,
            last_log_index=self.log_index,
            commit_index=self.log_index,
            applied_index=self.log_index,
            command_index=self.machine.applied.command_index,
            members=members,
            members_command_index=self.machine.members_command_index,
            peers=tuple(
                PeerStatus(m.tag, True, self.log_index, 0) for m in members if m.tag != "A"
            ),
        )

    def unreadable(self) -> None:
        """Lose the quorum for reads."""
        self.current_fails = NotReadable("no quorum confirmed the read")

    def _next(self) -> int:
        self.log_index += 1
        return self.log_index

    def _apply(self, entry: LogEntry) -> Applied:
        ((stepped,),) = self.machine.apply([entry])
        return Applied(entry.log_index, stepped.command_index, stepped.outcome)
