"""A network that is a function: for tests of this client, and of programs that use it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from threading import Lock

import orjson

from quoth.transport import AsyncByteStream, ByteStream, HttpRequest, HttpResponse

Answer = HttpResponse | Exception
SERVER_VERSION = "7.2.0.72"


def response(
    status: int = 200, body: object = None, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """A response with `body` as JSON; bytes are sent as they are, None is no body at all."""
    named = {name.lower(): value for name, value in (headers or {}).items()}
    named.setdefault("raven-server-version", SERVER_VERSION)
    if not isinstance(body, bytes):
        body = b"" if body is None else orjson.dumps(body)
    return HttpResponse(status, named, body)


class MockTransport:
    """Answers by asking `answers`: a function of the request, or responses in their order.

    It serves both kinds of store. An exception given as an answer is raised. Every request is kept
    in `requests`.

        transport = MockTransport([response(200, {"Nodes": []}), NotSent("refused")])
        store = AsyncDocumentStore("http://a", "db", transport=transport)
    """

    def __init__(self, answers: Callable[[HttpRequest], Answer] | Iterable[Answer]) -> None:
        self.requests: list[HttpRequest] = []
        self.is_closed = False
        self.streams_open = 0
        self._lock = Lock()
        self._answer = answers if callable(answers) else _in_order(answers)

    async def send(self, request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0)  # other tasks get their turn, as with a network
        return self.send_blocking(request)

    async def open(self, request: HttpRequest) -> tuple[HttpResponse, AsyncByteStream | None]:
        await asyncio.sleep(0)
        return self._open(request)

    async def close(self) -> None:
        self.is_closed = True

    def send_blocking(self, request: HttpRequest) -> HttpResponse:
        with self._lock:
            self.requests.append(request)
            answer = self._answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def open_blocking(self, request: HttpRequest) -> tuple[HttpResponse, ByteStream | None]:
        return self._open(request)

    def close_blocking(self) -> None:
        self.is_closed = True

    def _open(self, request: HttpRequest) -> "tuple[HttpResponse, MockStream | None]":
        answer = self.send_blocking(request)
        if answer.status >= 300:
            return answer, None
        return HttpResponse(answer.status, answer.headers, b""), MockStream(self, answer.body)


class MockStream:
    """The body of a response, in pieces of a few bytes. It counts in `streams_open`."""

    def __init__(self, transport: MockTransport, body: bytes, piece_bytes: int = 7) -> None:
        self._transport = transport
        self._pieces = [body[at : at + piece_bytes] for at in range(0, len(body), piece_bytes)]
        self._is_open = True
        transport.streams_open += 1

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            await asyncio.sleep(0)
            yield piece

    def __iter__(self) -> Iterator[bytes]:
        while self._is_open and self._pieces:
            yield self._pieces.pop(0)
        self.close()

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        self._transport.streams_open -= self._is_open
        self._is_open = False


def _in_order(answers: Iterable[Answer]) -> Callable[[HttpRequest], Answer]:
    left = iter(answers)

    def take(request: HttpRequest) -> Answer:
        for answer in left:
            return answer
        raise AssertionError(f"no answer is left for {request.method} {request.url}")

    return take
