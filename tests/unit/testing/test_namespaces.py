"""The network of namespaces by itself: sockets in place of nodes. It needs root on Linux."""

import errno
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random
from time import monotonic

import pytest

from quoth_node.testing.abilities import Abilities, find_abilities
from quoth_node.testing.clock import wait_for
from quoth_node.testing.namespaces import PEER_PORT, Namespaces, available, usable
from quoth_node.testing.netns import RUN_FOLDER, Netns, NetnsError, run
from quoth_node.testing.network import CannotFault, Network

PATIENCE_SECONDS = 60.0
QUIET_SECONDS = 0.5  # what is not there after this is not under way


def tried() -> Abilities | str:
    """What this machine can do; else why there are no namespaces here."""
    try:
        return find_abilities(Random(1))
    except OSError as error:
        return str(error)


ABLE = tried()
if isinstance(ABLE, str):
    pytest.skip(f"no network namespaces here: {ABLE}", allow_module_level=True)
needs_netem = pytest.mark.skipif(ABLE.netem is not None, reason=str(ABLE.netem))
needs_shaping = pytest.mark.skipif(ABLE.shaping is not None, reason=str(ABLE.shaping))
needs_resets = pytest.mark.skipif(ABLE.resets is not None, reason=str(ABLE.resets))


@pytest.fixture
def network() -> Iterator[Namespaces]:
    """With places for A, B and C."""
    network = Namespaces()
    try:
        network.open()
        for tag in "ABC":
            network.place(tag)
        yield network
    finally:
        network.close()


@dataclass
class Peers:
    """Sockets at the places of nodes; what they connect to is the peer port of others."""

    network: Namespaces
    listeners: dict[str, socket.socket]
    undo: ExitStack

    def connect(self, source: str, target: str) -> tuple[socket.socket, socket.socket]:
        """The two ends of a connection that `source` opens."""
        near = self.dial(source, target)
        near.settimeout(PATIENCE_SECONDS)
        assert select.select([], [near], [], PATIENCE_SECONDS)[1], "connected"
        far = self.undo.enter_context(self.listeners[target].accept()[0])
        far.settimeout(PATIENCE_SECONDS)
        return near, far

    def dial(self, source: str, target: str) -> socket.socket:
        """A connection under way."""
        with self.network.netns(source).entered():
            dialling = self.undo.enter_context(socket.socket())
        dialling.setblocking(False)
        place = self.network.place(target)
        assert dialling.connect_ex((place.peer_host, place.peer_port)) in (0, errno.EINPROGRESS)
        return dialling


@pytest.fixture
def peers(network: Namespaces) -> Iterator[Peers]:
    with ExitStack() as undo:
        listeners = {}
        for tag in "ABC":
            place = network.place(tag)
            with network.netns(tag).entered():
                listeners[tag] = socket.create_server((place.peer_host, place.peer_port))
            undo.enter_context(listeners[tag])
            listeners[tag].settimeout(PATIENCE_SECONDS)
        yield Peers(network, listeners, undo)


def is_quiet(*ends: socket.socket) -> bool:
    """Whether nothing comes, no end and no error either."""
    return select.select(ends, [], ends, QUIET_SECONDS) == ([], [], [])


def test_it_is_a_network() -> None:
    network: Network = Namespaces()
    network.close()  # of what was never opened


def test_a_cut_loses_one_direction_in_silence_and_heals_without_a_hole(peers: Peers) -> None:
    near, far = peers.connect("A", "B")
    peers.network.cut("A", "B")
    near.sendall(b"lost, ")
    far.sendall(b"not lost")
    assert near.recv(100) == b"not lost"
    near.sendall(b"lost, too")
    assert is_quiet(far)
    peers.network.heal()
    assert far.recv(6, socket.MSG_PEEK), "the first comes again"
    got = b""
    while len(got) < len(b"lost, lost, too"):
        got += far.recv(100)
    assert got == b"lost, lost, too"


