"""The synchronous shell: the same core, from any thread, without a loop of the caller's."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from quoth import (
    ClusterTransactionConflict,
    Conventions,
    DocumentStore,
    HttpRequest,
    HttpResponse,
    Misuse,
    MockTransport,
    NextIdentityForOperation,
    NotSent,
    SessionOptions,
    TransactionMode,
)
from quoth.mock_transport import response
from quoth.reads import GetDocuments
from tests.client.entities import Company
from tests.client.wire import URL, Wire, asked, document, put_result


def test_a_session_loads_and_saves(wire: Wire, plain_store: DocumentStore) -> None:
    wire.loaded(document("companies/1", name="one"))
    wire.saved(put_result("companies/1"), put_result("companies/25"))
    with plain_store.open_session() as session:
        company = session.load("companies/1", Company)
        assert company is not None
        company.name = "two"
        new = Company("three")
        session.store(new, "companies|")
        session.save_changes()
        assert new.Id == "companies/25"
        assert not session.has_changes()


def test_cluster_transactions_work_alike(wire: Wire, plain_store: DocumentStore) -> None:
    wire.on("GET", "/cmpxchg", {"Results": [{"Key": "a", "Value": {"Object": 1}, "Index": 5}]})
    body = {"Type": "x.ClusterTransactionConcurrencyException", "Message": "no"}
    wire.on("POST", "/bulk_docs", body, status=409)
    with plain_store.open_session(transaction_mode=TransactionMode.CLUSTER_WIDE) as session:
        item = session.cluster_transaction.get_compare_exchange_value("a", int)
        assert item is not None
        item.value += 1
        with pytest.raises(ClusterTransactionConflict):
            session.save_changes()


def test_entities_are_made_in_the_callers_thread(wire: Wire, plain_store: DocumentStore) -> None:
    seen = []

    class Watched:
        def __init__(self) -> None:
            seen.append(threading.current_thread())

    wire.loaded(document("watched/1"))
    with plain_store.open_session() as session:
        session.load("watched/1", Watched)
    assert seen == [threading.current_thread()]


async def test_it_may_be_called_while_a_loop_runs(wire: Wire, plain_store: DocumentStore) -> None:
    wire.on("POST", "/identity/next", {"NewIdentityValue": 6})
    assert plain_store.send(NextIdentityForOperation("a|")) == 6


def test_many_threads_share_a_store(wire: Wire, plain_store: DocumentStore) -> None:
    numbers = range(50)
    for number in numbers:
        wire.on("POST", "/identity/next", {"NewIdentityValue": number})
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: plain_store.send(NextIdentityForOperation("a|")), numbers)
    assert sorted(found) == list(numbers)


def test_a_closed_store_says_so(wire: Wire) -> None:
    store = DocumentStore(URL, "shop", transport=wire.transport)
    store.close()
    store.close()
    assert wire.transport.is_closed
    with pytest.raises(Misuse, match="closed"):
        store.send(NextIdentityForOperation("a|"))


def test_it_starts_no_thread(wire: Wire) -> None:
    wire.on("POST", "/identity/next", {"NewIdentityValue": 6})
    before = threading.active_count()
    with DocumentStore(URL, "shop", transport=wire.transport) as store:
        store.send(NextIdentityForOperation("a|"))
        assert threading.active_count() == before


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


def test_ctrl_c_gives_up_the_request(request: pytest.FixtureRequest, silent: socket.socket) -> None:
    # Whoever runs these tests in the background may have told them to pass it over.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with DocumentStore(f"http://127.0.0.1:{silent.getsockname()[1]}", "shop") as store:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            store.send(NextIdentityForOperation("a|"))
        asked_from, _ = silent.accept()
        asked_from.settimeout(5)
        with asked_from:
            assert asked_from.recv(1_000).startswith(b"GET /topology")
            assert asked_from.recv(1_000) == b"", "its connection is closed"
    assert time.monotonic() - started < 4


def test_a_forked_store_says_so(wire: Wire) -> None:
    wire.on("POST", "/identity/next", {"NewIdentityValue": 6})
    with DocumentStore(URL, "shop", transport=wire.transport) as store:
        store.send(NextIdentityForOperation("a|"))
        child = os.fork()
        if child == 0:
            try:
                store.send(NextIdentityForOperation("a|"))
            except Misuse as error:
                os._exit(0 if "fork" in str(error) else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_lines_are_read_without_holding_all(wire: Wire, plain_store: DocumentStore) -> None:
    wire.on("GET", "/docs", b'{"a":1}\n{"b":2}\n')
    with plain_store.get_request_executor().open(GetDocuments(("a",))) as lines:
        every = iter(lines)
        assert next(every) == b'{"a":1}'
        assert wire.transport.streams_open == 1
    assert wire.transport.streams_open == 0


def test_a_store_is_set_up_like_the_official_one(wire: Wire) -> None:
    wire.on("POST", "/identity/next", {"NewIdentityValue": 6})
    store = DocumentStore(transport=wire.transport)
    store.urls = [f"{URL}/"]
    store.database = "shop"
    assert store.identifier == f"{URL} (DB: shop)"
    store.identifier = "mine"
    assert (store.initialize() is store, store.identifier, store.urls) == (True, "mine", (URL,))
    assert store.send(NextIdentityForOperation("a|")) == 6
    with pytest.raises(Misuse, match="before it is first used"):
        store.database = "other"
    with pytest.raises(Misuse, match="before it is first used"):
        store.urls = [URL]
    store.close()


def test_a_session_may_bring_its_request_executor(wire: Wire) -> None:
    wire.loaded(document("companies/1", name="one"))
    with DocumentStore(URL, transport=wire.transport) as store:
        executor = store.get_request_executor("shop")
        options = SessionOptions(request_executor=executor)
        with store.open_session(session_options=options) as session:
            assert session.load("companies/1", Company) is not None
        assert (executor.database, executor.urls) == ("shop", (URL,))
        with pytest.raises(Misuse, match="database of its own"):
            store.open_session("other", request_executor=executor)
        with pytest.raises(Misuse, match="get_request_executor"):
            store.open_session(SessionOptions(request_executor="http://a"))


def test_a_failed_node_is_probed_beside_the_requests() -> None:
    """In a thread that keeps no process alive, while the request goes elsewhere."""
    is_down, probed = True, threading.Event()

    def answer(request: HttpRequest) -> HttpResponse | NotSent:
        one = asked(request)
        if one.path == "/topology":
            if threading.current_thread().name == "quoth probe":
                assert threading.current_thread().daemon
                probed.set()
            nodes = [{"Url": url, "ServerRole": "Member"} for url in ("http://a:1", "http://b:1")]
            return response(200, {"Nodes": nodes, "Etag": 7})
        if is_down and one.node == "http://a:1":
            return NotSent("refused")
        return response(200, {"NewIdentityValue": 6})

    transport = MockTransport(answer)
    conventions = Conventions(node_retry_seconds=0.0)
    with DocumentStore("http://a:1", "db", conventions=conventions, transport=transport) as store:
        store.send(NextIdentityForOperation("a|"))
        is_down = False
        store.send(NextIdentityForOperation("a|"))
        assert probed.wait(5)
        for _ in range(1_000):
            store.send(NextIdentityForOperation("a|"))
            if asked(transport.requests[-1]).node == "http://a:1":
                break
        else:
            raise AssertionError("it never came back")
