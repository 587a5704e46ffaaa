"""Bulk inserts: what is sent in which chunks, and what is told when something breaks."""

import asyncio
import gzip
from typing import Any

import orjson
import pytest

import quoth.bulk_insert
from quoth import (
    AsyncBulkInsertOperation,
    AsyncDocumentStore,
    BadRequest,
    BulkInsertAborted,
    BulkInsertOptions,
    BulkInsertProgress,
    DocumentStore,
    FateUnknown,
    Misuse,
    NotSent,
)
from quoth.mock_transport import MockTransport, response
from quoth.transport import HttpRequest, HttpResponse
from tests.client.entities import Company
from tests.client.wire import URL, Wire, asked

NODES = {"Nodes": [{"Url": URL, "ClusterTag": "A", "ServerRole": "Member"}], "Etag": 7}


class Shelf:
    """A node that keeps what bulk inserts bring; every so manieth body goes wrong."""

    def __init__(self) -> None:
        self.bodies: list[list[dict[str, Any]]] = []
        self.requests: list[HttpRequest] = []
        self.failures: dict[int, HttpResponse | Exception] = {}
        self.states: list[HttpResponse | Exception] = []
        self.transport = MockTransport(self.answer)
        self._ids = 100

    @property
    def kept(self) -> list[str]:
        return [each["Id"] for body in self.bodies for each in body]

    def answer(self, request: HttpRequest) -> HttpResponse | Exception:
        path = request.url.partition("?")[0].removeprefix(f"{URL}/databases/shop")
        if path == f"{URL}/topology":
            return response(200, NODES)
        if path == "/operations/next-operation-id":
            self._ids += 1
            return response(200, {"Id": self._ids, "NodeTag": "A"})
        if path == "/operations/state":
            return self.states.pop(0)
        assert path == "/bulk_insert", path
        self.requests.append(request)
        failure = self.failures.get(len(self.requests))
        if failure is not None:
            return failure
        assert request.body is not None
        self.bodies.append(orjson.loads(_inflated(request)))
        return response(201)


def _inflated(request: HttpRequest) -> bytes:
    assert request.body is not None
    is_compressed = request.headers.get("Content-Encoding") == "gzip"
    return gzip.decompress(request.body) if is_compressed else request.body


