"""The face of a workload: clients that do one operation after another, and a verdict at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.recorder import Recorder

READER = 1_000  # number of the client that reads at the end; those of a run are below it


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a workload is told of the run it is part of."""

    urls: dict[str, str]  # tag -> URL; nodes that join or leave later are not in it
    database: str  # its own, made before `prepare`
    recorder: Recorder
    seed: str  # of this run and workload; clients make their own chance of it


class Client(Protocol):
    """One client. It lives in one task and does one thing at a time."""

    async def step(self) -> None:
        """Do one operation and record it; an outcome that is open is recorded as unknown.

        Raises only for a defect of its own or an answer that no client should get.
        """

    async def close(self) -> None:
        """Let go of connections."""


class Workload(Protocol):
    """One invariant and the clients that try it."""

    name: str  # registers, bank, ...
    goal: str  # R1, R2, ...: of the goals in RELIABILITY.md
    clients: int  # how many at once
    floor_per_minute: int  # successful operations that a run must have, else it proves nothing

    async def prepare(self, around: Surroundings) -> None:
        """Make what clients rely on. The cluster is well."""

    def client(self, number: int, around: Surroundings, chance: Random) -> Client:
        """A client; half of them speak plain HTTP node after node, half are of `quoth`."""

    async def finish(self, around: Surroundings) -> None:
        """Read what must be there at the end, from every node. The cluster is well again."""

    def check(self, operations: Sequence[Operation]) -> list[Violation]:
        """Judge the whole run. Pure."""
