"""Which nodes are well, and in which order a request tries them. It waits for nothing.

The preferred node is the first of the topology that is well; conventions may spread reads, or all
requests of a session. A node that failed is tried last, never left out, until a probe beside the
requests of users has found it well: nobody waits for a node that hangs but the probe.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5
from itertools import count
from threading import Lock

from quoth.clock import Clock
from quoth.conventions import Conventions
from quoth.options import LoadBalanceBehavior, ReadBalanceBehavior
from quoth.topology import Topology

# A new measurement counts for a quarter; one that is old is taken anew, by one read.
SPEED_WEIGHT = 0.25
SPEED_AGE_SECONDS_MAX = 30.0
UNKNOWN = float("inf")  # it is being measured


@dataclass(slots=True)
class _Speed:
    """How fast a node answers reads, and when that was known."""

    seconds: float
    at: float


class Nodes:
    """The nodes of one executor. Used by any number of tasks or threads."""

    def __init__(self, urls: Sequence[str], conventions: Conventions, clock: Clock) -> None:
        self.topology = Topology(tuple(urls))
        self._conventions = conventions
        self._clock = clock
        self._lock = Lock()
        self._failed_until: dict[str, float] = {}
        self._probing: set[str] = set()
        self._speeds: dict[str, _Speed] = {}
        self._turns = count()

    def in_order(self, *, is_read: bool, context: str | None = None) -> Sequence[str]:
        """The nodes to try: well ones as preferred, then failed ones, longest ago first."""
        urls = self._preferred(is_read, context)
        if not self._failed_until:
            return urls
        failed = dict(self._failed_until)
        return sorted(urls, key=lambda url: failed.get(url, 0.0))

    def failed(self, url: str, *, probe_in_seconds: float | None = None) -> None:
        """It did not take a request, or did not answer; None is what the conventions say."""
        if probe_in_seconds is None:
            probe_in_seconds = self._conventions.node_retry_seconds
        self._failed_until[url] = self._clock.monotonic() + probe_in_seconds

    def is_well(self, url: str) -> None:
        """It answered."""
        if self._failed_until:
            self._failed_until.pop(url, None)

    def answered_read(self, url: str, seconds: float) -> None:
        """How long a read took."""
        now, known = self._clock.monotonic(), self._speeds.get(url)
        if known is not None and known.seconds != UNKNOWN:
            seconds = known.seconds + SPEED_WEIGHT * (seconds - known.seconds)
        self._speeds[url] = _Speed(seconds, now)

    def to_probe(self) -> list[str]:
        """The failed nodes that it is time to ask how they are; `probed` must follow for each."""
        if not self._failed_until:
            return []
        now, known = self._clock.monotonic(), self.topology.urls
        with self._lock:
            due = []
            for url, until in list(self._failed_until.items()):  # others change it meanwhile
                if url not in known:  # it has left
                    self._failed_until.pop(url, None)
                elif until <= now and url not in self._probing:
                    due.append(url)
            self._probing.update(due)
        return due

    def probed(self, url: str, *, is_well: bool) -> None:
        """What came of it."""
        if is_well:
            self.is_well(url)
        else:
            self.failed(url)
        self._probing.discard(url)

    def _preferred(self, is_read: bool, context: str | None) -> Sequence[str]:
        urls, conventions = self.topology.urls, self._conventions
        if len(urls) < 2:
            return urls
        if conventions.load_balance_behavior is LoadBalanceBehavior.USE_SESSION_CONTEXT and context:
            return _from(urls, self._place_of(context, len(urls)))
        if not is_read or conventions.read_balance_behavior is ReadBalanceBehavior.NONE:
            return urls
        if conventions.read_balance_behavior is ReadBalanceBehavior.ROUND_ROBIN:
            return _from(urls, next(self._turns) % len(urls))
        return self._by_speed(urls)

    def _place_of(self, context: str, size: int) -> int:
        """The same for the same context, on every machine and in every run."""
        text = f"{self._conventions.load_balancer_context_seed}/{context}"
        return int.from_bytes(md5(text.encode(), usedforsecurity=False).digest()[:8]) % size

    def _by_speed(self, urls: Sequence[str]) -> Sequence[str]:
        now = self._clock.monotonic()

        def speed_of(url: str) -> float:
            known = self._speeds.get(url)
            return (
                -1.0 if known is None or now - known.at > SPEED_AGE_SECONDS_MAX else known.seconds
            )

        ordered = sorted(urls, key=speed_of)
        if speed_of(ordered[0]) < 0:
            # This read measures it; the others meanwhile go where it is known.
            self._speeds[ordered[0]] = _Speed(UNKNOWN, now)
        return ordered


def _from(urls: Sequence[str], place: int) -> Sequence[str]:
    return (*urls[place:], *urls[:place])
