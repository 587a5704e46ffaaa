"""What the executor needs of a network: one request out, one response back.

A transport never retries and never judges a status. It says one thing that nobody else can:
whether a failed request can have reached a server (FateUnknown) or certainly has not (NotSent).
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `url` is already percent-encoded.

    `timeout_seconds` is for all of it; for a response that is opened, for each part of it.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One response. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AsyncByteStream(Protocol):
    """The body of an open response, piece by piece; it holds a connection until it is closed."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces. Raises FateUnknown if the rest does not come."""

    async def aclose(self) -> None:
        """Let go of the connection; once is enough."""


class ByteStream(Protocol):
    """AsyncByteStream, for who blocks."""

    def __iter__(self) -> Iterator[bytes]:
        """The pieces. Raises FateUnknown if the rest does not come."""

    def close(self) -> None:
        """Let go of the connection; once is enough."""


class AsyncTransport(Protocol):
    """A network for asynchronous stores."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """The response, whatever its status.

        Raises NotSent if no server can have seen the request, FateUnknown if one may have.
        """

    async def open(self, request: HttpRequest) -> tuple[HttpResponse, AsyncByteStream | None]:
        """The response, and its body as a stream if it succeeded. Raises what `send` raises.

        A response with a status of 300 or more has its body in itself, and there is no stream.
        """

    async def close(self) -> None:
        """Let go of every connection. Nothing may be sent afterwards."""


class Transport(Protocol):
    """A network for synchronous stores, used by any number of threads at once."""

    def send_blocking(self, request: HttpRequest) -> HttpResponse:
        """As `AsyncTransport.send`."""

    def open_blocking(self, request: HttpRequest) -> tuple[HttpResponse, ByteStream | None]:
        """As `AsyncTransport.open`."""

    def close_blocking(self) -> None:
        """As `AsyncTransport.close`."""
