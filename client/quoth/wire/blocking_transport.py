"""HTTP for threads, by http.client: each sends from its own, and waits there.

A kept connection is used again only if it was idle for less than the server's patience and nothing
has come on it meanwhile: a server that closed it has said so by then. So a write on a broken
connection is a rare thing; when it happens, its fate is unknown.
"""

import select
import socket
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    parse_headers,
)
from threading import Lock
from urllib.parse import urlsplit

from quoth.clock import Clock
from quoth.errors import NotSent
from quoth.transport import ByteStream, HttpRequest, HttpResponse
from quoth.wire.exchange import (
    BROKEN_OFF,
    CONNECT_SECONDS_MAX,
    CONNECTIONS_MAX,
    IDLE_SECONDS_MAX,
    secure_context,
    unknown,
    url_checked,
)

Origin = tuple[str, str]  # scheme, host and port as the URL has them
PIECE_BYTES = 65_536


class _Answer(HTTPResponse):
    """The answer to a request. What comes before it, hints for browsers, is none."""

    has_body = False  # some of it has been read

    @property
    def is_whole(self) -> bool:
        """Whether it may end here. Without a length it must have a body, or its head broke off."""
        return not self.length if self.length is not None else self.chunked or self.has_body

    def _read_status(self) -> tuple[str, int, str]:
        # http.client skips 100 only: it would take 103 for the answer, and the answer for that to
        # the next request.
        while True:
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 101 < found[1] < 200:
                return found
            parse_headers(self.fp)


