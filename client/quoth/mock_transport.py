"""A network that is a function: for tests of this client, and of programs that use it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import orjson

from quoth.transport import HttpRequest, HttpResponse

Answer = HttpResponse | Exception
SERVER_VERSION = "7.2.0.72"


def response(
    status: int = 200, body: object = None, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """A response with `body` as JSON; None is no body at all."""
    named = {name.lower(): value for name, value in (headers or {}).items()}
    named.setdefault("raven-server-version", SERVER_VERSION)
    return HttpResponse(status, named, b"" if body is None else orjson.dumps(body))


class MockTransport:
    """Answers by asking `answers`: a function of the request, or responses in their order.

    An exception given as an answer is raised. Every request is kept in `requests`.

        transport = MockTransport([response(200, {"Nodes": []}), NotSent("refused")])
        store = AsyncDocumentStore("http://a", "db", transport=transport)
    """

    def __init__(self, answers: Callable[[HttpRequest], Answer] | Iterable[Answer]) -> None:
        self.requests: list[HttpRequest] = []
        self.is_closed = False
        self._answer = answers if callable(answers) else _in_order(answers)

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        await asyncio.sleep(0)  # other tasks get their turn, as with a network
        answer = self._answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.is_closed = True


def _in_order(answers: Iterable[Answer]) -> Callable[[HttpRequest], Answer]:
    left = iter(answers)

    def take(request: HttpRequest) -> Answer:
        for answer in left:
            return answer
        raise AssertionError(f"no answer is left for {request.method} {request.url}")

    return take
