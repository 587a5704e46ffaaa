"""The parts of a multi-get, in and out."""

from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

from quoth_node.http.errors import BadRequest
from quoth_node.http.exchange import Part
from quoth_node.http.wire.bodies import an_object, check_count, expected, text
from quoth_node.http.wire.parsing import parse

PARTS_MAX = 1_000
TOLD_HEADERS = ("ETag", "Database-Missing")


def read(body: bytes | bytearray) -> list[Part]:
    """The requests of a multi-get. Raises BadBody, BadRequest, OverLimit."""
    requests = an_object(parse(body), "The body").get("Requests")
    if not isinstance(requests, list):
        raise expected("Requests", "an array", requests)
    check_count(requests, PARTS_MAX, "requests")
    return [read_part(value, f"Requests[{number}]") for number, value in enumerate(requests)]


def read_part(value: object, where: str) -> Part:
    """One request: a method of null is GET, the content is JSON or the text of it."""
    fields = an_object(value, where)
    url = text(fields, "Url", where, required=True)
    assert url is not None
    if not url.startswith("/"):
        raise BadRequest(f"{where}.Url: a path was expected, which starts with '/'")
    query = text(fields, "Query", where) or ""
    mark = "?" if query and not query.startswith("?") else ""
    return Part(
        method=(text(fields, "Method", where) or "GET").upper(),
        target=f"{url}{mark}{query}",
        headers=read_headers(fields.get("Headers"), where),
        body=read_content(fields.get("Content")),
    )


def read_headers(value: object, where: str) -> dict[str, str]:
    """Headers by their usual names, in whatever case they came; null is none."""
    headers = {} if value is None else an_object(value, f"{where}.Headers")
    for name, content in headers.items():
        if not isinstance(content, str | None):
            raise expected(f"{where}.Headers.{name[:100]}", "a string", content)
    return {name.title(): content for name, content in headers.items() if content is not None}


def read_content(value: Any) -> bytes:
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else orjson.dumps(value)


def answer(response: web.Response) -> bytes:
    """What one part came to."""
    body = response.body
    assert body is None or isinstance(body, bytes), "answers are bytes"
    headers = {name: response.headers[name] for name in TOLD_HEADERS if name in response.headers}
    return b'{"StatusCode":%d,"Result":%b,"Headers":%b}' % (
        response.status,
        body or b"null",
        orjson.dumps(headers),
    )


def answers(items: Iterable[bytes]) -> bytes:
    """What all of them came to, in the order of the requests."""
    return b'{"Results":[%b]}' % b",".join(items)
