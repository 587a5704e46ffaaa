"""Which node is asked, and what is never done twice."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from quoth.asynchronous.lines import AsyncLines
from quoth.asynchronous.network import AsyncNetwork
from quoth.clock import SystemClock
from quoth.conventions import Conventions
from quoth.errors import (
    BadRequest,
    ClusterTransactionConflict,
    DatabaseDisabled,
    DatabaseDoesNotExist,
    FateUnknown,
    NotSent,
    QuothError,
)
from quoth.executor import Executor
from quoth.manner import Manner
from quoth.mock_transport import Answer, MockTransport, response
from quoth.nodes import Nodes as KnownNodes
from quoth.operations import NextIdentityForOperation
from quoth.options import LoadBalanceBehavior, ReadBalanceBehavior
from quoth.reads import GetDocuments
from quoth.transport import HttpRequest
from tests.client.wire import asked

A, B, C = "http://a:1", "http://b:1", "http://c:1"
READ: Any = GetDocuments(("companies/1",))
WRITE: Any = NextIdentityForOperation("companies|")
DONE = response(200, {"NewIdentityValue": 6, "Results": [], "Includes": {}})
REFUSED = NotSent("connection refused")
LOST = FateUnknown("no answer within 30 s")
NO_LEADER = response(503, {"Type": "x.NoLeaderException", "Message": "no leader"})


class TestClock(SystemClock):
    """Sleeping takes no time but moves the clock."""

    __test__ = False

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def jitter(self) -> float:
        return 1.0


class Nodes:
    """Three nodes, each answering what its entry says; a list is answered from its front."""

    def __init__(self, a: Any = DONE, b: Any = DONE, c: Any = DONE, **conventions: Any) -> None:
        self.answers: dict[str, Any] = {"a": a, "b": b, "c": c}
        self.slow: dict[str, float] = {}
        self.listed = [A, B, C]
        self.topology: Callable[[str], Answer] = lambda node: self._list()
        self.clock = TestClock()
        self.transport = MockTransport(self._answer)
        self.executor = Executor(
            (A,),
            "shop",
            conventions=Conventions(**conventions),
            clock=self.clock,
        )
        self.network = AsyncNetwork(self.transport, self.clock)

    async def execute(self, command: Any) -> Any:
        return await self.network.run(self.executor.execute(command))

    async def settle(self) -> None:
        """Return when all that goes on beside is done."""
        while self.network._flights:
            await asyncio.gather(*self.network._flights)

    @property
    def visited(self) -> str:
        """Which nodes were sent the command, in order."""
        every = [asked(each) for each in self.transport.requests]
        return "".join(each.node[7] for each in every if each.path != "/topology")

    def _list(self) -> Answer:
        nodes = [{"Url": url, "ServerRole": "Member"} for url in self.listed]
        return response(200, {"Nodes": nodes, "Etag": 7})

    def _answer(self, request: HttpRequest) -> Answer:
        one = asked(request)
        if one.path == "/topology":
            return self.topology(one.node[7])
        self.clock.now += self.slow.get(one.node[7], 0.0)
        answer: Any = self.answers[one.node[7]]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, asyncio.CancelledError):
            raise answer
        found: Answer = answer
        return found


async def test_the_first_node_of_the_topology_is_preferred() -> None:
    nodes = Nodes()
    for _ in range(3):
        await nodes.execute(WRITE)
    assert nodes.visited == "aaa"
    assert asked(nodes.transport.requests[-1]).headers["Topology-Etag"] == '"7"'


@pytest.mark.parametrize("failure", [REFUSED, NO_LEADER, response(425)])
@pytest.mark.parametrize("command", [READ, WRITE])
async def test_what_was_certainly_not_done_is_done_elsewhere(failure: Answer, command: Any) -> None:
    nodes = Nodes(a=failure)
    await nodes.execute(command)
    assert nodes.visited == "ab"


@pytest.mark.parametrize("failure", [LOST, response(408), response(502), response(504)])
async def test_a_read_without_an_answer_is_done_elsewhere(failure: Answer) -> None:
    nodes = Nodes(a=failure, b=failure)
    await nodes.execute(READ)
    assert nodes.visited == "abc"


@pytest.mark.parametrize(
    "failure",
    [
        LOST,
        response(408),
        response(502),
        response(504),
        response(500, {"Type": "x.RavenTimeoutException", "Message": "outcome unknown"}),
        response(500, {"Type": "x.RavenException", "Message": "unexpected, reference 12ab"}),
        response(500),
        response(302),
        response(101),
    ],
)
async def test_a_write_without_an_answer_is_never_done_again(failure: Answer) -> None:
    nodes = Nodes(a=failure)
    with pytest.raises(FateUnknown, match="may have happened"):
        await nodes.execute(WRITE)
    assert nodes.visited == "a"


async def test_a_write_carries_one_request_id_to_every_node() -> None:
    nodes = Nodes(a=REFUSED, b=NO_LEADER)
    await nodes.execute(WRITE)
    await nodes.execute(WRITE)
    sent = [asked(each) for each in nodes.transport.requests]
    ids = [each.query["raft-request-id"] for each in sent if each.path != "/topology"]
    assert nodes.visited == "abcc"
    assert ids[0] == ids[1] == ids[2] != ids[3]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (response(400, {"Type": "x.BadRequestException", "Message": "no"}), BadRequest),
        (response(413), BadRequest),
        (response(500, {"Type": "System.InvalidOperationException"}), BadRequest),
        (response(503, {}, {"Database-Missing": "shop"}), DatabaseDoesNotExist),
        (response(500, {"Type": "x.DatabaseDoesNotExistException"}), DatabaseDoesNotExist),
    ],
)
@pytest.mark.parametrize("command", [READ, WRITE])
async def test_a_refusal_is_final(failure: Answer, error: type[QuothError], command: Any) -> None:
    nodes = Nodes(a=failure)
    with pytest.raises(error):
        await nodes.execute(command)
    assert nodes.visited == "a"


async def test_a_failed_node_is_tried_last_for_a_while() -> None:
    nodes = Nodes(a=[REFUSED, DONE])
    await nodes.execute(WRITE)
    await nodes.execute(WRITE)
    assert nodes.visited == "abb"
    nodes.clock.now += 5.1
    await nodes.execute(WRITE)  # asks beside, whether it is well again
    await nodes.settle()
    assert nodes.visited == "abbb"
    await nodes.execute(WRITE)
    assert nodes.visited == "abbba"


async def test_a_node_that_hangs_is_waited_for_by_nobody_but_the_probe() -> None:
    nodes = Nodes(a=[REFUSED, DONE])
    await nodes.execute(WRITE)
    nodes.topology = lambda node: LOST if node == "a" else nodes._list()
    for _ in range(3):
        nodes.clock.now += 5.1
        await nodes.execute(WRITE)
        await nodes.settle()
    assert nodes.visited == "abbbb"
    probes = [each for each in nodes.transport.requests if each.url.startswith(f"{A}/topology")]
    assert len(probes) == 1 + 3, "one at the start, and one each time it is due"
    await nodes.execute(WRITE)
    assert len(nodes.transport.requests) == 5 + 4 + 1, "none is due now"


async def test_a_write_without_an_answer_is_the_last_one_that_waits_for_its_node() -> None:
    nodes = Nodes(a=LOST)
    with pytest.raises(FateUnknown):
        await nodes.execute(WRITE)
    nodes.topology = lambda node: LOST if node == "a" else nodes._list()
    for _ in range(3):
        await nodes.execute(WRITE)
        nodes.clock.now += 5.1
    await nodes.settle()
    assert nodes.visited == "abbb"


@pytest.mark.parametrize(("seconds", "visited"), [(1.5, "abba"), (0.1, "aaaa")])
async def test_a_node_that_was_given_up_is_asked_how_it_is(seconds: float, visited: str) -> None:
    nodes = Nodes(a=[asyncio.CancelledError(), DONE])
    nodes.slow["a"] = seconds
    with pytest.raises(asyncio.CancelledError):
        await nodes.execute(WRITE)
    nodes.topology = lambda node: LOST if node == "a" else nodes._list()
    await nodes.execute(WRITE)
    await nodes.settle()
    nodes.topology = lambda node: nodes._list()
    nodes.clock.now += 5.1
    await nodes.execute(WRITE)
    await nodes.settle()
    await nodes.execute(WRITE)
    assert nodes.visited == visited


@pytest.mark.parametrize(
    ("command", "visited"), [(READ, "abcabc"), (WRITE, "aaaaaa")], ids=["read", "write"]
)
async def test_reads_go_around(command: Any, visited: str) -> None:
    nodes = Nodes(read_balance_behavior=ReadBalanceBehavior.ROUND_ROBIN)
    for _ in range(6):
        await nodes.execute(command)
    assert nodes.visited == visited


async def test_reads_go_to_the_fastest_node() -> None:
    nodes = Nodes(read_balance_behavior=ReadBalanceBehavior.FASTEST_NODE)
    nodes.slow = {"a": 0.3, "b": 0.1, "c": 0.2}
    for _ in range(6):
        await nodes.execute(READ)
    assert sorted(nodes.visited[:3]) == ["a", "b", "c"], "each is measured once"
    assert nodes.visited[3:] == "bbb"
    await nodes.execute(WRITE)
    assert nodes.visited[6:] == "a", "writes go to the preferred one"
    nodes.slow["b"] = 2.0
    for _ in range(4):
        await nodes.execute(READ)
    assert nodes.visited[7:] == "bccc"
    nodes.clock.now += 31
    nodes.slow["b"] = 0.01
    for _ in range(5):
        await nodes.execute(READ)
    assert nodes.visited[-2:] == "bb", "old measurements are taken anew"


async def test_reads_of_a_failed_node_go_elsewhere() -> None:
    nodes = Nodes(a=REFUSED, read_balance_behavior=ReadBalanceBehavior.ROUND_ROBIN)
    for _ in range(4):
        await nodes.execute(READ)
    assert nodes.visited == "abbcb"


async def test_sessions_of_one_context_keep_to_one_node() -> None:
    conventions: dict[str, Any] = {
        "load_balance_behavior": LoadBalanceBehavior.USE_SESSION_CONTEXT,
        "load_balancer_per_session_context_selector": lambda database: "tenant",
    }
    used = []
    for seed in range(12):
        nodes = Nodes(**conventions, load_balancer_context_seed=seed)
        for command in (READ, WRITE, READ):
            await nodes.network.run(nodes.executor.execute(command, manner=Manner("tenant")))
        assert len(set(nodes.visited)) == 1
        used.append(nodes.visited[0])
    assert set(used) == {"a", "b", "c"}, "another seed, another node"


async def test_an_election_is_waited_for() -> None:
    nodes = Nodes(a=REFUSED, b=[NO_LEADER, NO_LEADER, DONE], c=NO_LEADER)
    await nodes.execute(WRITE)
    assert nodes.visited.count("b") == 3
    assert 100 < nodes.clock.now < 101


async def test_an_election_without_end_is_a_definite_failure() -> None:
    nodes = Nodes(a=NO_LEADER, b=NO_LEADER, c=NO_LEADER)
    with pytest.raises(NotSent, match="no leader"):
        await nodes.execute(WRITE)
    assert 114 < nodes.clock.now < 116


async def test_a_database_that_is_disabled_everywhere_is_not_waited_for() -> None:
    disabled = response(503, {"Type": "x.DatabaseDisabledException", "Message": "it is disabled"})
    nodes = Nodes(a=disabled, b=disabled, c=disabled)
    with pytest.raises(DatabaseDisabled, match="it is disabled"):
        await nodes.execute(WRITE)
    assert nodes.visited == "abc" and nodes.clock.now == 100.0
    nodes.answers["c"] = DONE  # which has heard first that it is enabled
    await nodes.execute(WRITE)
    assert nodes.visited == "abcabc"
    nodes.answers["c"] = [NO_LEADER, DONE]
    await nodes.execute(WRITE)
    assert nodes.visited == "abcabcabcabc", "it may be enabled soon"


async def test_when_nobody_is_there_it_fails_at_once() -> None:
    nodes = Nodes(a=REFUSED, b=REFUSED, c=REFUSED)
    with pytest.raises(NotSent, match="connection refused"):
        await nodes.execute(READ)
    assert (nodes.visited, nodes.clock.now) == ("abc", 100.0)


async def test_without_a_topology_the_known_nodes_serve() -> None:
    nodes = Nodes()
    nodes.topology = lambda node: REFUSED
    await nodes.execute(WRITE)
    assert nodes.visited == "a"
    nodes.topology = lambda node: nodes._list()
    nodes.answers["a"] = REFUSED
    await nodes.execute(WRITE)
    assert nodes.visited == "aab"


@pytest.mark.parametrize(
    "nodes_said", [None, 5, ["a"], [{}], [{"Url": None}], [{"Url": 5}], {"Url": "a"}]
)
async def test_a_topology_of_another_shape_is_none(nodes_said: Any) -> None:
    nodes = Nodes()
    nodes.topology = lambda node: response(200, {"Nodes": nodes_said})
    await nodes.execute(WRITE)
    assert nodes.visited == "a"


@pytest.mark.parametrize(
    "violations", [5, [5], [{"Expected": "x", "Actual": None}], [{}], {"Id": "a"}]
)
async def test_a_conflict_of_another_shape_is_a_conflict(violations: Any) -> None:
    kind = "x.ClusterTransactionConcurrencyException"
    nodes = Nodes(a=response(409, {"Type": kind, "ConcurrencyViolations": violations}))
    with pytest.raises(ClusterTransactionConflict) as raised:
        await nodes.execute(WRITE)
    assert all(each.actual_index == -1 for each in raised.value.violations)


async def test_a_node_that_has_left_is_not_asked_how_it_is() -> None:
    nodes = Nodes()
    await nodes.execute(READ)
    nodes.executor.nodes.failed(B)
    nodes.listed = [A, C]
    nodes.executor._is_stale = True
    await nodes.execute(READ)
    nodes.clock.now += 60
    before = len(nodes.transport.requests)
    await nodes.execute(READ)
    await nodes.settle()
    assert len(nodes.transport.requests) == before + 1


def test_a_node_may_be_well_again_while_another_thread_looks_for_those_to_probe() -> None:
    nodes = KnownNodes([A, B, C], Conventions(node_retry_seconds=-1.0), SystemClock())
    for url in nodes.topology.urls:
        nodes.failed(url)

    class InBetween(set[str]):
        def __contains__(self, url: object) -> bool:
            nodes.is_well(B)  # what another thread does at this moment
            return super().__contains__(url)

    nodes._probing = InBetween()
    assert nodes.to_probe()[0] == A


async def test_a_changed_topology_is_asked_for() -> None:
    nodes = Nodes(a=response(200, {"NewIdentityValue": 1}, {"Refresh-Topology": "true"}))
    await nodes.execute(WRITE)
    nodes.listed = [B, C]
    await nodes.execute(WRITE)
    assert nodes.visited == "ab"


async def test_who_comes_while_the_nodes_are_asked_for_does_not_wait() -> None:
    nodes = Nodes()
    slow = nodes.executor.execute(READ)
    asked_first = next(slow)
    assert isinstance(asked_first, HttpRequest) and asked_first.url == f"{A}/topology?name=shop"
    await nodes.execute(READ)
    assert nodes.visited == "a"
    slow.close()  # given up: the next one asks
    nodes.listed = [B, A]
    await nodes.execute(READ)
    assert nodes.visited == "ab"


async def test_an_opened_answer_fails_over_until_it_begins() -> None:
    failed = response(500, {"Type": "x.InvalidQueryException", "Message": "no"})
    nodes = Nodes(a=REFUSED, b=NO_LEADER, c=[response(200, b"one\n\ntwo\r\nthr"), failed])

    async def lines() -> list[bytes]:
        body = await nodes.network.run(nodes.executor.open(READ))
        return [line async for line in AsyncLines(body)]

    assert await lines() == [b"one", b"two", b"thr"]
    assert nodes.visited == "abc"
    with pytest.raises(NotSent, match="InvalidQueryException"):
        await lines()
    assert nodes.transport.streams_open == 0


async def test_a_missing_database_is_told_by_the_topology() -> None:
    nodes = Nodes()
    body = {"Type": "Error", "Message": "Database shop wasn't found"}
    nodes.topology = lambda node: response(503, body, {"Database-Missing": "shop"})
    with pytest.raises(DatabaseDoesNotExist, match="wasn't found"):
        await nodes.execute(READ)
    assert nodes.visited == ""
