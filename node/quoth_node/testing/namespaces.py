"""The network of a cluster as Linux network namespaces: real packets, lost by the kernel.

    node A [eth0 10.64.1.2] --- [to-A] hub [to-B] --- [10.64.2.2 eth0] node B

Each node has a namespace, and its peer links go through the hub, a namespace that routes. There is
no way from there to the networks of the machine. A hub that routes, where a bridge would join them
as well, can lose packets of one direction by a rule for routes: nodes are told nothing, as on a
real network, and no filter of packets is needed. HTTP does not go this way: `doors.py`.
"""

import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random

from quoth_node.testing.abilities import Abilities, find_abilities
from quoth_node.testing.doors import Doors
from quoth_node.testing.netns import Names, Netns, leftovers, run
from quoth_node.testing.network import LOOPBACK, CannotFault, Place
from quoth_node.testing.ports import free_ports
from quoth_node.testing.traffic import SOURCES_MAX, Traffic, lines

MACHINE = ""  # the namespace that this process is in; no tag is empty
PEER_PORT = 4_000  # the same in each namespace
CUT_PREFERENCE = 10  # of the rules that cut: before that of the main table
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")  # of the namespace of the thread that opens it


def available() -> str | None:
    """None if this machine can do all that `Namespaces` offers, else a sentence why not."""
    found = _look()
    return found if isinstance(found, str) else found.missing


def usable() -> str | None:
    """None if this machine can make and cut networks, if nothing else; or a sentence why not."""
    found = _look()
    return found if isinstance(found, str) else None


def _look() -> Abilities | str:
    try:
        return find_abilities(Random())
    except OSError as error:
        return str(error)


@dataclass(slots=True)
class _Node:
    """A namespace with one node, and what is to be undone when it leaves."""

    number: int
    netns: Netns
    place: Place
    undo: ExitStack = field(default_factory=ExitStack)

    @property
    def address(self) -> str:
        return self.place.peer_host


