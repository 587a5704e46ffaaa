"""The synchronous shell: the same core, from any thread, without a loop of the caller's."""

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from quoth import (
    ClusterTransactionConflict,
    DocumentStore,
    HttpRequest,
    HttpResponse,
    Misuse,
    NextIdentityForOperation,
    TransactionMode,
)
from quoth.mock_transport import response
from tests.client.entities import Company
from tests.client.wire import URL, Wire, document, put_result


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


def test_closing_ends_the_thread(wire: Wire) -> None:
    wire.on("POST", "/identity/next", {"NewIdentityValue": 6})
    before = threading.active_count()
    with DocumentStore(URL, "shop", transport=wire.transport) as store:
        store.send(NextIdentityForOperation("a|"))
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


class Slow:
    """A network that never answers, and notes when it is given up."""

    def __init__(self) -> None:
        self.is_cancelled = threading.Event()

    async def send(self, request: HttpRequest) -> HttpResponse:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.is_cancelled.set()
            raise
        return response(200)

    async def close(self) -> None:
        return None


def test_ctrl_c_gives_up_the_request(request: pytest.FixtureRequest) -> None:
    slow = Slow()
    # Whoever runs these tests in the background may have told them to pass it over.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with DocumentStore(URL, "shop", transport=slow) as store:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            store.send(NextIdentityForOperation("a|"))
        assert slow.is_cancelled.wait(5)
    assert time.monotonic() - started < 10
