"""Whatever is wrong with a request is told by name, nothing is written, and the next one is served.

One table, for every route that takes a body: limits of size, depth and number, and JSON that could
not be given back as it came.
"""

import gzip
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.http.conftest import BODY_BYTES_MAX, Node

DB = "/databases/db"
GZIP = {"Content-Encoding": "gzip"}
BODY, REQUEST, ARGUMENT = "InvalidDataException", "BadRequestException", "ArgumentException"


@dataclass(frozen=True)
class Route:
    """A route that takes JSON, and what stands around a value there."""

    method: str
    path: str
    before: bytes
    after: bytes


ROUTES = [
    Route("PUT", f"{DB}/docs?id=a", b'{"a":', b"}"),
    Route("POST", f"{DB}/docs", b'{"Ids":["a"],"a":', b"}"),
    Route(
        "POST",
        f"{DB}/bulk_docs",
        b'{"Commands":[{"Id":"a","Type":"PUT","Document":{"a":',
        b"}}]}",
    ),
    Route("PUT", f"{DB}/cmpxchg?key=k&index=0", b'{"Object":', b"}"),
    Route("PUT", "/admin/databases?name=new", b'{"Topology":', b"}"),
    Route("POST", "/admin/databases/disable", b'{"DatabaseNames":["none"],"a":', b"}"),
    Route("PUT", f"{DB}/admin/configuration/settings", b'{"a":"1","b":', b"}"),
]
CONTENT = {
    "no JSON": (b"nope", BODY, "is not JSON"),
    "cut short": (b'"', BODY, "is not JSON"),
    "a control character": (b'"a\x01b"', BODY, "is not JSON"),
    "no UTF-8": (b'"\xff"', BODY, "is not JSON"),
    "a surrogate by itself": (b'"\\ud800"', BODY, "is not JSON"),
    "a surrogate the wrong way round": (b'"\\udc00\\ud800"', BODY, "is not JSON"),
    "NaN": (b"NaN", BODY, "is not JSON"),
    "a float that is infinite": (b"1e999", BODY, "is not JSON"),
    "a float that is infinite by its digits": (b"9" * 400 + b".5", BODY, "is not JSON"),
    "a number over 64 bits": (b"18446744073709551616", BODY, "does not fit into 64 bits"),
    "a number under 64 bits": (b"-9223372036854775809", BODY, "does not fit into 64 bits"),
    "a property twice": (b'{"x":1,"x":2}', BODY, "two properties of the same name"),
    "a property twice, once escaped": (b'{"x":":","\\u0078":2}', BODY, "of the same name"),
    "a property twice, deep down": (b'[[{"y":[{"x":1,"x":1}]}]]', BODY, "of the same name"),
    "arrays too deep": (b"[" * 128 + b"]" * 128, BODY, "nested too deep"),
    "objects too deep": (b'{"a":' * 200 + b"1" + b"}" * 200, BODY, "nested too deep"),
    "far too deep": (b"[" * 30_000 + b"]" * 30_000, BODY, ""),
}


async def state_of(node: Node) -> tuple[Any, ...]:
    counts = (await node.get(f"{DB}/stats/detailed")).json
    names = (await node.get("/databases?namesOnly=true")).json
    record = (await node.get("/admin/databases?name=db")).json
    keys = ("CountOfDocuments", "CountOfCompareExchange", "CountOfIdentities")
    return (*(counts[key] for key in keys), names, record, node.log.proposals)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_json_that_could_not_be_kept(node: Node, route: Route) -> None:
    before = await state_of(node)
    for name, (content, kind, message) in CONTENT.items():
        body = route.before + content + route.after
        answer = await node.ask(route.method, route.path, body)
        assert answer.error[:2] == (400, kind), name
        assert message in answer.error[2], name
        squeezed = await node.ask(route.method, route.path, gzip.compress(body), headers=GZIP)
        assert squeezed.error[:2] == (400, kind), name
    assert await state_of(node) == before


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_bodies_over_their_limit(node: Node, route: Route) -> None:
    before = await state_of(node)
    large = route.before + b'"' + b"x" * BODY_BYTES_MAX + b'"' + route.after
    plain = await node.ask(route.method, route.path, large)
    bomb = gzip.compress(b" " * 60_000_000)
    inflated = await node.ask(route.method, route.path, bomb, headers=GZIP)
    for answer in (plain, inflated):
        assert answer.error[:2] == (413, REQUEST) and "over the limit of" in answer.error[2]
    zipped = {"Content-Encoding": "zip"}
    unknown = await node.ask(route.method, route.path, b"PK\x03\x04", headers=zipped)
    assert unknown.error[:2] == (415, "NotSupportedException")
    assert await state_of(node) == before


