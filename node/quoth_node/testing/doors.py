"""Servers in namespaces answer in others: a door listens there and carries bytes, nothing else.

A door behaves as its server would: while nobody listens behind it, it refuses connections, so a
client knows that nothing was done. A connection that was reset behind it is reset before it.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
BACKLOG = 512
LOOK_AGAIN_SECONDS = 0.02
CALL_SECONDS_MAX = 30.0
# <linux/socket.h>: lingering is on, for 0 seconds; then closing sends a reset.
RESETS_WHEN_CLOSED = struct.pack("ii", 1, 0)

MakeSocket = Callable[[], socket.socket]


class Doors:
    """All doors of a network, in one thread. Servers are known by names."""

    def __init__(self) -> None:
        # Not what a policy may say: it needs no more than this, and the thread is ours.
        self._loop = asyncio.SelectorEventLoop()
        self._servers: dict[str, _Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._thread = Thread(target=self._loop.run_forever, name="doors", daemon=True)
        self._thread.start()

    def add_server(self, name: str, address: tuple[str, int], make_socket: MakeSocket) -> None:
        """A server at `address`; `make_socket` makes a socket there, TCP and not connected."""

        async def add() -> None:
            server = self._servers[name] = _Server(address, make_socket, self)
            server.look()

        self._call(add())

    def add_door(self, name: str, place: str, make_socket: MakeSocket) -> None:
        """A door to a server that was added, at the server's address in the place.

        `make_socket` makes a socket in it. Raises OSError if the address is taken there.
        """

        async def add() -> None:
            server = self._servers[name]
            door = make_socket()
            try:
                door.setblocking(False)
                # Connections that came through it may be open when it listens again.
                door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                door.bind(server.address)
            except OSError:
                door.close()
                raise
            server.add_door(place, door)

        self._call(add())

    def remove(self, name: str) -> None:
        """Close the doors of a server, if there is one, and those in the place of this name."""

        async def remove() -> None:
            if name in self._servers:
                self._servers.pop(name).close()
            for server in self._servers.values():
                server.close_door(name)

        self._call(remove())

    def close(self) -> None:
        """Close all. Raises what went wrong in the thread and nobody was told."""
        if self._loop.is_closed():
            return
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._failures:
            raise BaseExceptionGroup("the doors of the network failed", self._failures)

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it in the loop, until it ends or all is closed."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)

    async def _close(self) -> None:
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # `_ended` saw how they ended
        await asyncio.sleep(0)  # transports close their sockets one step later

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS_MAX)


class _Server:
    """A server, its doors, and the connections that go through them."""

    def __init__(self, address: tuple[str, int], make_socket: MakeSocket, doors: Doors) -> None:
        self.address = address
        self.carried: set[_End] = set()
        self._make_socket = make_socket
        self._keep = doors.keep
        self._doors: dict[str, socket.socket] = {}  # by places
        self._listens = False
        self._closed = False

    def add_door(self, place: str, door: socket.socket) -> None:
        """Another door; it listens while the server does."""
        self._doors[place] = door
        if self._listens:
            self._open(door)

    def close_door(self, place: str) -> None:
        """The place is going; connections through the door end with those who made them."""
        door = self._doors.pop(place, None)
        if door is not None:
            asyncio.get_running_loop().remove_reader(door)
            door.close()

    def look(self) -> None:
        """Open the doors once the server listens."""
        if not self._closed:
            self._keep(self._look())

    def close(self) -> None:
        """Close its doors, and reset what goes through them."""
        self._shut()
        self._closed = True
        for door in self._doors.values():
            door.close()
        for end in list(self.carried):
            end.reset()

    async def _look(self) -> None:
        """A server in another process cannot say when it listens: it is tried, again and again."""
        loop = asyncio.get_running_loop()
        with self._make_socket() as probe:
            probe.setblocking(False)
            try:
                await loop.sock_connect(probe, self.address)
            except ConnectionRefusedError:
                loop.call_later(LOOK_AGAIN_SECONDS, self.look)
                return
        if not self._closed:
            self._listens = True
            for door in self._doors.values():
                self._open(door)

    def _open(self, door: socket.socket) -> None:
        door.listen(BACKLOG)
        asyncio.get_running_loop().add_reader(door, self._accept, door)

    def _shut(self) -> None:
        """Refuse connections. The doors keep their addresses."""
        if self._listens:
            self._listens = False
            for door in self._doors.values():
                asyncio.get_running_loop().remove_reader(door)
                door.shutdown(socket.SHUT_RD)  # Linux: it does not listen any more

    def _accept(self, door: socket.socket) -> None:
        try:
            client, _ = door.accept()
        except (BlockingIOError, ConnectionAbortedError):  # it has gone again
            return
        client.setblocking(False)
        self._keep(self._carry(client))

    async def _carry(self, client: socket.socket) -> None:
        """Connect a client, and let its bytes go both ways."""
        loop = asyncio.get_running_loop()
        near, far = _End(self.carried), _End(self.carried)
        near.other, far.other = far, near
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS_WHEN_CLOSED)
        try:
            server = self._make_socket()
            try:
                server.setblocking(False)
                await loop.sock_connect(server, self.address)
                await loop.create_connection(lambda: far, sock=server)
            except BaseException:
                server.close()
                raise
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
            await loop.connect_accepted_socket(lambda: near, client)
        except (ConnectionRefusedError, ConnectionResetError):
            if self._listens:  # the first that sees it
                self._shut()
                self.look()
        finally:
            if near.transport is None:
                client.close()
                far.reset()


class _End(asyncio.Protocol):
    """One of the two connections; what comes in at one goes out at the other."""

    other: "_End"

    def __init__(self, carried: set["_End"]) -> None:
        self.transport: asyncio.Transport | None = None
        self._carried = carried
        self._ended = False  # nothing more comes in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "of a TCP socket"
        self.transport = transport
        self._carried.add(self)
        if self.other.transport is None:
            transport.pause_reading()
        else:
            self.other.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        assert self.other.transport is not None, "reading is paused until then"
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        assert self.other.transport is not None, "reading is paused until then"
        self._ended = True
        if self.other._ended:
            self.other.transport.close()
            return False
        self.other.transport.write_eof()
        return True  # the other direction stays

    def pause_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._carried.discard(self)
        if self.other.transport is None:
            return
        if error is not None:
            self.other.reset()
        else:
            self.other.transport.close()

    def reset(self) -> None:
        """End this connection as a crash would."""
        if self.transport is None or self.transport.get_extra_info("socket").fileno() == -1:
            return
        made: socket.socket = self.transport.get_extra_info("socket")
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS_WHEN_CLOSED)
        self.transport.abort()
