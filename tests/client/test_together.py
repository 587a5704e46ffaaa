"""Who asks at the same moment shares a request, and is answered as if it had gone alone."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from quoth import (
    AsyncDocumentStore,
    BadRequest,
    ConcurrencyError,
    DocumentStore,
    FateUnknown,
    HttpRequest,
    HttpResponse,
    Misuse,
    NotSent,
)
from quoth.batches import PutDocument, SaveBatch
from quoth.mock_transport import MockTransport, response
from quoth.reads import GetDocuments
from quoth.together import Loads, Saves
from tests.client.wire import URL, asked, document

BATCHES = "/databases/shop/quoth/batches"
BULK = "/databases/shop/bulk_docs"
NO_LEADER = {"Type": "x.NoLeaderException", "Message": "no leader", "Url": "", "Error": ""}
Answer = Callable[[HttpRequest], HttpResponse | Exception]


def done(name: str) -> dict[str, Any]:
    return {"Results": [{"Type": "PUT", "@id": name}]}


class Node(MockTransport):
    """Answers loads and saves at once, but for the first of them, which waits for `go`.

    The second, too, waits for `go_on` if that is there.
    """

    def __init__(self) -> None:
        super().__init__(self.answer)
        self.go = asyncio.Event()
        self.under_way = asyncio.Event()
        self.go_on: asyncio.Event | None = None
        self.second_under_way = asyncio.Event()
        self.go_blocking = threading.Event()
        self.under_way_blocking = threading.Event()
        self.is_first = True
        self.fails: Answer | None = None  # all but the first
        self.parts: dict[str, tuple[int, dict[str, Any]]] = {}  # answers of parts, by document

    async def send(self, request: HttpRequest) -> HttpResponse:
        if self._holds(request):
            self.under_way.set()
            await self.go.wait()
        elif self.go_on is not None and "/topology" not in request.url:
            self.second_under_way.set()
            await self.go_on.wait()
        return await super().send(request)

    def send_blocking(self, request: HttpRequest) -> HttpResponse:
        if self._holds(request):
            self.under_way_blocking.set()
            assert self.go_blocking.wait(5)
        return super().send_blocking(request)

    @property
    def sent(self) -> list[str]:
        every = [asked_of(each) for each in self.requests]
        return [each for each in every if not each.endswith("/topology")]

    def _holds(self, request: HttpRequest) -> bool:
        holds = self.is_first and "/topology" not in request.url
        self.is_first = self.is_first and not holds
        return holds

    def answer(self, request: HttpRequest) -> HttpResponse | Exception:
        if "/topology" in request.url:
            return response(200, {"Nodes": [{"Url": URL, "ServerRole": "Member"}], "Etag": 7})
        if self.fails is not None and len(self.sent) > 1:
            return self.fails(request)
        if BATCHES in request.url:
            return response(200, {"Results": [self._part(line) for line in lines(request)]})
        if BULK in request.url:
            return response(201, done(first_id(request.body or b"")))
        names = [value for name, value in asked(request).pairs if name == "id"]
        found = [document(each, tags=[each]) for each in names if "missing" not in each]
        if not found:
            return response(404)
        return response(200, {"Results": [*found, None], "Includes": {}})

    def _part(self, line: bytes) -> dict[str, Any]:
        name = first_id(line.partition(b" ")[2])
        status, found = self.parts.get(name, (201, done(name)))
        return {"StatusCode": status, "Result": found, "Headers": {}}


def lines(request: HttpRequest) -> list[bytes]:
    return (request.body or b"").split(b"\n")


def first_id(body: bytes) -> str:
    return str(orjson.loads(body)["Commands"][0]["Id"])


def asked_of(request: HttpRequest) -> str:
    return request.url.removeprefix(URL).partition("?")[0]


def load(*ids: str) -> GetDocuments:
    return GetDocuments(ids)


def save(name: str) -> SaveBatch:
    return SaveBatch((PutDocument(name, {"n": 1}, {}),))


def request_ids(request: HttpRequest) -> list[str]:
    if BATCHES in request.url:
        return [line.partition(b" ")[0].decode().partition("=")[2] for line in lines(request)]
    return [asked(request).query["raft-request-id"]]


@pytest.fixture(autouse=True)
def one_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the second one waits already."""
    monkeypatch.setattr("quoth.lanes.FLIGHTS_NEAR", 1)


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every node is near, also on a slow machine."""
    monkeypatch.setattr(Loads, "near_seconds", 60.0)
    monkeypatch.setattr(Saves, "near_seconds", 60.0)


class Store:
    """An asynchronous store whose first request is under way until `land`."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.store = AsyncDocumentStore(URL, "shop", transport=node)
        self.executor = self.store.get_request_executor()

    async def take_off(self, command: Any, *others: Any) -> list[asyncio.Task[Any]]:
        """The first command is under way, the others wait."""
        tasks = [asyncio.ensure_future(self.executor(command))]
        await self.node.under_way.wait()
        tasks += [asyncio.ensure_future(self.executor(each)) for each in others]
        await asyncio.sleep(0)
        return tasks

    async def land(self, tasks: list[asyncio.Task[Any]]) -> list[Any]:
        self.node.go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def one(one_flight: None, near: None) -> Any:
    node = Node()
    store = Store(node)
    yield store
    await store.store.close()


