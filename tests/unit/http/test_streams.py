"""Documents in one long answer: all of a snapshot, or an error in the place of the rest."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quoth_node.http import routing, streams
from tests.unit.http.conftest import CONFIG, Node, StoppedClock, put, running_node, with_database

STREAM = "/databases/db/streams/docs"
TYPE = "application/x-ndjson; charset=utf-8"


async def fill(node: Node, count: int, *, text: str = "") -> None:
    """Documents `users/0000` and so on."""
    for start in range(0, count, 10):
        names = range(start, min(start + 10, count))
        answer = await node.bulk(*(put(f"users/{n:04}", n=n, text=text) for n in names))
        assert answer.status == 201, answer.body


async def lines(node: Node, query: str) -> list[dict[str, Any]]:
    answer = await node.get(f"{STREAM}?format=jsonl&{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, TYPE)
    assert answer.body.endswith(b"\n") or not answer.body
    return [json.loads(line) for line in answer.body.splitlines()]


async def numbers(node: Node, query: str) -> list[int]:
    return [line["n"] for line in await lines(node, query)]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of a few documents has several chunks."""
    monkeypatch.setattr(streams, "CHUNK_BYTES", 1_000)
    monkeypatch.setattr(streams, "SCANNED_MAX", 4)


async def test_every_document_is_one_line(node: Node) -> None:
    await fill(node, 30, text="x" * 200)
    told = await lines(node, "startsWith=users/")
    assert [line["n"] for line in told] == list(range(30))
    loaded = (await node.get("/databases/db/docs?startsWith=users/")).json["Results"]
    assert told == loaded
    assert await lines(node, "startsWith=nobody/") == []


async def test_without_lines_it_is_one_object(node: Node) -> None:
    assert (await node.get(f"{STREAM}?startsWith=users/")).json == {"Results": []}
    await fill(node, 11)
    answer = await node.get(f"{STREAM}?startsWith=users/")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert [document["n"] for document in answer.json["Results"]] == list(range(11))
    assert (await node.get(f"{STREAM}?format=xml")).error[1] == "ArgumentException"


@pytest.mark.parametrize(
    "query",
    [
        "startsWith=users/",
        "startsWith=users/&start=3&pageSize=5",
        "startsWith=users/&pageSize=0",
        "startsWith=users/&startAfter=users/0006",
        "startsWith=users/&matches=*7|000*&exclude=0003",
        "startsWith=users/&matches=*7&start=1",
        "startsWith=users/00&matches=nothing",
        "start=2&pageSize=9",
        "",
    ],
)
async def test_it_is_what_a_page_would_be(node: Node, query: str) -> None:
    await fill(node, 29)
    page = (await node.get(f"/databases/db/docs?{query}")).json["Results"]
    assert await numbers(node, query) == [document["n"] for document in page]


async def test_only_metadata_if_so_asked(node: Node) -> None:
    await fill(node, 2)
    told = await lines(node, "startsWith=users/&metadataOnly=true")
    assert [set(line) for line in told] == [{"@metadata"}] * 2


async def test_a_reply_may_be_larger_than_others(node: Node) -> None:
    await fill(node, 20, text="x" * 9_000)
    assert (await node.get("/databases/db/docs?startsWith=users/")).status == 400
    assert len(await lines(node, "startsWith=users/")) == 20


async def test_all_is_from_one_moment(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(node, 10)
    read = streams.beside_the_loop

    async def changing(chunk: Any) -> Any:
        found = await read(chunk)
        await node.put("users/0009", n=99)
        await node.put("users/00091", n=100)
        return found

    monkeypatch.setattr(streams, "beside_the_loop", changing)
    node.session._connector._limit = 2  # type: ignore[union-attr]
    assert await numbers(node, "startsWith=users/") == list(range(10))
    assert (await node.get("/databases/db/docs?id=users/0009")).json["Results"][0]["n"] == 99


async def test_what_fails_midway_is_told_where_a_document_would_be(
    node: Node, monkeypatch: pytest.MonkeyPatch, clock: StoppedClock
) -> None:
    await fill(node, 30)
    read = streams.beside_the_loop

    async def slow(chunk: Any) -> Any:
        clock.micros += 50_000_000
        return await read(chunk)

    monkeypatch.setattr(streams, "beside_the_loop", slow)
    *items, last = await lines(node, "startsWith=users/")
    assert [item["n"] for item in items] == list(range(8))
    message = "The stream ends early, it took over 60 s: ask for the rest with startAfter"
    assert (last["Type"], last["Message"]) == ("System.TimeoutException", message)
    assert "@metadata" not in last
    whole = (await node.get(f"{STREAM}?startsWith=users/")).json
    assert len(whole["Results"]) == 8 and whole["Message"] == message and message in whole["Error"]


async def test_a_database_that_grows_ends_it(
    tmp_path: Path, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, stream_growth_bytes_max=1_000)
    async with running_node(tmp_path, clock, config) as bare:
        node = await with_database(bare)
        await fill(node, 30)
        database = node.machine.database("db")
        assert database is not None
        size, sizes = database.size_bytes(), iter((0, 500, 1_001))
        monkeypatch.setattr(database, "size_bytes", lambda: size + next(sizes))
        *items, last = await lines(node, "startsWith=users/")
        assert len(items) == 8
        assert "1000 bytes were written" in last["Message"]


async def test_a_client_that_does_not_read_is_cut_off(
    tmp_path: Path, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CHUNK_BYTES", 1_000_000)
    send, cut_off = streams.Stream.send, asyncio.Event()

    async def watched(stream: streams.Stream) -> Any:
        try:
            return await send(stream)
        except ConnectionError:
            cut_off.set()
            raise

    monkeypatch.setattr(streams.Stream, "send", watched)
    async with running_node(tmp_path, clock, replace(CONFIG, stalled_seconds_max=0.3)) as bare:
        node = await with_database(bare)
        await fill(node, 200, text="x" * 9_000)
        host, port = node.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port), limit=1_000)
        for _ in range(40):  # on one connection: more than its buffers hold
            writer.write(f"GET {STREAM}?startsWith=users/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.wait_for(cut_off.wait(), timeout=20)
        database = node.machine.database("db")
        assert database is not None and database.environment._readers == 0
        assert len(await lines(node, "startsWith=users/&pageSize=3")) == 3
        writer.close()


async def test_only_so_many_at_once(
    tmp_path: Path, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "STREAMS_MAX", 0)
    async with running_node(tmp_path, clock, CONFIG) as bare:
        node = await with_database(bare)
        answer = await node.get(f"{STREAM}?startsWith=users/")
        assert answer.status == 503 and "too many streams" in answer.error[2]


async def test_what_is_wrong_from_the_start_has_a_status(node: Node) -> None:
    missing = await node.get("/databases/none/streams/docs?startsWith=a")
    assert (missing.status, missing.headers["Database-Missing"]) == (503, "none")
    node.log.unreadable()
    assert (await node.get(f"{STREAM}?startsWith=a")).status == 503
    assert (await node.get(f"{STREAM}?startsWith=a&consistency=local")).status == 200
