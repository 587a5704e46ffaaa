"""Nodes are compared: what differs for good is told, what was still under way is not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from quoth_node.testing import agreement

Row = dict[str, Any]


class Node:
    """Answers as a node does. `later` takes the place of its documents after some requests."""

    def __init__(self, documents: list[Row], later: list[Row] | None = None, after: int = 0):
        self.documents, self.later, self.after = documents, later, after
        app = web.Application()
        app.router.add_get("/databases/db/docs", self._docs)
        app.router.add_get("/databases/db/cmpxchg", self._values)
        self.server = TestServer(app, host="127.0.0.1")

    async def _docs(self, request: web.Request) -> web.Response:
        self.after -= 1
        if self.later is not None and self.after < 0:
            self.documents = self.later
        start = int(request.query["start"])
        page = self.documents[start : start + int(request.query["pageSize"])]
        return web.json_response({"Results": page})

    async def _values(self, request: web.Request) -> web.Response:
        return web.json_response({"Results": []})


@pytest.fixture
async def urls(nodes: list[Node]) -> AsyncIterator[dict[str, str]]:
    for node in nodes:
        await node.server.start_server()
    yield {tag: str(node.server.make_url("")).rstrip("/") for tag, node in zip("AB", nodes)}  # noqa: B905
    for node in nodes:
        await node.server.close()


ROWS = [{"@id": f"d/{n}", "@change-vector": f"A:{n}"} for n in range(1_500)]
OTHER = [*ROWS[:-1], {"@id": "d/1499", "@change-vector": "A:9"}]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "AGAIN_SECONDS", 0.0)


@pytest.mark.parametrize("nodes", [[Node(ROWS), Node(list(ROWS))]], ids=["equal"])
async def test_nodes_that_hold_the_same_agree(urls: dict[str, str]) -> None:
    assert await agreement.disagreements(urls, "db") == []


@pytest.mark.parametrize("nodes", [[Node(ROWS), Node(OTHER)]], ids=["other-vector"])
async def test_a_difference_that_stays_is_told(urls: dict[str, str]) -> None:
    [found] = await agreement.disagreements(urls, "db")
    assert (found.anomaly, found.key) == ("nodes-differ", "db/docs")


@pytest.mark.parametrize("nodes", [[Node(ROWS), Node(OTHER, later=ROWS, after=3)]], ids=["late"])
async def test_what_was_under_way_is_waited_for(urls: dict[str, str]) -> None:
    assert await agreement.disagreements(urls, "db") == []
