"""What proxies between nodes do to TCP: in order, without holes, one way if one way is meant."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from random import Random
from threading import Thread

import pytest

from quoth_node.testing.network import CannotFault
from quoth_node.testing.proxies import Proxies
from quoth_node.testing.relay import RETRANSMISSIONS_MAX, Weather

PATIENCE_SECONDS = 20.0
# Long enough to see that nothing comes, where something would come within a millisecond.
SILENCE_SECONDS = 0.3


class Wire:
    """Node A and node B as plain sockets, with proxies between them."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.proxies = Proxies(Random(7))
        self.proxies.open()
        stack.callback(self.proxies.close)
        self.listeners = {}
        for tag in ("A", "B"):
            place = self.proxies.place(tag)
            listener = socket.create_server((place.peer_host, place.peer_port))
            listener.settimeout(PATIENCE_SECONDS)
            self.listeners[tag] = stack.enter_context(listener)

    def dial(self, source: str, target: str) -> socket.socket:
        """A connection of `source` to where `target` seems to be."""
        address = self.proxies.dials(source)[self.proxies.place(target).peer_address]
        host, _, port = address.partition(":")
        end = socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
        return self.stack.enter_context(end)

    def connect(self, source: str, target: str) -> tuple[socket.socket, socket.socket]:
        """Both ends of a connection, of `source` and of `target`."""
        near = self.dial(source, target)
        far, _ = self.listeners[target].accept()
        far.settimeout(PATIENCE_SECONDS)
        return near, self.stack.enter_context(far)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with ExitStack() as stack:
        yield Wire(stack)


def received(end: socket.socket, size: int) -> bytes:
    """What comes, up to `size` bytes; less if the connection ends."""
    found = b""
    while len(found) < size and (piece := end.recv(size - len(found))):
        found += piece
    return found


def is_silent(end: socket.socket) -> bool:
    """Whether nothing comes, not even an end."""
    end.settimeout(SILENCE_SECONDS)
    try:
        end.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    except ConnectionError:
        return False
    finally:
        end.settimeout(PATIENCE_SECONDS)
    return False


def is_reset(end: socket.socket) -> bool:
    """Whether the connection is gone, with nothing delivered before."""
    try:
        return end.recv(1) == b""
    except ConnectionError:
        return True


