"""A stream of documents: saved in batches, told of in the state of its operation, never too much
of it in memory, and never half a batch."""

import asyncio
import gc
import gzip
import json
import weakref
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from quoth_cluster.errors import FateUnknown, NotProposed
from quoth_node.http.bulk_insert import BATCH_DOCUMENTS_MAX
from quoth_node.http.flight import Flight
from quoth_node.http.held import HeldBodies
from quoth_node.http.splitting import Splitter
from tests.unit.http.conftest import CONFIG, Answer, Node, StoppedClock, running_node, with_database

BULK_INSERT = "/databases/db/bulk_insert"
STATE = "/databases/db/operations/state"
SETTLED_SECONDS_MAX = 20.0


def command(
    document_id: str | None, collection: str = "Users", **properties: Any
) -> dict[str, Any]:
    """A command of a bulk insert, as clients send it."""
    metadata = {"@collection": collection}
    document = {**properties, "@metadata": metadata}
    return {"Id": document_id, "Type": "PUT", "Document": document}


def users(count: int, *, start: int = 0, **properties: Any) -> list[dict[str, Any]]:
    return [command(f"users/{n}", n=n, **properties) for n in range(start, start + count)]


def written(commands: Iterable[object]) -> bytes:
    return json.dumps(list(commands), separators=(",", ":")).encode()


async def insert(
    node: Node, body: bytes | list[dict[str, Any]], *, number: int = 1, query: str = "", **more: str
) -> Answer:
    """Send a whole body."""
    whole = body if isinstance(body, bytes) else written(body)
    headers = {key.replace("_", "-"): value for key, value in more.items()}
    return await node.ask("POST", f"{BULK_INSERT}?id={number}{query}", whole, headers=headers)


async def state(node: Node, number: int = 1) -> dict[str, Any]:
    told: dict[str, Any] = (await node.get(f"{STATE}?id={number}")).json
    return told


async def ended(node: Node, number: int = 1) -> dict[str, Any]:
    """The state, once the operation has ended."""
    async with asyncio.timeout(SETTLED_SECONDS_MAX):
        while (told := await state(node, number))["Status"] == "InProgress":
            pass
    return told


async def load(node: Node, document_id: str) -> dict[str, Any] | None:
    answer = await node.get(f"/databases/db/docs?id={document_id}")
    return None if answer.status == 404 else dict(answer.json["Results"][0])


async def count(node: Node) -> int:
    return int((await node.get("/databases/db/stats")).json["CountOfDocuments"])


async def test_documents_are_saved_and_counted(node: Node) -> None:
    answer = await insert(node, users(3))
    assert (answer.status, answer.body) == (201, b"")
    assert (await load(node, "users/2") or {})["n"] == 2
    told = await state(node)
    assert told["Status"] == "Completed"
    assert told["Result"]["Total"] == told["Progress"]["DocumentsProcessed"] == 3
    assert (told["Progress"]["BatchCount"], told["Progress"]["LastProcessedId"]) == (1, "users/2")


async def test_an_empty_array_is_no_error(node: Node) -> None:
    before = node.log.proposals
    assert (await insert(node, b" [ ] ")).status == 201
    assert node.log.proposals == before
    assert (await state(node))["Result"]["Total"] == 0


async def test_each_batch_is_one_command_of_the_log(node: Node) -> None:
    before = node.log.proposals
    assert (await insert(node, users(2 * BATCH_DOCUMENTS_MAX + 1))).status == 201
    assert node.log.proposals == before + 3
    assert (await state(node))["Progress"]["BatchCount"] == 3
    assert await count(node) == 2 * BATCH_DOCUMENTS_MAX + 1


async def test_large_documents_fill_a_batch_by_their_bytes(node: Node) -> None:
    before = node.log.proposals
    assert (await insert(node, users(50, text="x" * 90_000))).status == 201
    assert 4 <= node.log.proposals - before <= 6
    over = await insert(node, users(1, text="x" * 300_000), number=2)
    assert over.error[:2] == (413, "BadRequestException")


async def test_a_body_may_be_compressed(node: Node) -> None:
    body = written(users(2_500))
    halves = gzip.compress(body[:70_001]) + gzip.compress(body[70_001:])
    assert (await insert(node, halves, Content_Encoding="gzip")).status == 201
    assert await count(node) == 2_500
    cut = await insert(node, gzip.compress(body)[:-9], number=2, Content_Encoding="gzip")
    assert cut.error[:2] == (400, "InvalidDataException")
    assert (await ended(node, 2))["Status"] == "Faulted"
    wrong = await insert(node, body, number=3, Content_Encoding="gzip")
    assert "not gzip" in wrong.error[2]
    unknown = await insert(node, body, number=4, Content_Encoding="br")
    assert unknown.status == 415


