"""HTTP over kept connections, for threads: each sends from its own, and waits there.

A kept connection is used again only if it was idle for less than the server's patience and nothing
has come on it meanwhile: a server that closed it has said so by then. So a write on a broken
connection is a rare thing. When it happens, its fate is unknown, unless not one byte was taken.
"""

import select
import socket
from collections import deque
from collections.abc import Iterator
from threading import Lock
from typing import Self

from quoth.clock import Clock
from quoth.errors import NotSent
from quoth.transport import ByteStream, HttpRequest, HttpResponse
from quoth.wire.exchange import (
    CONNECT_SECONDS_MAX,
    CONNECTIONS_MAX,
    IDLE_SECONDS_MAX,
    secure_context,
    unknown,
)
from quoth.wire.http1 import Malformed, Origin, ResponseReader, encode_request, split_url

RECEIVE_BYTES = 65_536


class _Unsent(Exception):
    """The connection was broken before it took a byte."""


class _Connection:
    """One connection, used by one thread at a time."""

    def __init__(self, plain: socket.socket, clock: Clock) -> None:
        self._socket = plain
        self._clock = clock
        self._poll = select.poll()
        self._poll.register(plain, select.POLLIN)
        self._idle_since = 0.0

    @classmethod
    def to(cls, origin: Origin, clock: Clock, seconds: float) -> Self:
        """Connect. Raises OSError."""
        plain = socket.create_connection((origin.host, origin.port), timeout=seconds)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if origin.is_secure:
                plain = secure_context().wrap_socket(plain, server_hostname=origin.host)
        except BaseException:
            plain.close()
            raise
        return cls(plain, clock)

    def rest(self) -> None:
        """It is idle from now on."""
        self._idle_since = self._clock.monotonic()

    def is_old(self) -> bool:
        """Whether the server may be about to close it."""
        return self._clock.monotonic() - self._idle_since > IDLE_SECONDS_MAX

    def is_fit(self) -> bool:
        """Whether it can be used again: anything that has come meanwhile is an end, or noise."""
        return not self.is_old() and not self._poll.poll(0)

    def write(self, data: bytes, deadline: float) -> None:
        """Send all of it. Raises OSError, and _Unsent if not a byte was taken."""
        self._socket.settimeout(self._left(deadline))
        try:
            sent = self._socket.send(data)
        except TimeoutError:
            raise
        except OSError as error:
            raise _Unsent(str(error)) from error
        while sent < len(data):
            self._socket.settimeout(self._left(deadline))
            sent += self._socket.send(memoryview(data)[sent:])

    def read(self, reader: ResponseReader, deadline: float) -> None:
        """Feed the reader what has come. Raises OSError, Malformed."""
        self._socket.settimeout(self._left(deadline))
        data = self._socket.recv(RECEIVE_BYTES)
        if data:
            reader.feed(data)
        else:
            reader.feed_end()

    def close(self) -> None:
        self._socket.close()

    def _left(self, deadline: float) -> float:
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class SocketTransport:
    """HTTP over a pool of connections, shared by all threads."""

    def __init__(self, clock: Clock, *, connect_timeout_seconds: float = CONNECT_SECONDS_MAX):
        self._clock = clock
        self._connect_timeout_seconds = connect_timeout_seconds
        self._lock = Lock()
        self._idle: dict[Origin, deque[_Connection]] = {}
        self._is_closed = False

    def send_blocking(self, request: HttpRequest) -> HttpResponse:
        deadline = self._clock.monotonic() + request.timeout_seconds
        connection, origin = self._begin(request, deadline)
        reader = ResponseReader(request.method)
        try:
            while not reader.is_done:
                connection.read(reader, deadline)
        except (OSError, Malformed) as error:
            connection.close()
            raise unknown(request, error) from error
        except BaseException:  # Ctrl-C: the answer may still come, so nobody else may have it
            connection.close()
            raise
        self._end(connection, origin, reader)
        return HttpResponse(reader.status, reader.headers, reader.take())

    def open_blocking(self, request: HttpRequest) -> tuple[HttpResponse, ByteStream | None]:
        deadline = self._clock.monotonic() + request.timeout_seconds
        connection, origin = self._begin(request, deadline)
        reader = ResponseReader(request.method)
        try:
            while not reader.has_head or (reader.status >= 300 and not reader.is_done):
                connection.read(reader, deadline)
        except (OSError, Malformed) as error:
            connection.close()
            raise unknown(request, error) from error
        except BaseException:
            connection.close()
            raise
        if reader.status >= 300:
            self._end(connection, origin, reader)
            return HttpResponse(reader.status, reader.headers, reader.take()), None
        stream = _SocketStream(self, request, connection, origin, reader)
        return HttpResponse(reader.status, reader.headers, b""), stream

    def close_blocking(self) -> None:
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for each in connections:
                each.close()

    def _begin(self, request: HttpRequest, deadline: float) -> tuple[_Connection, Origin]:
        """Send a request on a connection; what that is, for the answer."""
        origin, target = split_url(request.url)
        data = encode_request(request.method, target, origin, request.headers, request.body)
        while True:
            connection = self._take(origin)
            is_new = connection is None
            if connection is None:
                connection = self._connect(request, origin, deadline)
            try:
                connection.write(data, deadline)
                return connection, origin
            except _Unsent as error:
                connection.close()
                if is_new:
                    raise NotSent(f"{request.url}: {error}") from error
                # Nothing of it has left this machine: another connection may take it.
            except OSError as error:
                connection.close()
                raise unknown(request, error) from error
            except BaseException:
                connection.close()
                raise

    def _take(self, origin: Origin) -> _Connection | None:
        while True:
            with self._lock:
                if self._is_closed:
                    raise NotSent("the store is closed")
                connections = self._idle.get(origin)
                connection = connections.pop() if connections else None
            if connection is None or connection.is_fit():
                return connection
            connection.close()

    def _connect(self, request: HttpRequest, origin: Origin, deadline: float) -> _Connection:
        seconds = min(self._connect_timeout_seconds, deadline - self._clock.monotonic())
        try:
            return _Connection.to(origin, self._clock, max(seconds, 0.001))
        except (OSError, UnicodeError) as error:
            what = str(error) or type(error).__name__
            raise NotSent(f"{request.url}: cannot connect: {what}") from error

    def _end(self, connection: _Connection, origin: Origin, reader: ResponseReader) -> None:
        """The answer is here whole: keep the connection for another, if it may be."""
        surplus: _Connection | None = connection
        if reader.may_be_kept:
            connection.rest()
            with self._lock:
                connections = self._idle.setdefault(origin, deque())
                if not self._is_closed:
                    connections.append(connection)
                    is_over = len(connections) > CONNECTIONS_MAX or connections[0].is_old()
                    surplus = connections.popleft() if is_over else None
        if surplus is not None:
            surplus.close()


class _SocketStream:
    """The body of an open response."""

    def __init__(
        self,
        transport: SocketTransport,
        request: HttpRequest,
        connection: _Connection,
        origin: Origin,
        reader: ResponseReader,
    ) -> None:
        self._transport = transport
        self._request = request
        self._connection: _Connection | None = connection
        self._origin = origin
        self._reader = reader

    def __iter__(self) -> Iterator[bytes]:
        reader, request = self._reader, self._request
        while self._connection is not None:
            if piece := reader.take():
                yield piece
                continue
            if reader.is_done:
                connection, self._connection = self._connection, None
                self._transport._end(connection, self._origin, reader)
                return
            try:
                deadline = self._transport._clock.monotonic() + request.timeout_seconds
                self._connection.read(reader, deadline)
            except (OSError, Malformed) as error:
                self.close()
                raise unknown(request, error) from error

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