class _Connection:
    """One connection, used by one thread at a time."""

    def __init__(self, origin: Origin, seconds: float) -> None:
        scheme, place = origin
        self.origin = origin
        self.http: HTTPConnection
        if scheme == "https":
            self.http = HTTPSConnection(place, timeout=seconds, context=secure_context())
        else:
            self.http = HTTPConnection(place, timeout=seconds)
        self.http.response_class = _Answer
        self.http.auto_open = 0  # it would connect anew, and send again, by itself
        self.idle_since = 0.0
        self._poll = select.poll()

    def connect(self) -> None:
        """Raises OSError."""
        self.http.connect()
        # Its own: http.client lets go of a connection that ends with an answer yet to be read.
        self._socket: socket.socket = self.http.sock
        self._poll.register(self._socket, select.POLLIN)

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer: anything would be an end, or noise."""
        return not self._poll.poll(0)

    def wait_at_most(self, seconds: float) -> None:
        if seconds <= 0:
            raise TimeoutError
        self._socket.settimeout(seconds)


class BlockingTransport:
    """HTTP over a pool of connections, shared by all threads."""

    def __init__(
        self,
        clock: Clock,
        *,
        connect_timeout_seconds: float = CONNECT_SECONDS_MAX,
        idle_seconds_max: float = IDLE_SECONDS_MAX,
    ) -> None:
        self._clock = clock
        self._idle_seconds_max = idle_seconds_max
        self._connect_timeout_seconds = connect_timeout_seconds
        self._lock = Lock()
        self._idle: dict[Origin, deque[_Connection]] = {}
        self._is_closed = False

    def send_blocking(self, request: HttpRequest) -> HttpResponse:
        deadline = self._clock.monotonic() + request.timeout_seconds
        connection, response = self._begin(request, deadline)
        body = self._read(request, connection, response, deadline)
        return _response(response, body)

    def open_blocking(self, request: HttpRequest) -> tuple[HttpResponse, ByteStream | None]:
        deadline = self._clock.monotonic() + request.timeout_seconds
        connection, response = self._begin(request, deadline)
        if response.status >= 300:
            return _response(response, self._read(request, connection, response, deadline)), None
        return _response(response, b""), _ResponseStream(self, request, connection, response)

    def close_blocking(self) -> None:
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for each in connections:
                each.http.close()

    def _begin(self, request: HttpRequest, deadline: float) -> tuple[_Connection, _Answer]:
        """Send a request on a connection, and wait for the head of its answer."""
        parts = urlsplit(url_checked(request.url))
        origin = (parts.scheme, parts.netloc)
        connection = self._take(origin) or self._connect(request, origin, deadline)
        http = connection.http
        target = request.url[len(parts.scheme) + 3 + len(parts.netloc) :] or "/"
        try:
            connection.wait_at_most(deadline - self._clock.monotonic())
            http.putrequest(request.method, target, skip_accept_encoding=True)
            for name, value in request.headers.items():
                http.putheader(name, value)
            if request.body is not None or request.method in ("POST", "PUT"):
                http.putheader("Content-Length", str(len(request.body or b"")))
        except BaseException as error:  # nothing is written before the headers are complete
            http.close()
            if isinstance(error, HTTPException | OSError | ValueError):
                raise NotSent(f"{request.url}: {error}") from error
            raise
        try:
            http.endheaders(request.body)
            connection.wait_at_most(deadline - self._clock.monotonic())
            response = http.getresponse()
            assert isinstance(response, _Answer), "as the connection was told"
        except (HTTPException, OSError) as error:
            http.close()
            raise unknown(request, error) from error
        except BaseException:  # Ctrl-C: the answer may still come, so nobody else may have it
            http.close()
            raise
        return connection, response

    def _read(
        self,
        request: HttpRequest,
        connection: _Connection,
        response: _Answer,
        deadline: float,
    ) -> bytes:
        pieces, unpack = [], _unpacking(response)
        try:
            while not response.isclosed():
                connection.wait_at_most(deadline - self._clock.monotonic())
                pieces.append(unpack(_next_piece(response)))
        except BaseException as error:
            connection.http.close()
            response.close()
            if isinstance(error, HTTPException | OSError | zlib.error):
                raise unknown(request, error) from error
            raise
        self._end(connection, response)
        return b"".join(pieces)

    def _take(self, origin: Origin) -> _Connection | None:
        while True:
            with self._lock:
                if self._is_closed:
                    raise NotSent("the store is closed")
                connections = self._idle.get(origin)
                connection = connections.pop() if connections else None
            if connection is None:
                return None
            if not self._is_old(connection) and connection.is_quiet():
                return connection
            connection.http.close()

    def _connect(self, request: HttpRequest, origin: Origin, deadline: float) -> _Connection:
        seconds = min(self._connect_timeout_seconds, deadline - self._clock.monotonic())
        try:
            connection = _Connection(origin, max(seconds, 0.001))
            connection.connect()
        except (HTTPException, OSError, UnicodeError) as error:
            what = str(error) or type(error).__name__
            raise NotSent(f"{request.url}: cannot connect: {what}") from error
        return connection

    def _is_old(self, connection: _Connection) -> bool:
        return self._clock.monotonic() - connection.idle_since > self._idle_seconds_max

    def _end(self, connection: _Connection, response: _Answer) -> None:
        """The answer is here whole: keep the connection for another, if it may be."""
        surplus: _Connection | None = connection
        if connection.http.sock is not None and not response.will_close:
            connection.idle_since = self._clock.monotonic()
            with self._lock:
                if not self._is_closed:
                    connections = self._idle.setdefault(connection.origin, deque())
                    connections.append(connection)
                    is_over = len(connections) > CONNECTIONS_MAX or self._is_old(connections[0])
                    surplus = connections.popleft() if is_over else None
        if surplus is not None:
            surplus.http.close()


class _ResponseStream:
    """The body of an open response."""

    def __init__(
        self,
        transport: BlockingTransport,
        request: HttpRequest,
        connection: _Connection,
        response: _Answer,
    ) -> None:
        self._transport = transport
        self._request = request
        self._connection: _Connection | None = connection
        self._response = response
        self._unpack = _unpacking(response)

    def __iter__(self) -> Iterator[bytes]:
        response, request = self._response, self._request
        while (connection := self._connection) is not None:
            if response.isclosed():
                self._connection = None
                self._transport._end(connection, response)
                return
            try:
                connection.wait_at_most(request.timeout_seconds)
                piece = self._unpack(_next_piece(response))
            except (HTTPException, OSError, zlib.error) as error:
                self.close()
                raise unknown(request, error) from error
            if piece:
                yield piece

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._response.close()
            connection.http.close()


def _next_piece(response: _Answer) -> bytes:
    """More of the body; nothing at its end, where the response is closed. Raises OSError."""
    try:
        piece = response.read1(PIECE_BYTES)
        if piece:
            response.has_body = True
        elif not response.is_whole:
            raise ConnectionResetError(BROKEN_OFF)
        else:
            response.read()
    except IncompleteRead as error:
        raise ConnectionResetError(BROKEN_OFF) from error
    return piece


def _unpacking(response: _Answer) -> Callable[[bytes], bytes]:
    """What makes the body of its pieces. Nodes pack nothing, but what stands before them may."""
    if response.getheader("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS + 32).decompress  # either of the two, as it comes
    return bytes


def _response(response: _Answer, body: bytes) -> HttpResponse:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return HttpResponse(response.status, headers, body)
