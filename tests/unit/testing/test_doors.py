"""A door behaves as the server behind it. Here both are in one place, at two addresses of it."""

import socket
from collections.abc import Iterator
from contextlib import closing
from random import Random
from threading import Thread

import pytest

from quoth_node.testing.clock import wait_for
from quoth_node.testing.doors import Doors
from quoth_node.testing.ports import free_ports

PATIENCE_SECONDS = 20.0
SERVER, DOOR = "127.0.0.1", "127.8.8.8"


class AtDoor(socket.socket):
    """A socket of a place where the address of the server means another one: that of the door."""

    def bind(self, address: object) -> None:
        assert isinstance(address, tuple)
        super().bind((DOOR, address[1]))


@pytest.fixture
def doors() -> Iterator[Doors]:
    with closing(Doors()) as opened:
        yield opened


@pytest.fixture
def port() -> int:
    return free_ports(1)


def listen(port: int) -> socket.socket:
    """A server at its address, which may have been another's before."""
    server = socket.create_server((SERVER, port))
    server.settimeout(PATIENCE_SECONDS)
    return server


def install(doors: Doors, port: int) -> None:
    """A door to a server that need not be there."""
    doors.add_server("A", (SERVER, port), socket.socket)
    doors.add_door("A", "elsewhere", AtDoor)


def knock(port: int) -> socket.socket | None:
    """A connection through the door; None if it is refused."""
    try:
        return socket.create_connection((DOOR, port), timeout=PATIENCE_SECONDS)
    except ConnectionRefusedError:
        return None


def connect(port: int) -> socket.socket:
    """A connection, once the door is open."""
    return wait_for(lambda: knock(port), PATIENCE_SECONDS, "the door stayed shut")


def accept(server: socket.socket, *, after: bytes) -> socket.socket:
    """The connection in which `after` comes first: others are of those who looked."""
    while True:
        made, _ = server.accept()
        made.settimeout(PATIENCE_SECONDS)
        if receive(made, len(after)) == after:
            return made
        made.close()


def receive(source: socket.socket, count: int) -> bytes:
    """So many bytes, or all there are if it ends before."""
    got = bytearray()
    while len(got) < count and (part := source.recv(count - len(got))):
        got += part
    return bytes(got)


def test_bytes_go_both_ways_and_each_way_ends_by_itself(doors: Doors, port: int) -> None:
    with listen(port) as server:
        install(doors, port)
        with connect(port) as client:
            client.sendall(b"hello")
            with accept(server, after=b"hello") as answering:
                client.shutdown(socket.SHUT_WR)
                assert answering.recv(1) == b"", "the end came through"
                answering.sendall(b"world")
                answering.close()
                assert receive(client, 5) == b"world"
                assert client.recv(1) == b""


def test_much_goes_through_to_a_reader_that_is_slow_to_begin(doors: Doors, port: int) -> None:
    much = Random(5).randbytes(64_000_000)  # more than all the buffers of the kernel on the way

    def answer(answering: socket.socket) -> None:
        answering.sendall(much)
        answering.close()

    with listen(port) as server:
        install(doors, port)
        with connect(port) as client:
            client.sendall(b"?")
            sending = Thread(target=answer, args=(accept(server, after=b"?"),))
            sending.start()
            sending.join(1)
            assert sending.is_alive(), "nobody reads: the sender is held back, too"
            assert receive(client, len(much)) == much
            sending.join(PATIENCE_SECONDS)
            assert not sending.is_alive()


def test_while_nobody_listens_connections_are_refused(doors: Doors, port: int) -> None:
    install(doors, port)
    assert knock(port) is None
    with listen(port) as server:
        with connect(port) as client:
            client.sendall(b"one")
            through = accept(server, after=b"one")
    # The server is gone, and the connection it had is not: so it is with a listener that closes.
    with through:
        wait_for(lambda: knock_ended(port) or None, PATIENCE_SECONDS, "the door stayed open")
        with listen(port) as server, connect(port) as client:
            client.sendall(b"two")
            accept(server, after=b"two").close()


def knock_ended(port: int) -> bool:
    """Whether the door is shut; the first who finds nobody behind it is reset, the next refused."""
    client = knock(port)
    if client is None:
        return True
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)
    return False


def test_a_crash_of_the_server_is_a_reset_at_the_door(doors: Doors, port: int) -> None:
    with listen(port) as server:
        install(doors, port)
        with connect(port) as client:
            client.sendall(b"hello, and more")
            # Closed with bytes unread: TCP resets.
            accept(server, after=b"hello").close()
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_a_crash_of_the_client_is_a_reset_behind_the_door(doors: Doors, port: int) -> None:
    with listen(port) as server:
        install(doors, port)
        client = connect(port)
        client.sendall(b"hello")
        with accept(server, after=b"hello") as answering:
            answering.sendall(b"unread")
            assert client.recv(1) == b"u"
            client.close()
            with pytest.raises(ConnectionResetError):
                while answering.recv(1) == b"":
                    answering.sendall(b"?")


def test_what_is_removed_is_closed(doors: Doors, port: int) -> None:
    with listen(port) as server:
        install(doors, port)
        with connect(port) as client:
            client.sendall(b"hello")
            with accept(server, after=b"hello"):
                doors.remove("A")
                assert knock(port) is None
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
    with socket.create_server((DOOR, port)):
        pass  # the address is free


def test_an_address_that_is_taken_is_told(doors: Doors, port: int) -> None:
    with socket.create_server((DOOR, port)), pytest.raises(OSError, match="in use"):
        install(doors, port)


def test_closing_tells_what_went_wrong_unseen(port: int) -> None:
    def broken() -> socket.socket:
        raise FileNotFoundError("this namespace is gone")

    doors = Doors()
    doors.add_server("A", (SERVER, port), broken)
    with pytest.raises(ExceptionGroup) as told:
        doors.close()
    assert told.group_contains(FileNotFoundError, match="namespace is gone")
    doors.close()  # again: nothing to do
