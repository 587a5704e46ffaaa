"""Bad requests over HTTP: each is told what was wrong, and the connection survives."""

import asyncio
import gzip
import json
import logging
import zlib

import pytest

from quoth_cluster.errors import Busy, ClusterError, FateUnknown, NotProposed, TooLarge
from tests.unit.http.conftest import BODY_BYTES_MAX, Node, put

BULK = "/databases/db/bulk_docs"
ONE = "/databases/db/docs?id=users/1"


async def test_an_unknown_route_is_named(node: Node) -> None:
    answer = await node.get("/databases/golden/no-such-route")
    assert answer.json == {
        "Url": "/databases/golden/no-such-route",
        "Type": "Raven.Client.Exceptions.Routing.RouteNotFoundException",
        "Message": "There is no handler for path: GET /databases/golden/no-such-route",
        "Error": "Raven.Client.Exceptions.Routing.RouteNotFoundException: "
        "There is no handler for path: GET /databases/golden/no-such-route",
    }
    assert answer.status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/databases/db"),
        ("GET", "/databases//docs"),
        ("GET", "/databases/db/docs/"),
        ("PATCH", "/databases/db/bulk_docs"),
        ("GET", "/databases/db/bulk_docs"),
        ("OPTIONS", "/topology"),
        ("GET", "/databases/db/x/../docs"),
    ],
)
async def test_a_route_is_a_method_and_a_path(node: Node, method: str, path: str) -> None:
    answer = await node.ask(method, f"{path}?id=1")
    message = f"There is no handler for path: {method} {path}"
    assert answer.error == (400, "RouteNotFoundException", message)


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        ("/databases/db/docs?id=a&zzz=1", "BadRequestException", "Unknown query parameter 'zzz'"),
        ("/build/version?x=1", "BadRequestException", "Unknown query parameter 'x'"),
        ("/databases/db/stats?x=1", "BadRequestException", "Unknown query parameter 'x'"),
        ("/databases/d%20b/docs?id=a", "BadRequestException", "cannot name a database"),
        ("/databases/d%FFb/docs?id=a", "BadRequestException", "not UTF-8"),
        ("/databases/db/docs?id=%FF", "BadRequestException", "not UTF-8"),
        ("/databases/db/docs?id=%ED%A0%80", "BadRequestException", "not UTF-8"),
        ("/databases/db/docs?id=a%00b", "BadRequestException", "NUL"),
        (f"/databases/db/docs?id={'x' * 513}", "BadRequestException", "513 bytes"),
        (f"/databases/db/docs?startsWith={'x' * 513}", "BadRequestException", "513 bytes"),
        ("/databases/db/docs?id=a&metadataOnly=maybe", "ArgumentException", "bool val maybe"),
        ("/databases/db/docs?start=-1", "ArgumentException", "must be from 0"),
        ("/databases/db/docs?pageSize=x", "ArgumentException", "int val x"),
        ("/databases/db/docs?id=a&txMode=Both", "BadRequestException", "txMode"),
        ("/databases/db/docs?id=a&consistency=some", "BadRequestException", "consistency"),
        (f"/databases/db/docs?id=a&raft-request-id={'x' * 129}", "", ""),
        ("/admin/databases", "ArgumentException", "name is mandatory"),
        ("/topology", "ArgumentException", "name is mandatory"),
    ],
)
async def test_a_url_that_makes_no_sense(node: Node, target: str, kind: str, message: str) -> None:
    answer = await node.get(target)
    if not kind:  # reads have no use for a request id
        assert answer.status == 404
        return
    assert answer.error[:2] == (400, kind) and message in answer.error[2]


