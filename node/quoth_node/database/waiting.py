"""Waiting, after a write, for what others still have to do.

Nothing here undoes a write: when patience ends, the write stays, and the caller is told how far it
came. A write waits for replicas that apply it; for indexes that read past it, see
`querying/covered.py`.
"""

from dataclasses import dataclass

from quoth_cluster.raft.door import GroupStatus, RaftLog


@dataclass(frozen=True, slots=True)
class ReplicasWanted:
    """How many other nodes must have applied a write, and how long to wait for them."""

    timeout_seconds: float
    count: int | None = 1  # None: a majority of the cluster, this node among it
    must: bool = True  # False: too few in time is no error


@dataclass(frozen=True, slots=True)
class ReplicasReached:
    """How far a write came. Invariant: `reached` counts other nodes only."""

    wanted: int
    reached: int

    @property
    def enough(self) -> bool:
        return self.reached >= self.wanted


@dataclass(frozen=True, slots=True)
class IndexesWanted:
    """Which indexes must have read past a write; no names: all that its collections touch."""

    timeout_seconds: float
    names: tuple[str, ...] = ()
    must: bool = True


async def wait_for_replicas(
    raft: RaftLog, log_index: int, wanted: ReplicasWanted
) -> ReplicasReached:
    """Wait until enough other nodes have applied `log_index`, or the time is over."""
    count = majority_of_others(raft.status()) if wanted.count is None else wanted.count
    if count == 0:
        return ReplicasReached(wanted=0, reached=0)
    reached = await raft.wait_for_replicas(log_index, count, timeout_seconds=wanted.timeout_seconds)
    return ReplicasReached(wanted=count, reached=reached)


def majority_of_others(status: GroupStatus) -> int:
    """How many other nodes make a majority together with this one, which has applied already."""
    return len(status.members) // 2