async def test_a_small_body_that_inflates_without_end_is_refused(node: Node) -> None:
    bomb = gzip.compress(b'[{"Id":"a","Type":"PUT","Document":{"text":"' + b"x" * 60_000_000)
    assert len(bomb) < 100_000
    answer = await insert(node, bomb, Content_Encoding="gzip")
    assert answer.error[:2] == (413, "BadRequestException")
    assert await count(node) == 0


@pytest.mark.parametrize("kind", ["blanks", "empty members"])
async def test_others_are_served_between_any_two_pieces(
    node: Node, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    turns, turns_of_pieces = 0, list[int]()
    feed = Splitter.feed

    def watched(splitter: Splitter, piece: bytes) -> Iterator[list[Any]]:
        turns_of_pieces.append(turns)
        return feed(splitter, piece)

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(Splitter, "feed", watched)
    body = gzip.compress(b"[" + b" " * 3_000_000 + b"]")
    if kind == "empty members":
        body = gzip.compress(b"[") + gzip.compress(b"") * 300 + gzip.compress(b"]")
    counting = asyncio.create_task(count_turns())
    assert (await insert(node, body, Content_Encoding="gzip")).status == 201
    counting.cancel()
    assert len(turns_of_pieces) > 40
    assert len(turns_of_pieces) == len(set(turns_of_pieces))


async def test_ids_are_made_as_for_every_document(node: Node) -> None:
    assert (await insert(node, [command(None, n=1), command("", n=2)])).status == 201
    answer = await insert(node, [command("users/", n=3), command("users/", n=4)], number=2)
    assert answer.status == 201
    found = (await node.get("/databases/db/docs?startsWith=users/")).json["Results"]
    ids = [document["@metadata"]["@id"] for document in found]
    assert [document["n"] for document in found] == [3, 4]
    assert all(len(name) == len("users/0000000000000000001-A") for name in ids)
    assert await count(node) == 4
    identity = await insert(node, [command("users|")], number=3)
    message = "Commands[0]: Document ids cannot end with '|', but was called with users|"
    assert identity.error == (400, "BadRequestException", message)


async def test_heartbeats_only_say_that_the_client_lives(node: Node) -> None:
    beat = {"Type": "HeartBeat"}
    assert (await insert(node, [beat, *users(2), beat])).status == 201
    assert await count(node) == 2


@pytest.mark.parametrize(
    ("last", "status", "kind", "message"),
    [
        (b'{"Id":"a","Type":"Counters","Counters":{}}]', 400, "NotSupportedException", "Counters"),
        (b'{"Id":"a","Type":"TimeSeriesBulkInsert"}]', 400, "NotSupportedException", "TimeSeries"),
        (b'{"Type":"AttachmentPUT","ContentLength":3}\0[{]', 400, "NotSupportedException", "Att"),
        (b'{"Type":"Nonsense"}]', 400, "InvalidCommandTypeException", "Nonsense"),
        (b"7]", 400, "BadRequestException", "an object was expected, not the number 7"),
        (b'{"Type":"PUT","Id":7,"Document":{}}]', 400, "BadRequestException", "a string"),
        (b'{"Type":"PUT","Id":"a"}]', 400, "BadRequestException", "an object was expected"),
        (b'{"Type":"PUT","Id":', 400, "InvalidDataException", "cut short"),
    ],
)
async def test_what_comes_before_a_wrong_command_stays(
    node: Node, last: bytes, status: int, kind: str, message: str
) -> None:
    body = written(users(BATCH_DOCUMENTS_MAX + 10))[:-1] + b"," + last
    answer = await insert(node, body)
    assert answer.error[:2] == (status, kind) and message in answer.error[2]
    assert await count(node) == BATCH_DOCUMENTS_MAX, "whole batches, and nothing of the last"
    told = await ended(node)
    assert told["Status"] == "Faulted"
    assert told["Result"]["StatusCode"] == status
    assert told["Result"]["Type"].endswith(kind)
    assert told["Result"]["Message"] == answer.error[2]
    assert told["Result"]["Message"] in told["Result"]["Error"]
    assert told["Progress"]["DocumentsProcessed"] == BATCH_DOCUMENTS_MAX


async def test_a_batch_that_is_refused_leaves_nothing_and_ends_the_stream(node: Node) -> None:
    await node.put("users/5", n=5)
    moved = [*users(5), command("users/5", "Robots"), *users(5, start=6)]
    answer = await insert(node, moved)
    assert answer.error[:2] == (400, "InvalidOperationException")
    assert await count(node) == 1
    assert (await ended(node))["Result"]["StatusCode"] == 400


@pytest.mark.parametrize("error", [NotProposed("no leader is known"), FateUnknown("time is up")])
async def test_no_error_makes_a_client_send_the_rest_again(node: Node, error: Any) -> None:
    node.log.propose_fails = error
    answer = await insert(node, users(3))
    assert answer.status == 500 and str(error) in answer.error[2]
    assert (await ended(node))["Status"] == "Faulted"


async def test_equal_documents_are_not_written_again_if_so_asked(node: Node) -> None:
    async def vectors() -> list[str]:
        found = (await node.get("/databases/db/docs?startsWith=users/")).json["Results"]
        return [document["@metadata"]["@change-vector"] for document in found]

    skip = "&skipOverwriteIfUnchanged=true"
    await insert(node, users(3), query=skip)
    first = await vectors()
    await insert(node, users(3), number=2, query=skip)
    assert await vectors() == first
    assert (await state(node, 2))["Result"]["Total"] == 3
    await insert(node, [*users(2), command("users/2", n=7)], number=3, query=skip)
    changed = await vectors()
    assert changed[:2] == first[:2] and changed[2] != first[2]
    await insert(node, users(3), number=4)
    assert not set(await vectors()) & {*first, *changed}, "by default all are written"


async def test_a_document_sent_twice_ends_as_it_was_sent_last(node: Node) -> None:
    many = [*users(BATCH_DOCUMENTS_MAX), command("USERS/3", n="last"), *users(3)]
    assert (await insert(node, many)).status == 201
    assert (await load(node, "users/3") or {})["n"] == "last"


async def test_what_cannot_begin(node: Node) -> None:
    assert (await insert(node, users(1))).status == 201
    again = await insert(node, users(1))
    assert again.error[:2] == (400, "InvalidOperationException")
    assert (await node.ask("POST", BULK_INSERT, b"[]")).error[1] == "ArgumentException"
    missing = await node.ask("POST", "/databases/none/bulk_insert?id=5", b"[]")
    assert (missing.status, missing.headers["Database-Missing"]) == (503, "none")
    empty = await insert(node, b"", number=6)
    assert empty.error[:2] == (400, "InvalidDataException")


# A client that takes its time


class SlowBody:
    """A body that is sent when the test says so."""

    def __init__(self, *pieces: bytes) -> None:
        self.sent = 0
        self.go_on = asyncio.Event()
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
            self.sent += len(piece)
        await self.go_on.wait()


async def test_a_client_that_waits_to_be_asked_is_asked(node: Node) -> None:
    url = f"{node.url}{BULK_INSERT}?id=1"
    async with node.session.post(url, data=written(users(3)), expect100=True) as answer:
        assert answer.status == 201
    assert await count(node) == 3


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_the_array_is_the_end_even_if_the_request_has_none(node: Node, encoding: str) -> None:
    whole = written(users(BATCH_DOCUMENTS_MAX + 500))
    if encoding == "gzip":
        packer = zlib.compressobj(wbits=31)
        whole = packer.compress(whole) + packer.flush(zlib.Z_SYNC_FLUSH)
    body = SlowBody(whole[:1_000], whole[1_000:-1], whole[-1:])
    async with aiohttp.ClientSession() as session, asyncio.timeout(SETTLED_SECONDS_MAX):
        assert await send(session, node, body, Content_Encoding=encoding) == 201
    assert await count(node) == BATCH_DOCUMENTS_MAX + 500
    assert (await state(node))["Status"] == "Completed"


async def test_compressed_data_may_end_in_a_piece_behind_that_of_the_array(node: Node) -> None:
    node.log.hold, before = asyncio.Event(), node.log.proposals
    whole = gzip.compress(written(users(4 * BATCH_DOCUMENTS_MAX)))
    trailer_is_due = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield whole[:-8]
        await trailer_is_due.wait()
        yield whole[-8:]

    async def sent(session: aiohttp.ClientSession) -> int:
        url, headers = f"{node.url}{BULK_INSERT}?id=1", {"Content-Encoding": "gzip"}
        async with session.post(url, data=body(), headers=headers) as answer:
            return answer.status

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(sent(session))
        while node.log.proposals - before < 2:
            await node.get(f"{STATE}?id=1")
        trailer_is_due.set()
        for _ in range(10):  # it comes while the documents in front of it wait
            await node.get(f"{STATE}?id=1")
        node.log.hold.set()
        node.log.hold = None
        assert await sending == 201


async def test_the_client_waits_while_two_batches_wait(node: Node) -> None:
    node.log.hold, before = asyncio.Event(), node.log.proposals
    pieces = [written(users(300, start=300 * n, text="x" * 1_000))[1:-1] for n in range(100)]
    whole = b"[" + b",".join(pieces) + b"]"
    body = SlowBody(*(whole[at : at + 65_536] for at in range(0, len(whole), 65_536)))
    body.go_on.set()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send(session, node, body))
        while node.log.proposals - before < 2:
            await node.get(f"{STATE}?id=1")
        sent = -1
        while sent != body.sent:  # until the sockets are full
            sent = body.sent
            await asyncio.sleep(0.2)
        assert node.log.proposals - before == 2
        assert body.sent < len(whole) / 2
        assert (await state(node))["Progress"]["DocumentsProcessed"] == 0
        node.log.hold.set()
        node.log.hold = None
        assert await sending == 201
    assert await count(node) == 30_000