class Slow(MockTransport):
    """A network that holds back the bodies of bulk inserts until the gate is open."""

    def __init__(self, shelf: Shelf) -> None:
        self.gate = asyncio.Event()
        super().__init__(shelf.answer)
        self.under_way = self.most = 0
        self._changed = asyncio.Event()

    async def until(self, under_way: int) -> None:
        while self.under_way < under_way:
            self._changed.clear()
            await self._changed.wait()

    async def send(self, request: HttpRequest) -> HttpResponse:
        if "/bulk_insert" not in request.url:
            return await super().send(request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self._changed.set()
        try:
            await self.gate.wait()
            return await super().send(request)
        finally:
            self.under_way -= 1


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr(quoth.bulk_insert, "CHUNK_DOCUMENTS_MAX", 2)
    return Shelf()


@pytest.fixture
def shelf_store(shelf: Shelf) -> AsyncDocumentStore:
    return AsyncDocumentStore(URL, "shop", transport=shelf.transport)


async def test_documents_travel_in_chunks(wire: Wire, store: AsyncDocumentStore) -> None:
    lent = {"Prefix": "companies/", "Low": 1, "High": 32, "LastSize": 32, "ServerTag": "A",
            "LastRangeAt": "2026-01-01T10:00:00.0000000Z"}  # fmt: skip
    wire.on("GET", "/hilo/next", lent)
    wire.on("GET", "/operations/next-operation-id", {"Id": 9, "NodeTag": "A"})
    wire.on("POST", "/bulk_insert", status=201)
    wire.on("PUT", "/hilo/return", {})
    async with store.bulk_insert() as bulk_insert:
        company = Company("Quoth")
        assert await bulk_insert.store(company) == "companies/1-A"
        assert company.Id == "companies/1-A"
        expires = {"@expires": "2030-01-01T00:00:00.0000000Z", "@change-vector": "never sent"}
        await bulk_insert.store_as({"name": "x"}, "companies/x", expires)
    _, _, sent = wire.asked
    await store.close()
    assert sent.query == {"id": "9", "skipOverwriteIfUnchanged": "false"} | {
        "raft-request-id": sent.query["raft-request-id"]
    }
    first, second = sent.json
    assert (first["Id"], first["Type"]) == ("companies/1-A", "PUT")
    assert first["Document"]["name"] == "Quoth" and "Id" not in first["Document"]
    assert first["Document"]["@metadata"]["@collection"] == "Companies"
    assert second["Document"]["@metadata"]["@expires"] == expires["@expires"]
    assert "@change-vector" not in second["Document"]["@metadata"]


async def test_chunks_are_full_and_all_come(shelf: Shelf, shelf_store: AsyncDocumentStore) -> None:
    seen: list[BulkInsertProgress] = []
    async with shelf_store.bulk_insert() as bulk_insert:
        bulk_insert.on_progress(seen.append)
        for number in range(5):
            await bulk_insert.store_as({"n": number}, f"a/{number}")
    # Two are on their way at once, so they may come in any order.
    assert sorted(len(body) for body in shelf.bodies) == [1, 2, 2]
    assert sorted(shelf.kept) == [f"a/{number}" for number in range(5)]
    assert len(seen) == seen[-1].batch_count == 3
    assert seen[-1].documents_processed == 5


async def test_large_documents_come_alone(
    shelf: Shelf, shelf_store: AsyncDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quoth.bulk_insert, "CHUNK_DOCUMENTS_MAX", 1_000)
    monkeypatch.setattr(quoth.bulk_insert, "CHUNK_BYTES_MAX", 1_000)
    async with shelf_store.bulk_insert() as bulk_insert:
        for size in (2_000, 100, 100, 900):
            await bulk_insert.store_as({"text": "x" * size}, f"a/{size}")
    sizes = [[len(each["Document"]["text"]) for each in body] for body in shelf.bodies]
    assert sorted(sizes) == [[100, 100], [900], [2_000]]


async def test_options_are_sent(shelf: Shelf, shelf_store: AsyncDocumentStore) -> None:
    options = BulkInsertOptions(use_compression=True, skip_overwrite_if_unchanged=True)
    async with shelf_store.bulk_insert(options=options) as bulk_insert:
        await bulk_insert.store_as({"n": 1}, "a/1")
    (request,) = shelf.requests
    assert request.headers["Content-Encoding"] == "gzip"
    assert "skipOverwriteIfUnchanged=true" in request.url
    assert shelf.kept == ["a/1"]


def test_a_synchronous_store_does_the_same(shelf: Shelf) -> None:
    with DocumentStore(URL, "shop", transport=shelf.transport) as store:
        with store.bulk_insert() as bulk_insert:
            for number in range(3):
                bulk_insert.store(Company("x", Id=f"a/{number}"))
    assert [len(body) for body in shelf.bodies] == [2, 1]
    assert asked(shelf.requests[0]).query["id"] == "101"


async def test_an_empty_bulk_insert_asks_nothing(
    shelf: Shelf, shelf_store: AsyncDocumentStore
) -> None:
    async with shelf_store.bulk_insert():
        pass
    assert not shelf.transport.requests


def test_a_refusal_tells_what_is_stored(shelf: Shelf) -> None:
    refusal = {"Type": "x.BadRequestException", "Message": "no such document"}
    shelf.failures[2] = response(400, refusal)
    with (
        DocumentStore(URL, "shop", transport=shelf.transport) as store,
        pytest.raises(BulkInsertAborted, match="no such document") as failure,
        store.bulk_insert() as bulk_insert,
    ):
        for number in range(9):
            bulk_insert.store_as({"n": number}, f"a/{number}")
    told = failure.value
    assert (told.stored, told.unknown_ids) == (2, ())
    assert told.not_stored_ids == ("a/2", "a/3", "a/4")  # a/5 was refused, with the error at hand
    assert isinstance(told.__cause__, BadRequest)
    assert shelf.kept == ["a/0", "a/1"]


async def test_nothing_is_lost_count_of_when_two_are_on_their_way(
    shelf: Shelf, shelf_store: AsyncDocumentStore
) -> None:
    shelf.failures[1] = NotSent("refused")
    with pytest.raises(BulkInsertAborted) as failure:
        async with shelf_store.bulk_insert() as bulk_insert:
            for number in range(5):
                await bulk_insert.store_as({"n": number}, f"a/{number}")
    told = failure.value
    assert told.stored == len(shelf.kept)
    ids = {*told.not_stored_ids, *shelf.kept}
    assert ids >= {"a/0", "a/1", "a/2", "a/3"} and not told.unknown_ids


LOST = FateUnknown("the connection broke")


@pytest.mark.parametrize(
    ("states", "stored", "unknown", "lost"),
    [
        ([{"Status": "Completed", "Result": {}}], 1, 0, 0),
        (["InProgress", {"Status": "Completed", "Result": {}}], 1, 0, 0),
        ([{"Status": "Canceled", "Progress": {"DocumentsProcessed": 0}}], 0, 0, 1),
        (
            [{"Status": "Faulted", "Result": {"Type": "x.BadRequestException", "StatusCode": 400}}],
            0,
            0,
            1,
        ),
        ([{"Status": "Faulted", "Result": {"Type": "x.RavenTimeoutException"}}], 0, 1, 0),
        ([{"Status": "Faulted", "Progress": {"DocumentsProcessed": 1}}], 0, 1, 0),
        ([None], 0, 1, 0),
    ],
)
async def test_an_answer_that_was_lost_is_asked_for(
    shelf: Shelf,
    shelf_store: AsyncDocumentStore,
    states: list[Any],
    stored: int,
    unknown: int,
    lost: int,
) -> None:
    shelf.failures[1] = LOST
    for each in states:
        each = {"Status": each} if isinstance(each, str) else each
        shelf.states.append(response(404) if each is None else response(200, each))
    seen: list[BulkInsertProgress] = []
    try:
        async with shelf_store.bulk_insert() as bulk_insert:
            bulk_insert.on_progress(seen.append)
            await bulk_insert.store_as({"n": 1}, "a/1")
    except BulkInsertAborted as told:
        counts = (told.stored, len(told.unknown_ids), len(told.not_stored_ids))
    else:
        counts = (1, 0, 0)
        assert [each.documents_processed for each in seen] == [1]
    assert counts == (stored, unknown, lost)
    assert not shelf.states


async def test_an_exception_in_the_block_sends_no_more(
    shelf: Shelf, shelf_store: AsyncDocumentStore
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with shelf_store.bulk_insert() as bulk_insert:
            for number in range(3):
                await bulk_insert.store_as({"n": number}, f"a/{number}")
            raise ZeroDivisionError
    assert shelf.kept == ["a/0", "a/1"]


async def test_two_are_on_their_way_and_a_third_waits(shelf: Shelf) -> None:
    transport = Slow(shelf)
    store = AsyncDocumentStore(URL, "shop", transport=transport)

    async def program() -> None:
        async with store.bulk_insert() as bulk_insert:
            for number in range(20):
                await bulk_insert.store_as({"n": number}, f"a/{number}")

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(program())
        await transport.until(2)
        for _ in range(50):
            await asyncio.sleep(0)
        assert transport.under_way == 2
        transport.gate.set()
    assert len(shelf.kept) == 20 and transport.most == 2


async def test_of_several_documents_with_one_id_the_last_one_stays(shelf: Shelf) -> None:
    transport = Slow(shelf)
    store = AsyncDocumentStore(URL, "shop", transport=transport)

    async def program() -> None:
        async with store.bulk_insert() as bulk_insert:
            for key in ("a/1", "a/2", "A/1", "a/3", "a/4", "a/5"):
                await bulk_insert.store_as({"n": 1}, key)

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(program())
        await transport.until(1)
        for _ in range(50):
            await asyncio.sleep(0)
        assert transport.under_way == 1  # the second would change a document of the first
        transport.gate.set()
    assert shelf.kept[:2] == ["a/1", "a/2"] and len(shelf.kept) == 6


async def test_a_cancelled_bulk_insert_ends_at_once(shelf: Shelf) -> None:
    transport = Slow(shelf)
    store = AsyncDocumentStore(URL, "shop", transport=transport)

    async def program() -> None:
        async with store.bulk_insert() as bulk_insert:
            for number in range(20):
                await bulk_insert.store_as({"n": number}, f"a/{number}")

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(program())
        await transport.until(2)
        task.cancel()
    assert task.cancelled() and transport.under_way == 0 and not shelf.kept


async def test_aborting_sends_no_more(shelf: Shelf, shelf_store: AsyncDocumentStore) -> None:
    async with shelf_store.bulk_insert() as bulk_insert:
        for number in range(3):
            await bulk_insert.store_as({"n": number}, f"a/{number}")
        await bulk_insert.abort()
        assert shelf.kept == ["a/0", "a/1"]
        with pytest.raises(Misuse, match="within its block"):
            await bulk_insert.store_as({"n": 4}, "a/4")
    assert shelf.kept == ["a/0", "a/1"]


async def test_what_a_watcher_raises_is_raised_where_documents_are_stored(
    shelf: Shelf, shelf_store: AsyncDocumentStore
) -> None:
    def refuse(progress: BulkInsertProgress) -> None:
        raise ArithmeticError(progress.documents_processed)

    with pytest.raises(ArithmeticError, match=r"[12]"):
        async with shelf_store.bulk_insert() as bulk_insert:
            bulk_insert.on_progress(refuse)
            for number in range(3):
                await bulk_insert.store_as({"n": number}, f"a/{number}")


async def test_bad_input_is_told_at_once(shelf: Shelf, shelf_store: AsyncDocumentStore) -> None:
    async with shelf_store.bulk_insert() as bulk_insert:
        for entity, key, why in (
            ({"n": 1}, None, "no class to make an id from"),
            ({"n": 1}, "companies|", "numbers of identities"),
            ({"n": 1}, "", "a document id"),
            ({"n": 1}, "a\0b", "NUL"),
            ("text", None, "an entity is"),
            (Company, None, "an entity is"),
        ):
            with pytest.raises(Misuse, match=why):
                await bulk_insert.store(entity, key=key)
    outside = shelf_store.bulk_insert()
    with pytest.raises(Misuse, match="within its block"):
        await outside.store(Company("x"))
    assert not shelf.requests


async def test_a_document_whose_store_was_cancelled_is_not_lost(shelf: Shelf) -> None:
    transport = Slow(shelf)
    store = AsyncDocumentStore(URL, "shop", transport=transport)
    async with asyncio.timeout(10), store.bulk_insert() as bulk_insert:
        for number in range(6):
            await bulk_insert.store_as({"n": number}, f"a/{number}")
        impatient = asyncio.create_task(bulk_insert.store_as({"n": 6}, "a/6"))
        await transport.until(2)
        for _ in range(50):
            await asyncio.sleep(0)
        assert not impatient.done()  # two chunks are on their way: the third waits
        impatient.cancel()
        await asyncio.wait([impatient])
        transport.gate.set()
        await bulk_insert.store_as({"n": 7}, "a/7")
        await bulk_insert.store_as({"n": 8}, "a/4")  # of the chunk that waited
    assert sorted(shelf.kept) == ["a/0", "a/1", "a/2", "a/3", "a/4", "a/4", "a/5", "a/6", "a/7"]


async def test_tasks_that_share_a_bulk_insert_all_hear_of_a_failure(shelf: Shelf) -> None:
    transport = Slow(shelf)
    store = AsyncDocumentStore(URL, "shop", transport=transport)
    shelf.failures[1] = shelf.failures[2] = response(400, {"Type": "x.Bad", "Message": "no"})
    heard: list[BaseException] = []

    async def many(bulk_insert: AsyncBulkInsertOperation, name: str) -> None:
        try:
            for number in range(8):
                await bulk_insert.store_as({"n": number}, name)
        except BulkInsertAborted as aborted:
            heard.append(aborted)

    with pytest.raises(BulkInsertAborted):
        async with asyncio.timeout(10), store.bulk_insert() as bulk_insert:
            tasks = [asyncio.create_task(many(bulk_insert, "a/1")) for name in "abc"]
            await transport.until(1)
            transport.gate.set()
            await asyncio.wait(tasks)
    assert len(heard) == 3


def test_documents_taken_in_and_never_sent_are_told_as_not_stored(shelf: Shelf) -> None:
    shelf.failures[1] = response(400, {"Type": "x.BadRequestException", "Message": "no"})
    with DocumentStore(URL, "shop", transport=shelf.transport) as store:
        with pytest.raises(BulkInsertAborted) as failure, store.bulk_insert() as bulk_insert:
            for number in range(9):
                bulk_insert.store_as({"n": number}, f"a/{number}")
    assert failure.value.not_stored_ids == ("a/0", "a/1", "a/2")  # a/2 was taken in, a/3 was not


def test_a_chunk_that_was_interrupted_is_of_unknown_fate(shelf: Shelf) -> None:
    def answer(request: HttpRequest) -> HttpResponse | Exception:
        if "/bulk_insert" in request.url:
            raise KeyboardInterrupt
        return shelf.answer(request)

    with DocumentStore(URL, "shop", transport=MockTransport(answer)) as store:
        with pytest.raises(BulkInsertAborted) as failure, store.bulk_insert() as bulk_insert:
            with pytest.raises(KeyboardInterrupt):
                for number in range(3):
                    bulk_insert.store_as({"n": number}, f"a/{number}")
    told = failure.value
    assert (told.stored, told.unknown_ids, told.not_stored_ids) == (0, ("a/0", "a/1"), ("a/2",))


async def test_a_bulk_insert_cancelled_while_it_ends_ends_at_once(shelf: Shelf) -> None:
    transport = Slow(shelf)
    store = AsyncDocumentStore(URL, "shop", transport=transport)

    async def program() -> None:
        async with store.bulk_insert() as bulk_insert:
            for number in range(5):
                await bulk_insert.store_as({"n": number}, f"a/{number}")

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(program())
        await transport.until(2)
        for _ in range(50):
            await asyncio.sleep(0)
        task.cancel()  # it waits for room for its last document
    assert task.cancelled() and transport.under_way == 0 and not shelf.kept