async def test_loads_that_wait_go_together(one: Store) -> None:
    tasks = await one.take_off(load("a"), load("b", "c"), load("c"), load("missing"))
    first, second, third, fourth = await one.land(tasks)
    assert [list(each.by_id) for each in (first, second, third, fourth)] == [
        *(["a"], ["b", "c"], ["c"], [])
    ]
    gets = [asked(each) for each in one.node.requests if "/docs" in each.url]
    ids = [[value for name, value in each.pairs if name == "id"] for each in gets]
    assert ids == [["a"], ["b", "c", "missing"]]
    assert second.by_id["c"] == third.by_id["c"]
    second.by_id["c"]["tags"].append("mine")
    assert third.by_id["c"]["tags"] == ["c"], "each has its own"


async def test_one_that_waits_goes_as_it_is(one: Store) -> None:
    await one.land(await one.take_off(save("a"), save("b")))
    assert one.node.sent == [BULK, BULK]


async def test_some_loads_never_share(one: Store) -> None:
    many = load(*map(str, range(20)))
    tasks = await one.take_off(load("a"), load("b"), many, GetDocuments(("c",), ("name",)))
    await tasks[2]
    await tasks[3]
    assert not tasks[0].done() and not tasks[1].done()
    await one.land(tasks)


async def test_a_bad_load_fails_nobody_else(one: Store) -> None:
    def fails(request: HttpRequest) -> HttpResponse:
        if "id=bad" in request.url:
            return response(400, {"Type": "x.BadRequestException", "Message": "no id"})
        return response(200, {"Results": [document("good")], "Includes": {}})

    one.node.fails = fails
    tasks = await one.take_off(load("a"), load("good"), load("bad"))
    _, good, bad = await one.land(tasks)
    assert list(good.by_id) == ["good"] and isinstance(bad, BadRequest)


async def test_saves_that_wait_go_together(one: Store) -> None:
    one.node.parts["late"] = (409, {"Type": "x.ConcurrencyException", "Message": "late"})
    tasks = await one.take_off(save("a"), save("b"), save("late"), save("c"))
    first, second, late, third = await one.land(tasks)
    results = [each.results[0]["@id"] for each in (first, second, third)]
    assert results == ["a", "b", "c"]
    assert isinstance(late, ConcurrencyError)
    assert one.node.sent == [BULK, BATCHES]
    ids = request_ids(one.node.requests[-1])
    assert len(set(ids)) == 3 and all(ids)


async def test_what_was_not_done_together_is_done_alone_under_the_same_id(one: Store) -> None:
    one.node.parts["b"] = (503, NO_LEADER)
    tasks = await one.take_off(save("a"), save("b"), save("c"))
    _, second, _ = await one.land(tasks)
    assert second.results[0]["@id"] == "b"
    assert one.node.sent == [BULK, BATCHES, BULK]
    assert request_ids(one.node.requests[-1])[0] == request_ids(one.node.requests[-2])[0]


@pytest.mark.parametrize(
    "failure", [FateUnknown("lost"), response(500, {"Message": "half-way"}), response(502)]
)
async def test_a_lost_request_makes_all_of_it_unknown_and_nothing_is_sent_again(
    one: Store, failure: Any
) -> None:
    one.node.fails = lambda request: failure
    _, *lost = await one.land(await one.take_off(save("a"), save("b"), save("c")))
    assert all(isinstance(each, FateUnknown) for each in lost)
    assert all("may have happened" in str(each) for each in lost)
    assert one.node.sent == [BULK, BATCHES]


async def test_a_save_whose_fate_is_unknown_is_told_alone(one: Store) -> None:
    one.node.parts["b"] = (500, {"Type": "x.RavenTimeoutException", "Message": "no word"})
    _, second, third = await one.land(await one.take_off(save("a"), save("b"), save("c")))
    assert isinstance(second, FateUnknown) and "may have happened" in str(second)
    assert third.results[0]["@id"] == "c"
    assert one.node.sent == [BULK, BATCHES]


async def test_a_request_that_reached_nobody_is_definite_for_all(one: Store) -> None:
    one.node.fails = lambda request: NotSent("refused")
    _, *lost = await one.land(await one.take_off(save("a"), save("b"), save("c")))
    assert all(isinstance(each, NotSent) for each in lost)


