"""What clients of workloads make of an answer, or of none: no more than it says."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import getsource

import pytest
from aiohttp import web

from quoth_node.http.routing import Routing
from quoth_node.testing.workloads.own import Own, SharedStore
from quoth_node.testing.workloads.plain import UNFORESEEN, Plain
from quoth_node.testing.workloads.recorder import Recorder
from quoth_node.testing.workloads.speaker import (
    Found,
    Mode,
    NotDone,
    Open,
    Refused,
    Speaker,
    Strange,
    Writes,
)

ERROR = {"Url": "/", "Type": "Raven.Client.Exceptions.RavenException", "Message": "", "Error": ""}
CUT = 0  # in place of a status: the connection ends without an answer
Outcome = type[Exception]
Ask = Callable[[Speaker], Awaitable[object]]


class FakeNode:
    """Answers every write in one way; counts how many it has seen."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.headers: dict[str, str] = {}
        self.message = ""
        self.writes = 0
        self.reads: list[tuple[str, str | None]] = []  # consistency, and what the reader knows
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/topology":
            nodes = [{"Url": self.url, "ClusterTag": "A", "ServerRole": "Member"}]
            return web.json_response({"Nodes": nodes, "Etag": 1})
        if request.method == "GET":
            known = request.headers.get("Known-Raft-Index")
            self.reads.append((request.query.get("consistency", ""), known))
            if "Database-Missing" in self.headers:
                return web.json_response(ERROR, status=self.status, headers=self.headers)
            return web.Response(status=404)
        self.writes += 1
        await request.read()
        if self.status == CUT:
            assert request.transport is not None
            request.transport.close()
        told = {**ERROR, "Message": self.message, "Error": self.message}
        return web.json_response(told, status=self.status or 200, headers=self.headers)