def test_nobody_is_told_of_a_cut_also_not_who_connects(peers: Peers) -> None:
    peers.network.cut("B", "A")  # only what comes back is lost
    dialling = peers.dial("A", "B")
    assert select.select([], [dialling], [dialling], QUIET_SECONDS) == ([], [], [])
    peers.network.heal()
    assert select.select([], [dialling], [], PATIENCE_SECONDS)[1] == [dialling]
    assert dialling.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def test_a_cut_of_two_leaves_the_third_alone(peers: Peers) -> None:
    peers.network.cut("A", "B")
    peers.network.cut("B", "A")
    for source, target in (("A", "C"), ("C", "B")):
        near, far = peers.connect(source, target)
        near.sendall(b"through")
        assert far.recv(100) == b"through"


def test_what_is_stalled_comes_when_healed(peers: Peers) -> None:
    near, far = peers.connect("A", "B")
    peers.network.stall("A", "B")
    near.sendall(b"late")
    assert is_quiet(near, far)
    peers.network.heal()
    assert far.recv(100) == b"late"


@needs_resets
def test_a_reset_is_told_to_both_sides_and_only_to_these(peers: Peers) -> None:
    ends = [*peers.connect("A", "B"), *peers.connect("B", "A")]
    others = peers.connect("A", "C")
    peers.network.reset("B", "A")
    for end in ends:
        with pytest.raises(ConnectionError):
            end.recv(1)
    assert is_quiet(*others)
    peers.connect("A", "B")  # anew


@needs_shaping
def test_a_slow_link_carries_no_more_than_was_said(peers: Peers) -> None:
    near, far = peers.connect("A", "B")
    slow, fast = Random(7).randbytes(40_000), b"." * 40_000
    peers.network.slow("A", "B", kilobits_per_second=200)
    near.sendall(slow)
    started = monotonic()
    far.sendall(fast)
    while fast:
        fast = fast[len(near.recv(100_000)) :]
    got = far.recv(100_000)
    while len(got) < len(slow):
        got += far.recv(100_000)
    # HTB lets a burst of some kilobytes pass at once; the rest takes 1.6 s, less that.
    assert monotonic() - started > 0.8
    assert got == slow
    peers.network.heal()
    near.sendall(b"and on")
    assert far.recv(100) == b"and on"


@needs_shaping
def test_slow_links_to_one_node_do_not_touch_each_other(peers: Peers) -> None:
    peers.network.slow("A", "C", kilobits_per_second=1)
    peers.network.slow("B", "C", kilobits_per_second=1)
    peers.network.slow("B", "C", kilobits_per_second=100_000)
    near, far = peers.connect("B", "C")
    near.sendall(b"." * 100_000)  # a quarter of an hour, at the rate of A
    got = 0
    while got < 100_000:
        got += len(far.recv(100_000))


def test_an_unplugged_node_is_unreachable_and_others_are_told(peers: Peers) -> None:
    near, far = peers.connect("A", "B")
    peers.network.unplug("B")
    dialling = peers.dial("A", "B")
    assert select.select([], [dialling], [], PATIENCE_SECONDS)[1] == [dialling]
    error = dialling.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert error in (errno.EHOSTUNREACH, errno.ENETUNREACH)
    near.sendall(b"waits")
    assert is_quiet(near, far)
    peers.network.heal()
    assert far.recv(100) == b"waits"


@pytest.mark.skipif(ABLE.netem is None, reason="this kernel has netem")
def test_without_netem_its_faults_say_what_is_missing(network: Namespaces) -> None:
    with pytest.raises(CannotFault, match=r"cannot delay: .* sch_netem"):
        network.delay("A", "B", milliseconds=5)
    with pytest.raises(CannotFault, match=r"cannot lose: .* sch_netem"):
        network.lose("A", "B", percent=5)
    with pytest.raises(CannotFault, match=r"cannot double: .* sch_netem"):
        network.double("A", "B", percent=5)
    with pytest.raises(CannotFault, match=r"cannot reorder: .* sch_netem"):
        network.reorder("A", "B", percent=5, milliseconds=5)
    assert "sch_netem" in (available() or "")
    assert usable() is None


@needs_netem
def test_a_delay_is_of_one_direction(peers: Peers) -> None:
    near, far = peers.connect("A", "B")
    peers.network.delay("A", "B", milliseconds=300)
    started = monotonic()
    near.sendall(b"late")
    assert far.recv(100) == b"late"
    assert monotonic() - started > 0.25


