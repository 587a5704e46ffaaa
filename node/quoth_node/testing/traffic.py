"""What befalls the packets that go from one node to another, and how `tc` is told.

Only words are made here. The root of an interface is an HTB, which passes on at once what no
filter puts into a class; each source with a fault has a class: tc-htb(8), tc-u32(8), tc-netem(8).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from quoth_node.testing.network import CannotFault

SOURCES_MAX = 0xFFF
UNLIMITED = "10gbit"
QUANTUM_BYTES = 60_000  # HTB would choose one from the rate, and complain of it
WAITING_PACKETS_MAX = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """One direction of a link. Percentages are of packets, each by its own chance."""

    delay_milliseconds: float = 0
    jitter_milliseconds: float = 0
    lost_percent: float = 0
    doubled_percent: float = 0
    hurried_percent: float = 0  # sent without the delay, so before those that wait
    kilobits_per_second: int | None = None  # None: as fast as it can

    def __post_init__(self) -> None:
        """Raises CannotFault for what cannot be."""
        for percent in (self.lost_percent, self.doubled_percent, self.hurried_percent):
            if not 0 <= percent <= 100:
                raise CannotFault(f"{percent:g} % of the packets: it must be from 0 to 100")
        if not 0 <= self.jitter_milliseconds <= self.delay_milliseconds:
            raise CannotFault("a jitter is from 0 to the delay: nothing arrives before it was sent")
        if self.kilobits_per_second is not None and self.kilobits_per_second <= 0:
            raise CannotFault("a rate is above 0: what lets nothing through is a cut")

    def netem(self) -> str | None:
        """The words for netem; None if it has nothing to do."""
        words = []
        if self.delay_milliseconds:
            words.append(f"delay {self.delay_milliseconds:g}ms {self.jitter_milliseconds:g}ms")
        if self.lost_percent:
            words.append(f"loss {self.lost_percent:g}%")
        if self.doubled_percent:
            words.append(f"duplicate {self.doubled_percent:g}%")
        if self.hurried_percent:
            words.append(f"reorder {self.hurried_percent:g}%")
        return f"netem limit {WAITING_PACKETS_MAX} {' '.join(words)}" if words else None


def lines(interface: str, sources: Mapping[str, tuple[int, Traffic]]) -> list[str]:
    """The lines of `tc` for an interface that has no root yet.

    `sources` maps the address of a source to a number of its own, from 1 on, and what befalls its
    packets.
    """
    made = [f"qdisc add dev {interface} root handle 1: htb"]
    for address, (number, traffic) in sorted(sources.items()):
        assert 0 < number <= SOURCES_MAX, "it is part of a handle of 16 bits"
        rate = UNLIMITED
        if traffic.kilobits_per_second is not None:
            rate = f"{traffic.kilobits_per_second}kbit"
        flow = f"1:{number:x}"
        made.append(
            f"class add dev {interface} parent 1: classid {flow} htb rate {rate} "
            f"quantum {QUANTUM_BYTES}"
        )
        netem = traffic.netem()
        if netem is not None:
            made.append(
                f"qdisc add dev {interface} parent {flow} handle {0x1000 + number:x}: {netem}"
            )
        made.append(
            f"filter add dev {interface} parent 1: protocol ip prio 1 "
            f"u32 match ip src {address}/32 flowid {flow}"
        )
    return made
