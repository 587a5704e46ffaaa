"""A response as every route gives it: the headers that clients insist on."""

from collections.abc import Mapping

from aiohttp import web

# Compared as a string by the official Python client; without it, the server counts as an old one.
SERVER_VERSION = "7.2.0.72"
JSON = "application/json; charset=utf-8"
HEADERS = {"Raven-Server-Version": SERVER_VERSION, "Server": "quoth"}


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