async def send(session: aiohttp.ClientSession, node: Node, body: SlowBody, **more: str) -> int:
    """Send a body as it comes; the status of the answer."""
    headers = {key.replace("_", "-"): value for key, value in more.items()}
    url = f"{node.url}{BULK_INSERT}?id=1"
    async with session.post(url, data=body.__aiter__(), headers=headers) as answer:
        return answer.status


async def progressed(node: Node) -> None:
    """Return when a batch is saved."""
    async with asyncio.timeout(SETTLED_SECONDS_MAX):
        while True:
            answer = await node.get(f"{STATE}?id=1")
            if answer.status == 200 and answer.json["Progress"]["DocumentsProcessed"]:
                return


async def test_a_client_that_goes_away_leaves_whole_batches(node: Node) -> None:
    body = SlowBody(written(users(2 * BATCH_DOCUMENTS_MAX - 1))[:-1])
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send(session, node, body))
        await progressed(node)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
    told = await ended(node)
    assert told["Status"] == "Faulted"
    assert "went away" in told["Result"]["Message"]
    assert told["Result"]["Type"].endswith("BulkInsertAbortedException")
    assert await count(node) == BATCH_DOCUMENTS_MAX


async def test_a_stream_is_killed_while_its_client_is_silent(node: Node) -> None:
    body = SlowBody(written(users(BATCH_DOCUMENTS_MAX + 500))[:-1])
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send(session, node, body))
        await progressed(node)
        assert (await node.ask("POST", "/databases/db/operations/kill?id=1")).status == 204
        told = await ended(node)
        body.go_on.set()
        assert await sending == 500
    assert told["Status"] == "Canceled"
    assert told["Result"]["Type"] == "System.OperationCanceledException"
    assert await count(node) == BATCH_DOCUMENTS_MAX
    assert (await node.ask("POST", "/databases/db/operations/kill?id=1")).status == 204
    assert (await state(node))["Status"] == "Canceled"


