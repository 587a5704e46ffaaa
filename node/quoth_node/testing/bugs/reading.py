"""Bugs of reads: answers that are older than what was acknowledged, or of several moments."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from quoth_cluster.database import Database
from quoth_cluster.errors import NotReadable
from quoth_cluster.raft.group import RaftGroup
from quoth_cluster.raft.read_index import ReadIndex
from quoth_cluster.store.environment import Environment, ReadTxn
from quoth_node.testing.bugs.bug import Bug, Swap


def _read_without_read_index() -> tuple[Swap, ...]:
    real = RaftGroup.current
    started: set[int] = set()  # the groups that have been current once: a start is a start

    async def current(self: RaftGroup, *, timeout_seconds: float) -> None:
        """Whatever is applied here is current."""
        if id(self) not in started:
            await real(self, timeout_seconds=timeout_seconds)
            started.add(id(self))

    return ((RaftGroup, "current", current),)


def _read_without_quorum() -> tuple[Swap, ...]:
    async def confirm_leadership(self: ReadIndex) -> int | None:
        """Who has led knows no other leader."""
        engine = self._group.engine
        is_own = self._journal.term_at(engine.commit_index) == engine.term
        return engine.commit_index if engine.is_leader and is_own else None

    return ((ReadIndex, "_confirm_leadership", confirm_leadership),)


def _read_does_not_wait() -> tuple[Swap, ...]:
    real = RaftGroup.current
    started: set[int] = set()

    async def current(self: RaftGroup, *, timeout_seconds: float) -> None:
        """The leader is asked how far it is, and the answer is not waited for."""
        if id(self) not in started:
            await real(self, timeout_seconds=timeout_seconds)
            started.add(id(self))
            return
        try:
            log_index = await self._read_index.ask(seconds=timeout_seconds)
        except TimeoutError:
            log_index = None
        if log_index is None:
            raise NotReadable(f"no quorum confirmed the read within {timeout_seconds:g} s")

    return ((RaftGroup, "current", current),)


def _session_not_waited() -> tuple[Swap, ...]:
    async def wait_for_command(
        self: RaftGroup, command_index: int, *, timeout_seconds: float
    ) -> bool:
        """What a session knows already is here, surely."""
        return True

    return ((RaftGroup, "wait_for_command", wait_for_command),)


class FracturedTxn(ReadTxn):
    """Looks up each key in a snapshot of its own; what is found by a scan is of one moment."""

    def __init__(self, txn: Any, path: Path, environment: Environment) -> None:
        super().__init__(txn, path)
        self._environment = environment
        self._scans = 0

    def get(self, key: bytes) -> bytes | None:
        if self._scans:
            return super().get(key)
        with self._environment.read() as later:
            return later.get(key)

    def scan(
        self, prefix: bytes, *, start: bytes | None = None, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        self._scans += 1
        try:
            yield from super().scan(prefix, start=start, reverse=reverse)
        finally:
            self._scans -= 1


def _request_fractured() -> tuple[Swap, ...]:
    @contextmanager
    def fractured(self: Database) -> Iterator[ReadTxn]:
        with self.environment.read() as txn:
            yield FracturedTxn(txn._txn, txn.path, self.environment)

    def read(self: Database) -> AbstractContextManager[ReadTxn]:
        return fractured(self)

    return ((Database, "read", read),)


BUGS = (
    Bug(
        "read-without-read-index",
        "linearizable reads are answered from whatever this node has applied",
        workloads=("registers",),
        faults=(),
        checker="linearizability",
        swaps=_read_without_read_index,
    ),
    Bug(
        "read-without-quorum",
        "a leader answers reads without asking whether it still leads",
        workloads=("registers",),
        faults=("cut", "pause"),
        checker="linearizability",
        swaps=_read_without_quorum,
    ),
    Bug(
        "follower-reads-stale-page",
        "a follower asks how far it must be, and reads before it is there",
        workloads=("registers",),
        faults=(),
        checker="linearizability",
        swaps=_read_does_not_wait,
    ),
    Bug(
        "session-not-waited",
        "a node that lags does not wait for what the session has written or seen",
        workloads=("sessions",),
        faults=("pause", "kill"),
        checker="session guarantees",
        swaps=_session_not_waited,
    ),
    Bug(
        "snapshot-of-request-fractured",
        "each document of one request is read from a snapshot of its own",
        workloads=("bank",),
        faults=(),
        checker="the sum of all accounts",
        swaps=_request_fractured,
    ),
)
