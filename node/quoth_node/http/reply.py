"""A response as every route gives it: the headers that clients insist on."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

# Compared as a string by the official Python client; without it, the server counts as an old one.
SERVER_VERSION = "7.2.0.72"
JSON = "application/json; charset=utf-8"
SERVER = "quoth"
HEADERS = {"Raven-Server-Version": SERVER_VERSION, "Server": SERVER}


def reply(
    body: bytes = b"",
    *,
    status: int = 200,
    etag: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A response with JSON bytes, or with none."""
    response_headers = {**HEADERS, "Content-Type": JSON}
    if status == 204:
        del response_headers["Content-Type"]
    if etag is not None:
        response_headers["ETag"] = f'"{etag}"'
    if headers:
        response_headers.update(headers)
    return web.Response(body=body, status=status, headers=response_headers)


def streamed(content_type: str) -> web.StreamResponse:
    """A response whose body is written bit by bit."""
    return web.StreamResponse(headers={**HEADERS, "Content-Type": content_type})


def raw_reply(status: int, body: bytes) -> bytes:
    """The bytes of an answer on a connection that ends with it, where there is no request."""
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Type: {JSON}",
        f"Content-Length: {len(body)}",
        f"Raven-Server-Version: {SERVER_VERSION}",
        f"Server: {SERVER}",
        "Connection: close",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body
