"""A node need not send again what has not changed; and what goes out may be compressed."""

import gzip
from typing import Any

import orjson
import pytest

from quoth import AsyncDocumentStore, Conventions, SessionOptions
from quoth.caching import AnswerCache, Kept
from quoth.mock_transport import MockTransport, response
from quoth.transport import HttpRequest, HttpResponse
from tests.client.entities import Company
from tests.client.wire import URL, asked, document, put_result


class Node(MockTransport):
    """One document, with an etag."""

    def __init__(self) -> None:
        super().__init__(self.answer)
        self.name = "one"

    @property
    def conditions(self) -> list[str | None]:
        loads = [asked(each) for each in self.requests if "/docs?" in each.url]
        return [each.headers.get("If-None-Match") for each in loads]

    def answer(self, request: HttpRequest) -> HttpResponse:
        if "/topology" in request.url:
            return response(200, {"Nodes": [{"Url": URL, "ServerRole": "Member"}], "Etag": 7})
        if request.method == "POST":
            return response(201, {"Results": [put_result("companies/1")]})
        etag = f'"{self.name}"'
        if request.headers.get("If-None-Match") == etag:
            return response(304)
        found = {"Results": [document("companies/1", name=self.name)], "Includes": {}}
        return response(200, found, {"ETag": etag})


async def name_of(store: AsyncDocumentStore, options: SessionOptions | None = None) -> Any:
    async with store.open_session(session_options=options) as session:
        found = await session.load("companies/1", Company)
        assert found is not None
        name, found.name = found.name, "changed here"
        return name


async def test_what_has_not_changed_is_not_sent_again() -> None:
    node = Node()
    conventions = Conventions(cache_bytes_max=10_000)
    async with AsyncDocumentStore(URL, "a", conventions=conventions, transport=node) as store:
        assert [await name_of(store) for _ in range(2)] == ["one", "one"]
        node.name = "two"
        assert [await name_of(store) for _ in range(2)] == ["two", "two"]
        assert node.conditions == [None, '"one"', '"one"', '"two"']
        assert await name_of(store, SessionOptions(no_caching=True)) == "two"
        assert node.conditions[-1] is None


async def test_unless_asked_to_nothing_is_kept() -> None:
    node = Node()
    async with AsyncDocumentStore(URL, "a", transport=node) as store:
        await name_of(store)
        await name_of(store)
    assert node.conditions == [None, None]


def test_a_cache_keeps_what_was_used_last() -> None:
    cache = AnswerCache(30)
    for name in "abc":
        cache.keep(name, Kept("e", b"12345678"))
    assert cache.find("a") is not None
    cache.keep("d", Kept("e", b"12345678"))
    assert [cache.find(name) is not None for name in "abcd"] == [True, False, True, True]
    cache.keep("a", Kept("f", bytes(100)))
    assert cache.find("a") is None, "too large to be kept, and the old one is not true any more"
    cache.keep("e", Kept("e", bytes(28)))
    assert [cache.find(name) is not None for name in "cde"] == [False, False, True]


@pytest.mark.parametrize(("size", "is_packed"), [(10, False), (10_000, True)])
async def test_long_bodies_are_compressed_if_asked(size: int, is_packed: bool) -> None:
    node = Node()
    conventions = Conventions(use_gzip=True)
    async with AsyncDocumentStore(URL, "a", conventions=conventions, transport=node) as store:
        async with store.open_session() as session:
            await session.store(Company("x" * size), "companies/1")
            await session.save_changes()
    sent = node.requests[-1]
    assert (sent.headers.get("Content-Encoding") == "gzip") == is_packed
    body = sent.body or b""
    plain = orjson.loads(gzip.decompress(body) if is_packed else body)
    assert plain["Commands"][0]["Document"]["name"] == "x" * size
    assert len(body) < 1_000