@contextmanager
def sending(end: socket.socket, content: bytes) -> Iterator[None]:
    thread = Thread(target=end.sendall, args=(content,), daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_bytes_pass_both_ways_and_so_does_the_end(wire: Wire) -> None:
    near, far = wire.connect("A", "B")
    content = Random(1).randbytes(20_000_000)  # more than is ever held
    with sending(near, content):
        assert received(far, len(content)) == content
    near.shutdown(socket.SHUT_WR)
    assert far.recv(1) == b""
    far.sendall(b"after the end of the other way")
    far.close()
    assert received(near, 1_000) == b"after the end of the other way"


def test_a_delay_keeps_the_order(wire: Wire) -> None:
    near, far = wire.connect("A", "B")
    wire.proxies.delay("A", "B", milliseconds=20, jitter_milliseconds=20)
    content = Random(2).randbytes(400_000)
    started = time.monotonic()
    with sending(near, content[:1]):
        assert received(far, 1) == content[:1]
    wire.proxies.delay("A", "B", milliseconds=50, jitter_milliseconds=50)
    for start in range(1, len(content), 10_000):
        near.sendall(content[start : start + 10_000])
    assert received(far, len(content) - 1) == content[1:]
    assert time.monotonic() - started > 0.05, "it takes time"


def test_delay_goes_one_way(wire: Wire) -> None:
    near, far = wire.connect("A", "B")
    wire.proxies.delay("A", "B", milliseconds=60_000)
    near.sendall(b"late")
    far.sendall(b"at once")
    assert received(near, 7) == b"at once"
    assert is_silent(far)
    wire.proxies.heal()
    assert received(far, 4) == b"late"


def test_a_cut_is_silent_and_leaves_no_hole(wire: Wire) -> None:
    near, far = wire.connect("A", "B")
    near.sendall(b"before")
    assert received(far, 6) == b"before"
    wire.proxies.cut("A", "B")
    wire.proxies.cut("B", "A")
    near.sendall(b"lost")
    assert is_silent(far) and is_silent(near), "neither side is told"
    wire.proxies.heal()
    assert is_reset(far) and is_reset(near), "what follows a hole is never delivered"
    near, far = wire.connect("A", "B")
    near.sendall(b"anew")
    assert received(far, 4) == b"anew"


def test_a_cut_hides_that_a_node_died(wire: Wire) -> None:
    near, far = wire.connect("A", "B")
    wire.proxies.cut("A", "B")
    wire.proxies.cut("B", "A")
    near.close()
    assert is_silent(far)
    wire.proxies.heal()
    assert is_reset(far)


def test_a_connection_that_lost_nothing_survives_a_cut(wire: Wire) -> None:
    near, far = wire.connect("A", "B")
    wire.proxies.cut("A", "B")
    wire.proxies.cut("B", "A")
    wire.proxies.heal()
    near.sendall(b"as if nothing had been")
    assert received(far, 22) == b"as if nothing had been"


def test_a_cut_one_way_lets_the_other_speak(wire: Wire) -> None:
    near, far = wire.connect("A", "B")
    other_near, other_far = wire.connect("B", "A")
    wire.proxies.cut("A", "B")
    far.sendall(b"heard")
    other_near.sendall(b"heard")
    assert received(near, 5) == received(other_far, 5) == b"heard"
    near.sendall(b"lost")
    other_far.sendall(b"lost")  # on whatever connection
    assert is_silent(far) and is_silent(other_near)


@pytest.mark.parametrize("cut", [("A", "B"), ("B", "A")], ids=["there", "back"])
def test_no_connection_is_made_through_a_cut(wire: Wire, cut: tuple[str, str]) -> None:
    wire.proxies.cut(*cut)
    near = wire.dial("A", "B")
    near.sendall(b"hello")
    wire.listeners["B"].settimeout(SILENCE_SECONDS)
    with pytest.raises(TimeoutError):
        wire.listeners["B"].accept()
    assert is_silent(near), "a dead cable says nothing"
    wire.proxies.heal()
    assert is_reset(near)


def test_what_was_stalled_is_delivered_in_order(wire: Wire) -> None:
    near, far = wire.connect("A", "B")
    wire.proxies.stall("A", "B")
    content = Random(3).randbytes(20_000_000)
    with sending(near, content):
        assert is_silent(far)
        wire.proxies.heal()
        assert received(far, len(content)) == content


def test_a_reset_ends_connections_of_both_and_new_ones_work(wire: Wire) -> None:
    ends = [*wire.connect("A", "B"), *wire.connect("B", "A")]
    wire.proxies.reset("A", "B")
    assert all(is_reset(end) for end in ends), "whoever opened them"
    near, far = wire.connect("A", "B")
    near.sendall(b"anew")
    assert received(far, 4) == b"anew"


def test_loss_costs_time_and_no_bytes(wire: Wire) -> None:
    near, far = wire.connect("A", "B")
    wire.proxies.lose("A", "B", percent=0.2)
    content = Random(4).randbytes(2_000_000)
    started = time.monotonic()
    with sending(near, content):
        assert received(far, len(content)) == content
    assert time.monotonic() - started > 0.2, "something was sent again"


def test_who_reaches_nobody_is_reset(wire: Wire) -> None:
    near = wire.dial("A", "B")
    wire.listeners["B"].close()
    try:
        end = wire.dial("A", "B")
    except ConnectionResetError:
        pass  # while it was still connecting
    else:
        assert is_reset(end)
    near.close()


def test_a_node_that_left_is_not_reached_any_more(wire: Wire) -> None:
    near, far = wire.connect("A", "B")
    wire.proxies.leave("B")
    assert is_reset(near) and is_reset(far)
    assert wire.proxies.dials("A") == {}


def test_what_makes_no_sense_is_refused(wire: Wire) -> None:
    with pytest.raises(CannotFault, match="jitter"):
        wire.proxies.delay("A", "B", milliseconds=10, jitter_milliseconds=20)
    with pytest.raises(CannotFault, match="120 %"):
        wire.proxies.lose("A", "B", percent=120)


def test_retransmissions_are_as_many_as_chance_has_it() -> None:
    chance = Random(5)
    assert {Weather().retransmissions(1_000_000, chance) for _ in range(100)} == {0}
    everything = Weather(loss=1.0)
    assert everything.retransmissions(1, chance) == RETRANSMISSIONS_MAX + 1
    some = [Weather(loss=0.1).retransmissions(1_000, chance) for _ in range(10_000)]
    counts = [some.count(times) for times in range(4)]
    assert 8_800 < counts[0] < 9_200 and 750 < counts[1] < 1_050
    assert all(fewer < more for more, fewer in pairwise(counts))