async def test_a_server_without_the_route_is_asked_for_it_once(one: Store) -> None:
    def fails(request: HttpRequest) -> HttpResponse:
        if BATCHES in request.url:
            return response(400, {"Type": "x.RouteNotFoundException", "Message": "no route"})
        return response(201, done(first_id(request.body or b"")))

    one.node.fails = fails
    await one.land(await one.take_off(save("a"), save("b"), save("c")))
    assert one.node.sent == [BULK, BATCHES, BULK, BULK]
    ids = [each for sent in one.node.requests[2:] for each in request_ids(sent)]
    assert sorted(ids[:2]) == sorted(ids[2:])
    await asyncio.gather(*(one.executor(save(name)) for name in "defg"))
    assert one.node.sent.count(BATCHES) == 1


async def test_who_is_cancelled_while_it_waits_is_not_sent(one: Store) -> None:
    tasks = await one.take_off(save("a"), save("b"), save("gone"), save("c"))
    tasks[2].cancel()
    await asyncio.sleep(0)
    found = await one.land(tasks)
    assert isinstance(found[2], asyncio.CancelledError)
    assert [first_id(each.partition(b" ")[2]) for each in lines(one.node.requests[-1])] == [
        *("b", "c")
    ]


async def test_who_is_cancelled_under_way_cancels_no_other(one: Store) -> None:
    tasks = await one.take_off(save("a"), save("b"), save("c"))
    one.node.go_on = asyncio.Event()
    one.node.go.set()
    await one.node.second_under_way.wait()
    tasks[1].cancel()
    await asyncio.sleep(0)
    one.node.go_on.set()
    _, gone, saved = await one.land(tasks)
    assert isinstance(gone, asyncio.CancelledError)
    assert saved.results[0]["@id"] == "c"


async def test_who_is_cancelled_when_it_may_go_lets_the_next_one_go(one: Store) -> None:
    tasks = await one.take_off(save("a"), save("b"))
    one.node.go.set()
    await tasks[0]
    tasks[1].cancel()  # told that it may go, and has not begun
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    assert (await one.executor(save("c"))).results[0]["@id"] == "c"


async def test_a_request_that_is_given_up_does_not_make_its_node_near(one: Store) -> None:
    executor = one.store._core.executor_of("shop")
    lane = executor.lanes_in(asyncio.get_running_loop()).of(load("a"))
    assert lane is not None and lane.enter()
    lane.leave(1, seconds=100.0)
    assert not lane.is_near
    (task,) = await one.take_off(load("a"))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not lane.is_near, "it took no time, for nobody waited for the answer"


async def test_closing_gives_up_what_is_under_way(one: Store) -> None:
    tasks = await one.take_off(save("a"), save("b"), save("c"))
    one.node.go_on = asyncio.Event()
    one.node.go.set()
    await one.node.second_under_way.wait()
    await one.store.close()
    found = await asyncio.gather(*tasks[1:], return_exceptions=True)
    assert all(isinstance(each, FateUnknown) for each in found)


async def test_closing_leaves_nobody_waiting_behind_what_is_under_way(one: Store) -> None:
    tasks = await one.take_off(save("a"), save("b"), save("c"))
    one.node.go_on = asyncio.Event()
    one.node.go.set()
    await one.node.second_under_way.wait()
    tasks += [asyncio.ensure_future(one.executor(save(f"later/{n}"))) for n in range(200)]
    await asyncio.sleep(0)
    await one.store.close()
    _, waiting = await asyncio.wait(tasks, timeout=5)
    assert not waiting
    assert all(isinstance(task.exception(), NotSent) for task in tasks[3:])
    assert one.node.sent == [BULK], "nothing is sent any more"


async def test_closing_leaves_nobody_waiting_for_what_had_not_begun(one: Store) -> None:
    async def save_and_close() -> None:
        await one.executor(save("a"))
        await one.store.close()  # at once: the others were told to go, and have not begun

    tasks: list[asyncio.Task[Any]] = [asyncio.ensure_future(save_and_close())]
    await one.node.under_way.wait()
    tasks += [asyncio.ensure_future(one.executor(save(name))) for name in "bcd"]
    await asyncio.sleep(0)
    one.node.go.set()
    _, waiting = await asyncio.wait(tasks, timeout=5)
    assert not waiting
    assert all(isinstance(task.exception(), NotSent) for task in tasks[1:])
    assert one.node.sent == [BULK], "nothing is sent any more"