@needs_netem
def test_through_loss_doubles_and_disorder_a_stream_stays_whole(peers: Peers) -> None:
    near, far = peers.connect("A", "B")
    peers.network.lose("A", "B", percent=5)
    peers.network.double("A", "B", percent=5)
    peers.network.reorder("A", "B", percent=25, milliseconds=5)
    sent = Random(11).randbytes(200_000)
    near.sendall(sent)
    got = b""
    while len(got) < len(sent):
        got += far.recv(1_000_000)
    assert got == sent


def hub_of(network: Namespaces) -> Netns:
    """The namespace between those of the nodes."""
    return Netns(network.netns("A").name.removesuffix("A") + "hub")


def rules_that_cut(network: Namespaces) -> int:
    return run("ip", "-netns", hub_of(network).name, "rule").count("blackhole")


def test_a_node_that_leaves_takes_its_faults_along(network: Namespaces) -> None:
    before = network.place("B")
    network.cut("A", "B")
    network.cut("B", "C")
    network.cut("A", "C")
    network.unplug("B")
    network.leave("B")
    network.leave("B")  # it is gone
    assert rules_that_cut(network) == 1, "that between A and C"
    network.heal()
    assert rules_that_cut(network) == 0
    assert network.place("B").peer_host != before.peer_host, "a new one, reached elsewhere"
    assert network.place("A") == network.place("A")


def test_clients_and_nodes_reach_a_node_at_its_own_url(network: Namespaces) -> None:
    port = network.place("A").http_port
    with network.netns("A").entered():
        server = socket.create_server(("127.0.0.1", port))
    with server, ExitStack() as undo:
        server.settimeout(PATIENCE_SECONDS)

        def connected(tag: str | None) -> bool | None:
            with ExitStack() as inside:
                if tag is not None:
                    inside.enter_context(network.netns(tag).entered())
                client = undo.enter_context(socket.socket())
            client.settimeout(PATIENCE_SECONDS)
            return client.connect_ex(("127.0.0.1", port)) == 0 or None

        for tag in (None, "B", "C"):
            wait_for(partial(connected, tag), PATIENCE_SECONDS, "the door stayed shut")


def test_there_is_no_way_to_the_networks_of_the_machine(network: Namespaces) -> None:
    elsewhere = ("192.0.2.1", 9)
    for netns, goes_on in ((network.netns("A"), True), (hub_of(network), False)):
        with netns.entered(), socket.socket(type=socket.SOCK_DGRAM) as looking:
            found = looking.connect_ex(elsewhere)
        assert found == (0 if goes_on else errno.ENETUNREACH), "as far as the hub, no further"


def of_this_process() -> set[str]:
    """The namespaces that this process has made."""
    found = RUN_FOLDER.iterdir() if RUN_FOLDER.is_dir() else ()
    return {path.name for path in found if path.name.startswith(f"quoth-{os.getpid()}-")}


def test_nothing_is_left_after_it_was_closed() -> None:
    before, threads = of_this_process(), threading.active_count()
    descriptors = len(os.listdir("/proc/self/fd"))
    interfaces = socket.if_nameindex()
    network = Namespaces()
    network.open()
    ports = [network.place(tag).http_port for tag in "AB"]
    assert len(of_this_process() - before) == 3, "a hub, and two nodes"
    network.cut("A", "B")
    network.close()
    network.close()
    assert of_this_process() == before
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert socket.if_nameindex() == interfaces
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_a_place_that_cannot_be_made_leaves_nothing(network: Namespaces) -> None:
    before = of_this_process()
    hub = hub_of(network)
    hub.ip("link add to-D type veth peer name other")  # so that of the place cannot be made
    with pytest.raises(NetnsError, match="to-D"):
        network.place("D")
    assert of_this_process() == before
    hub.ip("link del to-D")
    assert network.place("D").peer_port == PEER_PORT


def test_what_a_dead_process_has_left_is_removed() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, of_a_living_one = Netns(f"quoth-{ended.pid}-0a1b2c3d-A"), Netns("quoth-1-0a1b2c3d-A")
    network = Namespaces()
    try:
        left.add()
        of_a_living_one.add()
        network.open()
        assert not left.path.exists()
        assert of_a_living_one.path.exists()
    finally:
        network.close()
        left.delete()
        of_a_living_one.delete()