async def test_as_deep_as_it_may_be(node: Node) -> None:
    deep = b'{"a":' + b"[" * 127 + b"]" * 127 + b"}"
    assert (await node.ask("PUT", f"{DB}/docs?id=a", deep)).status == 201
    loaded = await node.get(f"{DB}/docs?id=a")
    assert b"[" * 127 in loaded.body
    wide = b'{"a":[' + b",".join([b'{"b":[":{[","\\\\",[]]}'] * 200) + b"]}"
    assert (await node.ask("PUT", f"{DB}/docs?id=a", wide)).status == 201


async def test_numbers_of_64_bits_come_back_as_they_were(node: Node) -> None:
    body = b'{"high":18446744073709551615,"low":-9223372036854775808,"small":5e-324}'
    assert (await node.ask("PUT", f"{DB}/docs?id=a", body)).status == 201
    assert body[1:-1] in (await node.get(f"{DB}/docs?id=a")).body


IN_URL = {
    "a NUL in an id": ("PUT", f"{DB}/docs?id=a%00b", 400, REQUEST),
    "a NUL in a key": ("PUT", f"{DB}/cmpxchg?key=a%00&index=0", 400, REQUEST),
    "a NUL in a name": ("POST", f"{DB}/identity/next?name=a%00", 400, REQUEST),
    "a surrogate in an id": ("PUT", f"{DB}/docs?id=%ED%A0%80", 400, REQUEST),
    "no UTF-8 in an id": ("PUT", f"{DB}/docs?id=%FF", 400, REQUEST),
    "an id over 512 bytes": ("PUT", f"{DB}/docs?id={'%C3%A9' * 257}", 400, REQUEST),
    "a key over 512 bytes": (
        "PUT",
        f"{DB}/cmpxchg?key={'%C3%A9' * 257}&index=0",
        400,
        "CompareExchangeKeyTooBigException",
    ),
    "an index over 64 bits": (
        "PUT",
        f"{DB}/cmpxchg?key=k&index=99999999999999999999",
        400,
        ARGUMENT,
    ),
    "an index that is none": ("PUT", f"{DB}/cmpxchg?key=k&index=1e3", 400, ARGUMENT),
    "a seed over 64 bits": (
        "POST",
        f"{DB}/identity/seed?name=x&value=9223372036854775808",
        400,
        ARGUMENT,
    ),
    "a URL over its limit": ("PUT", f"{DB}/docs?id={'x' * 4_096}", 414, REQUEST),
}


@pytest.mark.parametrize("name", IN_URL)
async def test_what_a_url_cannot_say(node: Node, name: str) -> None:
    method, target, status, kind = IN_URL[name]
    before = await state_of(node)
    answer = await node.ask(method, target, b'{"Object":1}')
    assert answer.error[:2] == (status, kind)
    assert await state_of(node) == before


@pytest.mark.parametrize(
    "command",
    [
        b'{"Id":"a\\u0000","Type":"PUT","Document":{}}',
        b'{"Id":"a\\u0000","Type":"DELETE"}',
        b'{"Id":"%b","Type":"PUT","Document":{}}' % ("é" * 257).encode(),
    ],
)
async def test_ids_in_a_batch_that_no_document_can_have(node: Node, command: bytes) -> None:
    before = await state_of(node)
    answer = await node.ask("POST", f"{DB}/bulk_docs", b'{"Commands":[%b]}' % command)
    assert answer.error[:2] == (400, REQUEST)
    assert await state_of(node) == before


async def test_a_batch_over_its_limit(node: Node) -> None:
    commands = b",".join([b"{}"] * 10_001)
    answer = await node.ask("POST", f"{DB}/bulk_docs", b'{"Commands":[%b]}' % commands)
    assert answer.error[:2] == (400, REQUEST) and "over the limit of 10000" in answer.error[2]


@pytest.mark.parametrize(
    "headers",
    [
        {f"X-{number}": "x" * 1_000 for number in range(40)},
        {"X-Long": "x" * 40_000},
        {f"X-{number}": "" for number in range(200)},
    ],
    ids=["many", "long", "too many"],
)
async def test_headers_over_their_limit(node: Node, headers: dict[str, str]) -> None:
    before = await state_of(node)
    answer = await node.ask("PUT", f"{DB}/docs?id=a", {}, headers=headers)
    assert answer.error[:2] == (431, REQUEST)
    assert await state_of(node) == before