async def test_a_url_over_the_limit(node: Node) -> None:
    answer = await node.get(f"/databases/db/docs?id={'x' * 5_000}")
    assert answer.error == (414, "BadRequestException", "The URL is over the limit of 4096 bytes")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{nope", "InvalidDataException"),
        (b"", "InvalidDataException"),
        (b"[" * 20_000, "InvalidDataException"),
        (b'{"Commands":[]}', "BadRequestException"),
        (b'{"Commands":[{"Id":"a","Type":"ZZZ"}]}', "InvalidCommandTypeException"),
        (b'{"Commands":[{"Id":"a","Type":"Counters"}]}', "NotSupportedException"),
        (b'{"Commands":[{"Id":"a","Type":"PUT","Document":[]}]}', "BadRequestException"),
    ],
)
async def test_a_bad_batch_writes_nothing_and_the_connection_survives(
    node: Node, body: bytes, kind: str
) -> None:
    proposals = node.log.proposals
    answer = await node.ask("POST", BULK, body)
    assert answer.error[:2] == (400, kind)
    assert node.log.proposals == proposals
    assert (await node.bulk(put("users/1"))).status == 201


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"null"])
async def test_a_document_is_an_object(node: Node, body: bytes) -> None:
    answer = await node.ask("PUT", ONE, body)
    assert answer.error[:2] == (400, "BadRequestException")
    assert "an object was expected" in answer.error[2]


async def test_a_body_over_the_limit_is_refused_by_its_length(node: Node) -> None:
    answer = await node.ask("POST", BULK, b" " * (BODY_BYTES_MAX + 1))
    message = f"The body is over the limit of {BODY_BYTES_MAX} bytes"
    assert answer.error == (413, "BadRequestException", message)
    assert (await node.bulk(put("users/1"))).status == 201


async def test_a_body_without_a_length_is_refused_once_it_is_over(node: Node) -> None:
    async with node.session.post(node.url + BULK, data=chunks(30)) as response:
        assert response.status == 413
        assert (await response.json())["Type"].endswith("BadRequestException")
    assert (await node.bulk(put("users/1"))).status == 201


async def chunks(count: int):  # type: ignore[no-untyped-def]
    for _ in range(count):
        yield b" " * 10_000


async def test_a_compressed_body_is_measured_inflated(node: Node) -> None:
    small = gzip.compress(json.dumps({"Commands": [put("users/1")]}).encode())
    saved = await node.ask("POST", BULK, small, headers={"Content-Encoding": "gzip"})
    assert saved.status == 201
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < BODY_BYTES_MAX
    answer = await node.ask("POST", BULK, bomb, headers={"Content-Encoding": "gzip"})
    assert answer.error[:2] == (413, "BadRequestException")
    deflated = zlib.compress(json.dumps({"Commands": [put("users/2")]}).encode())
    assert (
        await node.ask("POST", BULK, deflated, headers={"Content-Encoding": "deflate"})
    ).status == 201


async def test_a_body_that_is_not_compressed_as_it_says(node: Node) -> None:
    answer = await node.ask("POST", BULK, b"no gzip", headers={"Content-Encoding": "gzip"})
    assert answer.error[:2] == (400, "InvalidDataException")


async def test_attachments_are_not_supported_yet(node: Node) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await node.ask("POST", BULK, b"--x--", headers=headers)
    assert answer.error[:2] == (400, "NotSupportedException")


UNCERTAIN = "The outcome is unknown, it may have been or may yet be applied: lost the leader"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NotProposed("no leader"), (503, "NoLeaderException", "no leader")),
        (Busy("too much waits"), (503, "RavenException", "too much waits")),
        (TooLarge("over the limit"), (413, "BadRequestException", "over the limit")),
        (FateUnknown("lost the leader"), (500, "RavenTimeoutException", UNCERTAIN)),
    ],
)
async def test_every_fate_of_a_write_has_its_status(
    node: Node, error: ClusterError, told: tuple[int, str, str]
) -> None:
    node.log.propose_fails = error
    writes = [
        ("POST", BULK, {"Commands": [put("users/1")]}),
        ("PUT", ONE, {}),
        ("DELETE", ONE, None),
        ("POST", "/databases/db/identity/next?name=x", None),
        ("GET", "/databases/db/hilo/next?tag=x", None),
        ("PUT", "/databases/db/cmpxchg?key=k&index=0", {"Object": 1}),
        ("PUT", "/admin/databases?name=x", {}),
        ("DELETE", "/admin/databases", {"DatabaseNames": ["db"]}),
    ]
    for method, target, body in writes:
        answer = await node.ask(method, target, body)
        assert answer.error == told, target
        # A status that clients answer by sending again is only for what did not happen.
        assert answer.status not in (408, 502, 504)