async def test_a_client_that_says_nothing_for_long_is_let_go(
    tmp_path: Path, clock: StoppedClock
) -> None:
    config = replace(CONFIG, bulk_insert_idle_seconds=0.2)
    async with running_node(tmp_path, clock, config) as bare:
        node = await with_database(bare)
        body = SlowBody(b"[")
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(send(session, node, body))
            while (await node.get(f"{STATE}?id=1")).status == 404:
                pass
            told = await ended(node)
            body.go_on.set()
            assert await sending == 500
        assert told["Result"]["Message"] == "Nothing came for 0.2 s"


# What all streams hold at once

HOLDING = replace(CONFIG, body_bytes_max=1_500_000, bodies_bytes_max=2_000_000)
UNFINISHED = b'[{"Id":"a","Type":"PUT","Document":{"text":"' + b"x" * 900_000


@pytest.fixture
async def holding(
    tmp_path: Path, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Node, list[HeldBodies]]]:
    """A node whose streams hold 1,000,000 bytes at most, and what it holds."""
    made: list[HeldBodies] = []
    init = HeldBodies.__init__

    def watched(bodies: HeldBodies, limit: int) -> None:
        init(bodies, limit)
        made.append(bodies)

    monkeypatch.setattr(HeldBodies, "__init__", watched)
    async with running_node(tmp_path, clock, HOLDING) as bare:
        yield await with_database(bare), made


