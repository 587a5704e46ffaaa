"""Bugs of the log: what is durable, what is agreed, and what proposers are told."""

import asyncio
from typing import Any

from quoth_cluster.errors import FateUnknown, NotProposed
from quoth_cluster.raft.door import Applied
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.group import RaftGroup
from quoth_cluster.raft.questions import Questions
from quoth_cluster.raft.segment import Segment
from quoth_node.testing.bugs.bug import Bug, Swap
from quoth_node.testing.clock import monotonic

SYNC_SECONDS = 1.0  # how much of the log is in the kernel only
PATIENCE_SECONDS = 0.4  # after which a proposal is called a failure


def _ack_before_fsync() -> tuple[Swap, ...]:
    synced_at: dict[Any, float] = {}

    def sync(self: Segment) -> None:
        """Written is called durable; the disk is asked once a second."""
        data = b"".join(self.pending)
        self.pending.clear()
        self.file.write(self.end - len(data), data)
        now = monotonic()
        if now - synced_at.setdefault(self.path, now) > SYNC_SECONDS:
            synced_at[self.path] = now
            self.file.sync()
        self.durable_end = self.end

    return ((Segment, "sync", sync),)


def _acknowledged_by_minority() -> tuple[Swap, ...]:
    real = vars(Engine)["commit_index"].fget

    def commit_index(self: Engine) -> int:
        """What a leader has on its own disk is agreed, as soon as it is of its own term."""
        agreed = int(real(self))
        own = self.journal.synced_index
        if self.is_leader and self.journal.term_at(own) == self.term:
            return max(agreed, own)
        return agreed

    return ((Engine, "commit_index", property(commit_index)),)


def _unknown_told_failed() -> tuple[Swap, ...]:
    real = RaftGroup.propose

    async def propose(self: RaftGroup, command: bytes, *, timeout_seconds: float) -> Applied:
        """Whose patience ends before the fate is known is told that nothing was done."""
        seconds = min(timeout_seconds, PATIENCE_SECONDS)
        try:
            return await real(self, command, timeout_seconds=seconds)
        except FateUnknown as error:
            raise NotProposed(f"not done within {seconds:g} s") from error

    return ((RaftGroup, "propose", propose),)


def _proposed_again() -> tuple[Swap, ...]:
    real = RaftGroup._on_link

    def on_link(self: RaftGroup, tag: str, is_up: bool) -> None:
        """What a lost leader was handed is taken for not proposed, and proposed to the next."""
        if not is_up and tag == self.engine.leader:
            for proposal_id in list(self._proposals._pending):
                self._proposals.on_refused(proposal_id, "the leader is lost")
        real(self, tag, is_up)

    return ((RaftGroup, "_on_link", on_link),)


def _replicas_counted_unapplied() -> tuple[Swap, ...]:
    async def count_replicas(self: Questions, log_index: int, count: int, *, seconds: float) -> int:
        """Every other member counts, whether or not it has the slot."""
        await asyncio.sleep(0)
        return min(count, len(set(self._group.members()) - {self._group.identity.tag}))

    return ((Questions, "count_replicas", count_replicas),)


BUGS = (
    Bug(
        "ack-before-fsync",
        "messages leave, and a leader counts itself, before the log is on the disk",
        workloads=("set", "list-append"),
        faults=("power",),
        checker="lost element, or a node that refuses to start",
        swaps=_ack_before_fsync,
        needs_power=True,
    ),
    Bug(
        "acknowledged-by-minority",
        "what the leader alone has on its disk is applied and told done",
        workloads=("set", "list-append", "registers"),
        faults=("cut", "kill"),
        checker="lost element",
        swaps=_acknowledged_by_minority,
    ),
    Bug(
        "unknown-told-failed",
        "a write that is not done in time is told failed, though it may be done yet",
        workloads=("registers", "set"),
        faults=("kill", "pause"),
        checker="linearizability, elements nobody added",
        swaps=_unknown_told_failed,
    ),
    Bug(
        "proposed-again",
        "a node hands a command to the next leader although the last may have taken it",
        workloads=("list-append", "sequences", "registers"),
        faults=("kill",),
        checker="an element twice, linearizability",
        swaps=_proposed_again,
    ),
    Bug(
        "replicas-counted-unapplied",
        "a save that waits for replicas counts members that have not received it",
        workloads=("promises",),
        faults=("pause", "cut"),
        checker="a promised node lacks the write",
        swaps=_replicas_counted_unapplied,
    ),
)