async def test_a_read_that_cannot_be_current_is_refused(node: Node) -> None:
    await node.put("users/1")
    node.log.unreadable()
    for target in (ONE, "/databases/db/stats", "/databases/db/cmpxchg", "/databases"):
        assert (await node.get(target)).error[:2] == (503, "NoLeaderException"), target
    assert (await node.get(f"{ONE}&consistency=local")).status == 200
    assert (await node.get(ONE, Quoth_Consistency="local")).status == 200


async def test_a_read_waits_for_the_command_it_has_heard_of(node: Node) -> None:
    await node.put("users/1")
    known = node.machine.applied.command_index
    assert (await node.get(ONE, Known_Raft_Index=str(known))).status == 200
    assert (await node.get(ONE, Known_Raft_Index=f'"{known}"')).status == 200
    ahead = await node.get(ONE, Known_Raft_Index=str(known + 1))
    assert ahead.error[0] == 503
    assert (await node.get(ONE, Known_Raft_Index="None")).status == 200
    assert (await node.get(ONE, Known_Raft_Index="9" * 40)).error[0] == 503


async def test_what_nobody_foresaw_leaves_no_traceback(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.log.current_fails = ZeroDivisionError("secret")  # type: ignore[assignment]
    with caplog.at_level(logging.ERROR, logger="quoth_node.http"):
        answer = await node.get(ONE)
    status, kind, message = answer.error
    assert (status, kind) == (500, "RavenException")
    assert b"secret" not in answer.body and b"Traceback" not in answer.body
    reference = message.rpartition(" ")[2]
    assert reference in caplog.text and "secret" in caplog.text
    node.log.current_fails = None
    assert (await node.get(ONE)).status == 404


POST = b"POST /databases/db/bulk_docs HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /build/version HTTP/1.1\r\nHost: x\r\n"
RAW = {
    "a target that is none": (b"OPTIONS * HTTP/1.1\r\nHost: x", b"path: OPTIONS *"),
    "a tunnel": (b"CONNECT x:80 HTTP/1.1\r\nHost: x", b"path: CONNECT x:80"),
    "an absolute target without a path": (b"GET http://x:1 HTTP/1.1\r\nHost: x", b"path: GET /"),
    "bytes that are no text": (b"GET /topology?name=\xff\xfe HTTP/1.1\r\nHost: x", b""),
    "text that is not percent-encoded": (b"GET /topology?name=\xc3\xa9 HTTP/1.1\r\nHost: x", b""),
    "a space": (b"GET /topology?name=a b HTTP/1.1\r\nHost: x", b""),
    "a method nobody knows": (b"BREW /topology HTTP/1.1\r\nHost: x", b""),
    "no HTTP": (b"\x16\x03\x01", b""),
    "a long header": (GET + b"A: " + b"a" * 40_000, b""),
    "a very long URL": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x", b""),
    "a header without a colon": (GET + b"foo", b""),
    "many headers": (GET + b"A: 1\r\n" * 5_000, b""),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}123", b""),
    "a length and chunks": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked", b""),
    "a bad chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0", b""),
}


OVER_A_LIMIT = {"a long header": 431, "a very long URL": 414, "many headers": 431}


@pytest.mark.parametrize("name", RAW)
async def test_what_is_no_request_is_told_as_every_error(node: Node, name: str) -> None:
    head, message = RAW[name]
    answered = await raw(node, head + b"\r\n")
    top, _, body = answered.partition(b"\r\n\r\n")
    assert top.startswith(b"HTTP/1.") and int(top.split()[1]) == OVER_A_LIMIT.get(name, 400)
    assert b"Raven-Server-Version: 7.2.0.72" in top
    assert b"Content-Type: application/json; charset=utf-8" in top
    told = json.loads(body)
    assert all(isinstance(told[key], str) for key in ("Url", "Type", "Message", "Error"))
    assert message in body and b"Traceback" not in body


async def test_an_absolute_target_is_served(node: Node) -> None:
    answered = await raw(node, b"GET http://x:1/build/version HTTP/1.1\r\nHost: x\r\n")
    assert answered.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("encoding", ["br", "zstd", "foo", "gzip, br", "\u00e9"])