@asynccontextmanager
async def serving(node: FakeNode) -> AsyncIterator[FakeNode]:
    """The node, listening on loopback."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", node.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    node.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield node
    finally:
        await runner.cleanup()


@asynccontextmanager
async def speaking(kind: str, url: str) -> AsyncIterator[Speaker]:
    """A client of one kind that knows one node."""
    urls = {"A": url}
    speaker: Speaker = Plain(urls, "db") if kind == "plain" else Own(urls, "db", SharedStore())
    try:
        yield speaker
    finally:
        await speaker.close()


def put(speaker: Speaker) -> Awaitable[object]:
    return speaker.put_value("k", 1, 0)


def save(speaker: Speaker) -> Awaitable[object]:
    return speaker.put_document("d/1", {"value": 1})


def transact(speaker: Speaker) -> Awaitable[object]:
    def decide(_: Found) -> Writes:
        return Writes({"d/1": {"value": 1}})

    return speaker.transact(["d/1"], (), decide, mode=Mode.SINGLE)


@pytest.mark.parametrize("kind", ["plain", "own"])
@pytest.mark.parametrize("ask", [put, save, transact], ids=lambda ask: ask.__name__)
@pytest.mark.parametrize(
    ("status", "outcome"),
    [(500, Open), (CUT, Open), (409, Refused), (400, Strange)],
    ids=["500", "cut", "409", "400"],
)
async def test_a_write_is_sent_once_and_taken_for_what_was_told(
    kind: str, ask: Ask, status: int, outcome: Outcome
) -> None:
    async with serving(FakeNode(status)) as node, speaking(kind, node.url) as speaker:
        with pytest.raises(outcome):
            await ask(speaker)
        assert node.writes == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(408, NotDone), (502, Open), (503, NotDone), (504, Open), (307, Strange)],
    ids=["408", "502", "503", "504", "307"],
)
async def test_plain_http_reads_the_other_statuses(status: int, outcome: Outcome) -> None:
    node = FakeNode(status)
    node.headers["Location"] = "/elsewhere"  # which a 307 means: nobody goes there
    async with serving(node), speaking("plain", node.url) as speaker:
        with pytest.raises(outcome) as told:
            await put(speaker)
        assert node.writes == 1 and type(told.value) is outcome


async def test_a_database_that_is_gone_is_no_mere_refusal() -> None:
    node = FakeNode(503)
    node.headers["Database-Missing"] = "db"
    async with serving(node), speaking("plain", node.url) as speaker:
        with pytest.raises(Strange):
            await put(speaker)


async def test_a_node_that_has_yet_to_hear_of_the_database_has_nothing_itself() -> None:
    node = FakeNode(503)
    node.headers["Database-Missing"] = "db"
    async with serving(node), Plain({"A": node.url}, "db") as plain:
        assert await plain.load_since(["d/1"], 17) == {"d/1": None}
        assert await plain.load_prefix("d/", is_local=True) == {}
        with pytest.raises(Strange):
            await plain.load(["d/1"])


@pytest.mark.parametrize("kind", ["plain", "own"])
async def test_where_nobody_listens_nothing_is_done(kind: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with speaking(kind, f"http://127.0.0.1:{nobody.getsockname()[1]}") as speaker:
            with pytest.raises(NotDone):
                await put(speaker)


async def test_a_kept_connection_that_breaks_under_a_put_does_not_send_it_again() -> None:
    """aiohttp itself would: a compare-and-set done twice is told as one that failed."""
    async with serving(FakeNode(200)) as node, speaking("plain", node.url) as speaker:
        await speaker.get_value("k")  # leaves a connection
        node.status = CUT
        with pytest.raises(Open):
            await put(speaker)
        assert node.writes == 1


async def test_a_node_that_has_left_is_not_reached() -> None:
    """Who goes through all nodes may hear in between that one of them has gone."""
    async with serving(FakeNode(200)) as node, speaking("plain", node.url) as speaker:
        assert isinstance(speaker, Plain)
        with pytest.raises(NotDone, match="B is not known"):
            await speaker.ask("GET", "/docs", [("id", "d/1")], node="B")


@pytest.mark.parametrize("kind", ["plain", "own"])
async def test_an_error_that_a_node_did_not_foresee_is_no_mere_unknown(kind: str) -> None:
    node = FakeNode(500)
    node.message = "An unexpected error; the log of node A tells more under the reference 1"
    async with serving(node), speaking(kind, node.url) as speaker:
        with pytest.raises(Strange, match="An unexpected error"):
            await save(speaker)


def test_nodes_tell_what_they_did_not_foresee_in_these_words() -> None:
    assert f'f"{UNFORESEEN} ' in getsource(Routing)


async def test_plain_http_goes_from_node_to_node() -> None:
    async with serving(FakeNode(200)) as one, serving(FakeNode(200)) as other:
        plain = Plain({"A": one.url, "B": other.url}, "db")
        for _ in range(3):
            await plain.delete_document("d/1")
        before = one.writes, other.writes
        await plain.delete_document("d/1")
        await plain.close()
    assert before in ((1, 2), (2, 1)) and (one.writes, other.writes) == (2, 2)


async def test_what_came_of_it_is_written_down() -> None:
    recorder = Recorder("w", now=iter(range(100)).__next__)

    async def fails(error: Exception) -> None:
        raise error

    async with asyncio.timeout(60):
        for error in (NotDone(), Refused(), Open()):
            await recorder.during(fails(error), client=0, key="k", f="f")
        told = await recorder.during(
            asyncio.sleep(0, 7), client=0, key="k", f="f", output=lambda number: number + 1
        )
    assert told == 7
    assert [(one.ok, one.output) for one in recorder.operations] == [
        *((False, None), (False, None), (None, None), (True, 8)),
    ]
    assert recorder.operations[2].returned is None and recorder.operations[3].returned is not None


async def test_what_a_session_wrote_it_may_read_from_a_node_that_only_knows_the_index() -> None:
    async with serving(FakeNode(200)) as node, Plain({"A": node.url}, "db") as plain:
        assert await plain.load_since(["d/1"], 17) == {"d/1": None}
        assert await plain.load(["d/1"]) == {"d/1": None}
        assert node.reads == [("local", "17"), ("", None)]