class Namespaces:
    """A `Network`. It works also where `available` names something missing, but for that."""

    name = "namespaces"

    def __init__(self) -> None:
        self._chance = Random()  # of its own: two networks of one seed have different names
        self._names = Names(self._chance)
        self._hub = self._names.netns("hub")
        self._nodes: dict[str, _Node] = {}
        self._numbers = 0  # given to nodes so far
        self._abilities: Abilities | None = None
        self._doors: Doors | None = None
        self._undo = ExitStack()
        self._cuts: set[tuple[str, str]] = set()
        self._traffic: dict[tuple[str, str], Traffic] = {}
        self._shaped: set[str] = set()  # whose interface of the hub has a root of ours
        self._unplugged: set[str] = set()

    def open(self) -> None:
        """Make the hub; remove what dead processes have left. Raises OSError."""
        for left in leftovers():
            left.delete()
        self._abilities = find_abilities(self._chance)
        with ExitStack() as undo:
            undo.callback(self._hub.delete)
            self._hub.add()
            with self._hub.entered():
                FORWARDING.write_text("1")
            self._doors = Doors()
            undo.callback(self._doors.close)
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Remove all namespaces, with all that is in them, and close the doors."""
        with self._undo:  # the hub and the doors go last, also if a node does not want to
            while self._nodes:
                _, node = self._nodes.popitem()
                self._undo.push(node.undo.pop_all())
        self._forget(lambda _: True)

    def place(self, tag: str) -> Place:
        """A namespace for a node. Raises OSError."""
        if tag not in self._nodes:
            self._numbers += 1
            assert self._numbers <= SOURCES_MAX, "each node that ever was has its own address"
            self._nodes[tag] = self._make_node(tag, self._numbers)
        return self._nodes[tag].place

    def leave(self, tag: str) -> None:
        """Remove the namespace of a node, and the faults of its links."""
        if tag not in self._nodes:
            return
        for source, target in sorted(pair for pair in self._cuts if tag in pair):
            self._hub.ip(f"rule del {self._cut_rule(source, target)}")
        self._forget(lambda named: named == tag)
        self._nodes.pop(tag).undo.close()

    def netns(self, tag: str) -> Netns:
        """The namespace of a node that has a place."""
        return self._nodes[tag].netns

    def dials(self, tag: str) -> Mapping[str, str]:
        """Peers are dialled directly."""
        return {}

    def cut(self, source: str, target: str) -> None:
        """The hub loses the packets, also those that acknowledge what `target` sends."""
        if (source, target) not in self._cuts:
            self._hub.ip(f"rule add {self._cut_rule(source, target)}")
            self._cuts.add((source, target))

    def stall(self, source: str, target: str) -> None:
        """The same as a cut: TCP holds back what was lost, and sends it again when healed."""
        self.cut(source, target)

    def delay(
        self, source: str, target: str, *, milliseconds: float, jitter_milliseconds: float = 0
    ) -> None:
        """Packets come later. With a jitter they overtake each other, which TCP sets right."""
        self._need_netem("delay")
        traffic = replace(
            self._between(source, target),
            delay_milliseconds=milliseconds,
            jitter_milliseconds=jitter_milliseconds,
        )
        self._befall(source, target, traffic)

    def lose(self, source: str, target: str, *, percent: float) -> None:
        """Packets are lost, and TCP sends them again."""
        self._need_netem("lose")
        traffic = replace(self._between(source, target), lost_percent=percent)
        self._befall(source, target, traffic)

    def double(self, source: str, target: str, *, percent: float) -> None:
        """Packets come twice, which TCP sets right."""
        self._need_netem("double")
        traffic = replace(self._between(source, target), doubled_percent=percent)
        self._befall(source, target, traffic)

    def reorder(self, source: str, target: str, *, percent: float, milliseconds: float) -> None:
        """Packets come later but for some, which overtake them; TCP sets it right."""
        self._need_netem("reorder")
        before = self._between(source, target)
        traffic = replace(before, hurried_percent=percent, delay_milliseconds=milliseconds)
        self._befall(source, target, traffic)

    def slow(self, source: str, target: str, *, kilobits_per_second: int) -> None:
        """A narrow link: what does not fit through waits, and what cannot wait is lost."""
        self._need(self._able.shaping, "slow")
        before = self._between(source, target)
        self._befall(source, target, replace(before, kilobits_per_second=kilobits_per_second))

    def unplug(self, tag: str) -> None:
        """The link of a node goes down: it sees that, and others are told it is unreachable."""
        self._hub.ip(f"link set to-{tag} down")
        self._unplugged.add(tag)

    def reset(self, a: str, b: str) -> None:
        """The kernels on both sides end the connections, and tell the other side."""
        self._need(self._able.resets, "reset")
        for one, other in ((a, b), (b, a)):
            address = self._nodes[other].address
            run(*self._nodes[one].netns.command("ss", "-K", "-H", "-t", "-n", "dst", address))

    def heal(self) -> None:
        """Connections go on where they were, unless a node has given them up."""
        for source, target in sorted(self._cuts):
            self._hub.ip(f"rule del {self._cut_rule(source, target)}")
            self._cuts.discard((source, target))
        self._traffic.clear()
        for target in sorted(self._shaped):
            self._shape(target)
        for tag in sorted(self._unplugged):
            self._hub.ip(f"link set to-{tag} up")
            self._unplugged.discard(tag)

    @property
    def _able(self) -> Abilities:
        assert self._abilities is not None, "open"
        return self._abilities

    def _make_node(self, tag: str, number: int) -> _Node:
        subnet = f"10.{64 + number // 256}.{number % 256}"
        netns = self._names.netns(tag)
        place = Place(
            http_port=free_ports(1),
            peer_host=f"{subnet}.2",
            peer_port=PEER_PORT,
            insecure=True,  # only the other namespaces reach it
            prefix=netns.command(),
        )
        node = _Node(number, netns, place)
        with node.undo:
            node.undo.callback(netns.delete)
            netns.add()
            self._hub.ip(f"link add to-{tag} type veth peer name eth0 netns {netns.name}")
            # By itself it would go some time after the namespace, and its name is wanted again.
            node.undo.callback(self._hub.ip, f"link del to-{tag}")
            self._hub.ip(f"address add {subnet}.1/24 dev to-{tag}", f"link set to-{tag} up")
            netns.ip(
                f"address add {subnet}.2/24 dev eth0",
                "link set eth0 up",
                f"route add default via {subnet}.1",
            )
            self._open_doors(tag, node)
            node.undo = node.undo.pop_all()
        return node

    def _open_doors(self, tag: str, node: _Node) -> None:
        """One for the machine, and one in the namespace of each other node, both ways."""
        doors = self._doors
        assert doors is not None, "open"
        inside = partial(_socket_in, node.netns)
        node.undo.callback(doors.remove, tag)
        doors.add_server(tag, (LOOPBACK, node.place.http_port), inside)
        doors.add_door(tag, MACHINE, _socket)
        for other_tag, other in self._nodes.items():
            doors.add_door(tag, other_tag, partial(_socket_in, other.netns))
            doors.add_door(other_tag, tag, inside)

    def _cut_rule(self, source: str, target: str) -> str:
        ends = f"from {self._nodes[source].address} to {self._nodes[target].address}"
        return f"pref {CUT_PREFERENCE} {ends} blackhole"

    def _between(self, source: str, target: str) -> Traffic:
        return self._traffic.get((source, target), Traffic())

    def _befall(self, source: str, target: str, traffic: Traffic) -> None:
        self._traffic[source, target] = traffic
        self._shape(target)

    def _shape(self, target: str) -> None:
        """Make the interface towards a node anew: what waits in it is lost, and sent again."""
        interface = f"to-{target}"
        if target in self._shaped:
            self._hub.tc(f"qdisc del dev {interface} root")
            self._shaped.discard(target)
        sources = {
            self._nodes[source].address: (self._nodes[source].number, traffic)
            for (source, to), traffic in self._traffic.items()
            if to == target
        }
        if sources:
            self._shaped.add(target)
            self._hub.tc(*lines(interface, sources))

    def _forget(self, gone: Callable[[str], bool]) -> None:
        """Faults of nodes that are gone."""
        self._cuts = {pair for pair in self._cuts if not any(map(gone, pair))}
        self._traffic = {
            pair: traffic for pair, traffic in self._traffic.items() if not any(map(gone, pair))
        }
        self._shaped = {tag for tag in self._shaped if not gone(tag)}
        self._unplugged = {tag for tag in self._unplugged if not gone(tag)}

    def _need_netem(self, fault: str) -> None:
        self._need(self._able.shaping, fault)
        self._need(self._able.netem, fault)

    def _need(self, missing: str | None, fault: str) -> None:
        if missing is not None:
            raise CannotFault(f"these namespaces cannot {fault}: {missing}")


def _socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def _socket_in(netns: Netns) -> socket.socket:
    with netns.entered():
        return _socket()