async def held(node: Node, bodies: HeldBodies, low: int, high: int) -> None:
    """Return when so much is held."""
    async with asyncio.timeout(SETTLED_SECONDS_MAX):
        while not low <= bodies.held_bytes <= high:
            await node.get("/databases/db/stats")


async def test_unfinished_commands_of_all_streams_have_a_limit_together(
    holding: tuple[Node, list[HeldBodies]],
) -> None:
    node, (bodies,) = holding
    body = SlowBody(UNFINISHED)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send(session, node, body))
        await held(node, bodies, 600_000, 900_000)
        refused = await insert(node, UNFINISHED, number=2)
        assert refused.error[:2] == (500, "BulkInsertAbortedException"), "sent once, never again"
        assert "bytes of request bodies" in refused.error[2]
        assert (await ended(node, 2))["Status"] == "Faulted"
        small = await insert(node, users(5_000), number=3)
        assert small.status == 201, "what is read as it comes holds nothing"
        other = await node.ask("POST", "/databases/db/bulk_docs", b'{"a":"' + b"x" * 900_000)
        assert other.error[:2] == (400, "InvalidDataException"), "a request has room all the same"
        body.go_on.set()
        assert await sending == 400
    await held(node, bodies, 0, 0)


@pytest.mark.parametrize("end", ["killed", "gone"])
async def test_what_a_stream_held_is_given_back(
    holding: tuple[Node, list[HeldBodies]], end: str
) -> None:
    node, (bodies,) = holding
    body = SlowBody(UNFINISHED)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send(session, node, body))
        await held(node, bodies, 600_000, 900_000)
        if end == "killed":
            await node.ask("POST", "/databases/db/operations/kill?id=1")
        else:
            sending.cancel()
        await held(node, bodies, 0, 0)
        body.go_on.set()
        with suppress(asyncio.CancelledError):
            await sending


async def test_a_command_that_is_read_is_not_held_any_more(
    holding: tuple[Node, list[HeldBodies]],
) -> None:
    node, (bodies,) = holding
    body = SlowBody(UNFINISHED + b'"}}', b"," + written(users(4_000))[1:-1])
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send(session, node, body))
        await progressed(node)
        assert bodies.held_bytes == 0
        body.go_on.set()
        assert await sending == 400


@pytest.mark.parametrize("last", [b'{"Type":"Nonsense"}', b"!", b""])
async def test_a_stream_that_failed_keeps_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch, last: bytes
) -> None:
    made: list[weakref.ref[Splitter]] = []
    init = Splitter.__init__

    def watched(splitter: Splitter, **limits: int) -> None:
        init(splitter, **limits)
        made.append(weakref.ref(splitter))

    monkeypatch.setattr(Splitter, "__init__", watched)
    gc.collect()
    gc.disable()
    try:
        answer = await insert(node, written(users(3))[:-1] + b"," + last + b"]")
        await node.get("/databases/db/stats")
        assert answer.status == 400
        assert [splitter() for splitter in made] == [None]
    finally:
        gc.enable()


# Batches on their way


async def test_batches_fly_two_at_a_time_and_never_past_one_of_the_same_document() -> None:
    began: list[str] = []
    landings = {name: asyncio.Event() for name in "abcde"}

    async def fly(name: str) -> None:
        began.append(name)
        await landings[name].wait()
        if name == "d":
            raise NotProposed("d")

    async def settle() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        flight: Flight[str] = Flight(tasks, fly)
        await flight.add("a", {b"1", b"2"})
        adding = tasks.create_task(flight.add("b", {b"2", b"3"}))
        await settle()
        assert began == ["a"], "b changes what a changes"
        landings["a"].set()
        await adding
        await flight.add("c", {b"1"})
        adding = tasks.create_task(flight.add("d", {b"4"}))
        await settle()
        assert began == ["a", "b", "c"], "two are under way"
        landings["b"].set()
        await adding
        landings["c"].set()
        landings["d"].set()
        await settle()
        assert began == ["a", "b", "c", "d"]
        failed = await flight.settled()
        with pytest.raises(NotProposed):
            await flight.add("e", {b"5"})
    assert isinstance(failed, NotProposed) and began[-1] == "d"
