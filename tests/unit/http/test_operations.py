"""Operations: ids that never come twice, states that every node tells, ends before their time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from quoth_cluster.errors import Busy, NotAsked, NotProposed, NotReadable
from quoth_cluster.log import Member
from quoth_cluster.machine import Machine
from quoth_cluster.raft.door import Applied
from quoth_node.database.operations import (
    IDS_PER_INDEX,
    KEPT_MAX,
    RUNNING_MAX,
    OperationExists,
    OperationKilled,
    Operations,
    Status,
)
from tests.unit.http.conftest import Node
from tests.unit.http.plain_log import PlainLog

NEXT = "/databases/db/operations/next-operation-id"
STATE = "/databases/db/operations/state"
KILL = "/databases/db/operations/kill"


async def test_ids_count_up_and_cost_the_log_one_entry(node: Node) -> None:
    before = node.log.proposals
    answers = [(await node.get(NEXT)).json for _ in range(5)]
    first = answers[0]["Id"]
    assert answers == [{"Id": first + n, "NodeTag": "A"} for n in range(5)]
    assert node.log.proposals == before + 1


async def test_no_other_life_gives_the_same_ids(node: Node) -> None:
    node_ids: list[int] = []
    for number in range(3):
        log = PlainLog(node.machine, log_index=node.log.log_index + 10 * number)
        ids = Operations(log).ids
        node_ids += [await ids.take(timeout_seconds=1) for _ in range(IDS_PER_INDEX + 3)]
    assert len(set(node_ids)) == len(node_ids)
    assert max(node_ids) < 2**53


async def test_no_id_is_given_without_the_log(node: Node) -> None:
    node.log.propose_fails = NotProposed("no leader is known")
    assert (await node.get(NEXT)).status == 503
    assert (await node.get("/databases/none/operations/next-operation-id")).status == 503


async def test_an_unknown_operation_is_none(node: Node) -> None:
    assert (await node.get(f"{STATE}?id=77")).status == 404
    assert (await node.get("/operations/state?id=77")).status == 404
    answer = await node.ask("POST", f"{KILL}?id=77")
    assert answer.error == (400, "ArgumentException", "Operation 77 was not found")
    assert (await node.get(f"{STATE}?id=x")).status == 400


@dataclass
class Net:
    """Nodes that ask each other."""

    answers: dict[str, Callable[[bytes], Awaitable[bytes]]] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)


class Ends(PlainLog):
    """The log of one of several nodes, as far as questions go."""

    net: Net
    tag: str

    async def propose(self, command: bytes, *, timeout_seconds: float) -> Applied:
        raise AssertionError("nothing is proposed here")

    async def ask(self, tag: str, topic: str, body: bytes, *, timeout_seconds: float) -> bytes:
        if tag in self.net.cut:
            raise NotAsked(f"node {tag} cannot be reached")
        return await self.net.answers[tag](body)

    def answer(self, topic: str, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        self.net.answers[self.tag] = answer

    def status(self) -> Any:
        @dataclass
        class Known:
            node_tag: str
            members: list[Member]

        return Known(self.tag, [Member(tag, "", "") for tag in "ABC"])


@pytest.fixture
def three(tmp_path: Path) -> tuple[Net, dict[str, Operations]]:
    """The operations of nodes A, B and C."""
    net, machine = Net(), Machine.open(tmp_path)
    made = {}
    for tag in "ABC":
        log = Ends(machine)
        log.net, log.tag = net, tag
        made[tag] = Operations(log)
    return net, made


Three = tuple[Net, dict[str, Operations]]


async def test_every_node_tells_of_every_operation(three: Three) -> None:
    _, nodes = three
    operation = nodes["B"].begin(7, "Shop")
    operation.progress = {"Total": 3}
    for node in nodes.values():
        told = orjson.loads(await node.state(7, "shop") or b"")
        assert told == {"Status": "InProgress", "Progress": {"Total": 3}, "Result": None}
        assert await node.state(7, "other") is None
        assert await node.state(7, "") is not None, "the server tells of all databases"
        assert await node.state(8, "shop") is None


async def test_every_node_kills_every_operation(three: Three) -> None:
    _, nodes = three
    operation = nodes["B"].begin(7, "shop")
    woken: list[bool] = []
    operation.interrupted_by(lambda: woken.append(True))
    assert not await nodes["C"].kill(7, "other")
    assert not operation.is_killed
    assert await nodes["C"].kill(7, "shop")
    assert operation.is_killed and woken == [True]
    with pytest.raises(OperationKilled):
        operation.check()


async def test_silence_is_not_taken_for_absence(three: Three) -> None:
    net, nodes = three
    nodes["B"].begin(7, "shop")
    net.cut.add("B")
    with pytest.raises(NotReadable, match="nodes B could not be asked"):
        await nodes["A"].state(7, "shop")
    net.cut = {"C"}
    assert await nodes["A"].state(7, "shop") is not None, "one that knows is enough"


async def test_what_has_ended_stays_as_it_is(three: Three) -> None:
    operation = three[1]["A"].begin(7, "shop")
    operation.end(Status.COMPLETED, {"Total": 1})
    operation.end(Status.FAULTED, None)
    operation.kill()
    operation.check()
    assert (operation.status, operation.result) == (Status.COMPLETED, {"Total": 1})


async def test_the_table_is_bounded(three: Three) -> None:
    operations = three[1]["A"]
    first = operations.begin(0, "shop")
    with pytest.raises(OperationExists):
        operations.begin(0, "shop")
    for number in range(1, KEPT_MAX + 10):
        operations.begin(number, "shop").end(Status.COMPLETED, None)
    assert await operations.state(0, "shop") is not None, "what runs is kept"
    assert await operations.state(1, "shop") is None, "the oldest that ended is gone"
    assert await operations.state(KEPT_MAX + 9, "shop") is not None
    for number in range(RUNNING_MAX - 1):
        operations.begin(10_000 + number, "shop")
    with pytest.raises(Busy):
        operations.begin(20_000, "shop")
    first.end(Status.COMPLETED, None)
    operations.begin(20_000, "shop")


async def test_ids_are_taken_one_at_a_time(node: Node) -> None:
    ids = Operations(PlainLog(node.machine, log_index=node.log.log_index)).ids
    taken = await asyncio.gather(*(ids.take(timeout_seconds=1) for _ in range(50)))
    assert len(set(taken)) == 50