async def test_flights_that_come_back_at_once_land_one_after_the_other(
    near: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the first is under way again before the second is worked on, and the node has work."""
    monkeypatch.setattr("quoth.lanes.FLIGHTS_NEAR", 2)
    flights: list[list[str]] = []
    log: list[str] = []
    go, both = asyncio.Event(), asyncio.Event()

    class Gated(Node):
        async def send(self, request: HttpRequest) -> HttpResponse:
            if BATCHES in request.url:
                log.append("took off")
                flights.append([first_id(line.partition(b" ")[2]) for line in lines(request)])
                if len(flights) == 2:
                    both.set()
                await go.wait()
            return await super().send(request)

    node = Gated()
    node.is_first = False

    async def save_twice(name: str) -> None:
        await ask(save(name))
        log.append(name)
        await ask(save(name))

    async with AsyncDocumentStore(URL, "shop", transport=node) as store:
        ask = store.get_request_executor()
        tasks = [asyncio.ensure_future(save_twice(name)) for name in "abcdefgh"]
        await asyncio.wait_for(both.wait(), 5)
        del log[:]
        go.set()
        await asyncio.gather(*tasks)
    first, second = flights[:2]
    assert len(first) > 1 < len(second), "two requests were shared"
    assert log[: len(first)] == first and log[len(first)] == "took off"


async def test_each_has_an_error_of_its_own(one: Store) -> None:
    one.node.fails = lambda request: FateUnknown("lost")
    _, second, third = await one.land(await one.take_off(save("a"), save("b"), save("c")))
    assert str(second) == str(third) and second is not third


async def test_a_store_that_another_event_loop_uses_says_so(one: Store) -> None:
    """Waiting for a place in a request of the other loop, nobody would be woken."""
    tasks = await one.take_off(save("a"))

    async def elsewhere() -> None:
        await one.executor(save("b"))

    with pytest.raises(Misuse, match="event loop"):
        await asyncio.to_thread(asyncio.run, elsewhere())
    await one.land(tasks)


def test_what_was_under_way_when_its_loop_ended_takes_no_place(one_flight: None) -> None:
    node = Node()
    node.is_first = False
    store = AsyncDocumentStore(URL, "shop", transport=node)
    ask = store.get_request_executor()
    loop = asyncio.new_event_loop()
    lane = store._core.executor_of("shop").lanes_in(loop).of(save("a"))
    assert lane is not None and lane.enter()  # somebody is under way, and is never heard of again
    loop.close()

    async def go_on() -> list[Any]:
        return list(await asyncio.wait_for(asyncio.gather(*(ask(save(name)) for name in "ab")), 5))

    assert len(asyncio.run(go_on())) == 2


# Threads.


@pytest.fixture
def plain(one_flight: None, near: None) -> Iterator[tuple[Node, DocumentStore]]:
    node = Node()
    with DocumentStore(URL, "shop", transport=node) as store:
        yield node, store


def wait_until(found: Callable[[], bool]) -> None:
    for _ in range(5_000):
        if found():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it did not come to that")


def waiting(store: DocumentStore, command: Any) -> int:
    lane = store._core.executor_of("shop").lanes.of(command)
    assert lane is not None
    return len(lane._waiting)


@pytest.mark.parametrize("make", [load, save])
def test_threads_share_requests_too(
    plain: tuple[Node, DocumentStore], make: Callable[[str], Any]
) -> None:
    node, store = plain
    ask = store.get_request_executor()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(ask, make("first"))
        assert node.under_way_blocking.wait(5)
        others = [pool.submit(ask, make(name)) for name in "abcde"]
        wait_until(lambda: waiting(store, make("a")) == 5)
        node.go_blocking.set()
        found = [each.result(5) for each in (first, *others)]
    if make is load:
        assert [list(each.by_id) for each in found] == [["first"], *map(list, "abcde")]
    else:
        assert [each.results[0]["@id"] for each in found] == ["first", *"abcde"]
    assert len(node.sent) == 2


@pytest.mark.parametrize("make", [load, save])
def test_a_thread_that_is_interrupted_under_way_takes_no_other_along(
    plain: tuple[Node, DocumentStore], make: Callable[[str], Any]
) -> None:
    node, store = plain
    ask = store.get_request_executor()

    def interrupted(request: HttpRequest) -> HttpResponse:
        node.fails = None
        raise KeyboardInterrupt

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(ask, make("first"))
        assert node.under_way_blocking.wait(5)
        leads = pool.submit(ask, make("leads"))
        wait_until(lambda: waiting(store, make("leads")) == 1)
        others = [pool.submit(ask, make(name)) for name in "ab"]
        wait_until(lambda: waiting(store, make("leads")) == 3)
        node.fails = interrupted
        node.go_blocking.set()
        first.result(5)
        assert isinstance(leads.exception(5), KeyboardInterrupt)
        if make is load:
            assert [list(each.result(5).by_id) for each in others] == [["a"], ["b"]]
        else:
            assert all(isinstance(each.exception(5), FateUnknown) for each in others)
        ask(make("later"))
