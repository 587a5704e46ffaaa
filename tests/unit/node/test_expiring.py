"""Who leads proposes that what is due is deleted, and nobody else does."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from quoth_cluster import expiring
from quoth_cluster.commands import (
    ChangeCompareExchange,
    Command,
    DeleteDatabases,
    PutCompareExchange,
    ToggleDatabases,
    encode,
)
from quoth_cluster.compare_exchange import count
from quoth_cluster.errors import FateUnknown, NotProposed
from quoth_cluster.machine import Machine
from quoth_cluster.raft.door import Role
from quoth_cluster.sequence_commands import (
    DeleteSequence,
    ReserveNumbers,
    SequenceUse,
    TendSequences,
)
from quoth_node.expiring import due_in, expire_due, expire_values
from tests.unit.http.conftest import StoppedClock
from tests.unit.http.plain_log import PlainLog
from tests.unit.state.story import MAP_BYTES, create

EXPIRING = b'{"Object":1,"@metadata":{"@expires":"%b"}}'
SECOND = 1_000_000


@dataclass
class Leader:
    """A log and a state, and the time."""

    log: PlainLog
    machine: Machine
    clock: StoppedClock

    async def put(self, name: str, key: str, at: bytes) -> None:
        change = PutCompareExchange(key, 0, EXPIRING % at)
        await self.log.propose(encode(ChangeCompareExchange(name, change)), timeout_seconds=1)

    async def run(self, command: Command) -> None:
        await self.log.propose(encode(command), timeout_seconds=1)

    async def expire(self) -> bool:
        return await expire_due(self.log, self.machine, self.clock)

    def count(self, name: str) -> int:
        database = self.machine.database(name)
        assert database is not None
        with database.read() as txn:
            return count(txn)


@pytest.fixture
def leader(tmp_path: Path) -> Iterator[Leader]:
    """A node that leads, with the databases `one` and `two`; it is 2027-01-15T08:00:00."""
    machine = Machine.open(tmp_path / "state", map_bytes=MAP_BYTES)
    log = PlainLog(machine)
    log.found()
    yield Leader(log, machine, StoppedClock())
    machine.close()


@pytest.fixture
async def filled(leader: Leader) -> Leader:
    """... with a value that is due in `one`, and one that is due in two seconds in `two`."""
    for name in ("one", "two"):
        await leader.log.propose(encode(create(name)), timeout_seconds=1)
    await leader.put("one", "due", b"2027-01-15T07:59:59Z")
    await leader.put("one", "lasts", b"2028-01-01")
    await leader.put("two", "soon", b"2027-01-15T08:00:02Z")
    leader.log.proposals = 0
    return leader


async def test_the_leader_has_what_is_due_deleted(filled: Leader) -> None:
    assert not await filled.expire()
    assert (filled.count("one"), filled.count("two")) == (1, 1)
    assert filled.log.proposals == 1, "only where something is due"
    assert not await filled.expire() and filled.log.proposals == 1
    filled.clock.micros += 2 * SECOND
    assert not await filled.expire()
    assert (filled.count("one"), filled.count("two"), filled.log.proposals) == (1, 0, 2)


@pytest.mark.parametrize("role", [Role.FOLLOWER, Role.CANDIDATE, Role.PASSIVE])
async def test_nobody_else_does(filled: Leader, role: Role) -> None:
    filled.log.role = role
    assert not await filled.expire() and filled.log.proposals == 0


@pytest.mark.parametrize("error", [NotProposed("no leader"), FateUnknown("perhaps")])
async def test_what_was_not_proposed_is_proposed_again(
    filled: Leader, error: NotProposed | FateUnknown
) -> None:
    filled.log.propose_fails = error
    assert not await filled.expire() and filled.count("one") == 2
    filled.log.propose_fails = None
    await filled.expire()
    assert filled.count("one") == 1


async def test_a_disabled_or_deleted_database_is_left_alone(filled: Leader) -> None:
    await filled.run(ToggleDatabases(("one",), disabled=True))
    await filled.expire()
    assert filled.count("one") == 2
    former = filled.machine.database("two")
    await filled.run(DeleteDatabases(("two",), hard=True))
    assert due_in(filled.machine, "two", 2**62) == []
    filled.machine.database = lambda name: former  # type: ignore[method-assign]
    assert due_in(filled.machine, "two", 2**62) == [], "deleted between two looks"


async def test_many_are_deleted_without_a_rest_between(
    filled: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "EXPIRED_AT_ONCE_MAX", 1)
    for number in range(3):
        await filled.put("one", f"due/{number}", b"2027-01-01")
    rests: list[float] = []

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await expire_values(filled.log, filled.machine, filled.clock, sleep=sleep)
    assert filled.count("one") == 1 and len(rests) == 1


async def test_reservations_end_and_what_a_deletion_left_goes(filled: Leader) -> None:
    at = filled.clock.micros
    use = SequenceUse("invoices")
    await filled.run(ReserveNumbers("one", use, 1, at, at + 2 * SECOND))
    await filled.expire()
    proposals = filled.log.proposals
    assert not await filled.expire() and filled.log.proposals == proposals
    filled.clock.micros += 2 * SECOND
    assert due_in(filled.machine, "one", filled.clock.micros) == [
        TendSequences("one", filled.clock.micros)
    ]
    assert not await filled.expire()
    assert due_in(filled.machine, "one", filled.clock.micros) == []
    await filled.run(DeleteSequence("one", "invoices"))
    assert due_in(filled.machine, "one", 0) == [TendSequences("one", 0)]
    assert not await filled.expire()
    assert due_in(filled.machine, "one", 0) == []