async def test_a_body_encoded_in_another_way(node: Node, encoding: str) -> None:
    answer = await node.ask("POST", BULK, b"hello", headers={"Content-Encoding": encoding})
    assert answer.error[:2] == (415, "NotSupportedException")
    assert "send gzip, or none" in answer.error[2]
    assert (await node.bulk(put("users/1"))).status == 201


WHOLE = json.dumps({"Commands": [put("users/1")]}).encode()
BARE = zlib.compressobj(wbits=-15)
ENCODED = {
    "named identity": ("identity", WHOLE, 201),
    "gzip in two members": ("gzip", gzip.compress(WHOLE[:9]) + gzip.compress(WHOLE[9:]), 201),
    "gzip, in capitals": ("GZIP", gzip.compress(WHOLE), 201),
    "a bare deflate stream": ("deflate", BARE.compress(WHOLE) + BARE.flush(), 201),
    "gzip cut short": ("gzip", gzip.compress(WHOLE)[:-10], 400),
    "gzip of nothing but a head": ("gzip", gzip.compress(WHOLE)[:10], 400),
    "gzip and something": ("gzip", gzip.compress(WHOLE) + b"junk", 400),
    "deflate and something": ("deflate", zlib.compress(WHOLE) + b"junk", 400),
    "no deflate": ("deflate", b"{}", 400),
    "a changed byte": ("gzip", gzip.compress(WHOLE)[:-1] + b"\xff", 400),
    "an empty body": ("gzip", b"", 400),
}


@pytest.mark.parametrize(("encoding", "body", "status"), ENCODED.values(), ids=ENCODED.keys())
async def test_compressed_bodies(node: Node, encoding: str, body: bytes, status: int) -> None:
    answer = await node.ask("POST", BULK, body, headers={"Content-Encoding": encoding})
    assert answer.status == status
    assert status == 201 or answer.error[:2] == (400, "InvalidDataException")
    assert (await node.get(ONE)).status == (200 if status == 201 else 404)


async def test_a_long_body_is_read_as_a_short_one(node: Node) -> None:
    body = b'{"Commands":[' + b" " * 5_000 + WHOLE[len(b'{"Commands": [') :]
    stored = zlib.compressobj(level=0, wbits=31)
    packed = stored.compress(body) + stored.flush()
    answer = await node.ask("POST", BULK, packed, headers={"Content-Encoding": "gzip"})
    assert answer.status == 201


async def test_a_client_that_waits_to_be_asked(node: Node) -> None:
    expect = b"Expect: 100-continue\r\nContent-Length: %d\r\n"
    answered = await raw(node, POST + expect % len(WHOLE), WHOLE)
    assert answered.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 ")
    port = int(node.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(POST + expect % 10**9 + b"\r\n")
    assert await reader.read(13) == b"HTTP/1.1 413 ", "told before it has sent anything"
    writer.close()


HEADERS = {
    "a host that is none": (b"Host: \xff<x>", b"/topology?name=db", 200),
    "an etag that is no text": (b"Host: x\r\nIf-None-Match: \xff", b"/databases/db/docs", 400),
    "a topology etag that is no text": (
        b"Host: x\r\nTopology-Etag: \xff",
        b"/topology?name=db",
        200,
    ),
}


@pytest.mark.parametrize(("header", "target", "status"), HEADERS.values(), ids=HEADERS.keys())
async def test_raw_headers(node: Node, header: bytes, target: bytes, status: int) -> None:
    answered = await raw(node, b"GET %b HTTP/1.1\r\n%b\r\n" % (target, header))
    assert answered.startswith(b"HTTP/1.1 %d " % status), answered
    assert b"reference" not in answered and b"\xff" not in answered


async def test_a_host_that_is_none_is_not_echoed(node: Node) -> None:
    answered = await raw(node, b"GET /topology?name=db HTTP/1.1\r\nHost: <x>\r\n")
    assert b'"Url":"http://127.0.0.1:8080"' in answered


async def raw(node: Node, head: bytes, body: bytes = b"") -> bytes:
    """Everything that comes back for these bytes."""
    port = int(node.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + b"Connection: close\r\n\r\n" + body)
    answered = await reader.read()
    writer.close()
    return answered
