"""How long nobody could write: after a leader was lost, and after healing. Pure, of histories."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from quoth_node.testing.history import Fault, History, Led, Operation
from quoth_node.testing.targets import majority_of

MICROSECONDS = 1_000_000
# Faults that take all of the nodes they are on away from the others.
AWAY = frozenset({"kill", "pause", "power-loss", "isolate", "partition"})
# What workloads call operations that write nothing.
READS = frozenset({"read", "local", "final", "audit", "holders"})
# A shorter pause is over before anybody misses the leader, and says nothing of failover.
PAUSE_SECONDS_MIN = 2.0
# What a majority may take from its healing to the first write (R11): no time for a floor.
RECOVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which writes were missed, in microseconds of the run."""

    after: str  # the fault
    at: int
    until: int | None  # when the first write called after `at` was acknowledged; None: never
    seen_until: int | None = None  # without an end: when the last write was called

    @property
    def seconds(self) -> float | None:
        """How long it was; None: it did not end."""
        return None if self.until is None else (self.until - self.at) / MICROSECONDS

    @property
    def seconds_in_vain(self) -> float:
        """How long writes were called and none acknowledged, if it did not end."""
        if self.until is not None or self.seen_until is None:
            return 0.0
        return (self.seen_until - self.at) / MICROSECONDS


def failovers(history: History, *, nodes: int) -> list[Gap]:
    """A gap for each loss of a leader that left a majority of `nodes`."""
    gap = _gaps(history.operations)
    lost = [
        fault
        for fault in history.faults
        if fault.fault in AWAY
        and _led_at(history.leaders, fault.at) in fault.on
        and nodes - len(fault.on) >= majority_of(nodes)
        and not (fault.fault == "pause" and _seconds(fault) < PAUSE_SECONDS_MIN)
    ]
    return [gap(fault.fault, fault.at) for fault in lost]


def healings(history: History, *, nodes: int) -> list[Gap]:
    """A gap after each time without a majority, from when its last fault began to be undone (R11).

    The start of processes is part of it. Times that last until the end have no gap.
    """
    gap = _gaps(history.operations)
    return [
        gap("healing", until)
        for _, until in without_majority(history.faults, nodes=nodes)
        if until is not None
    ]


def without_majority(faults: Sequence[Fault], *, nodes: int) -> list[tuple[int, int | None]]:
    """The times in which no majority could talk, as (from, until); None: until the end."""
    away = [fault for fault in faults if fault.fault in AWAY]
    moments = sorted({moment for fault in away for moment in (fault.at, fault.until or fault.at)})
    times: list[tuple[int, int | None]] = []
    since: int | None = None
    for moment in moments:
        gone = {
            tag
            for fault in away
            if fault.at <= moment and (fault.until is None or fault.until > moment)
            for tag in fault.on
        }
        down = nodes - len(gone) < majority_of(nodes)
        if down and since is None:
            since = moment
        elif not down and since is not None:
            times.append((since, moment))
            since = None
    return times if since is None else [*times, (since, None)]


def available_seconds(faults: Sequence[Fault], *, nodes: int, start: int, end: int) -> float:
    """How much of the time from `start` to `end` writes could be expected.

    Not while no majority could talk, nor within RECOVERY_SECONDS after that.
    """
    free, reached = 0, start
    for since, until in without_majority(faults, nodes=nodes):
        free += max(0, min(since, end) - reached)
        back = end if until is None else until + int(RECOVERY_SECONDS * MICROSECONDS)
        reached = max(reached, min(back, end))
    return (free + max(0, end - reached)) / MICROSECONDS


def is_read(operation: Operation) -> bool:
    """Whether it writes nothing, as far as its name, or the steps of a transaction, tell."""
    if operation.f == "txn":
        return all(step[0] == "r" for step in operation.input)
    return operation.f in READS


def percentile(seconds: Sequence[float], share: float) -> float:
    """The smallest of them that at least `share` (0 to 1) of them do not exceed."""
    assert seconds, "of nothing there is no percentile"
    ordered = sorted(seconds)
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def _gaps(operations: Sequence[Operation]) -> Callable[[str, int], Gap]:
    """Makes the gap after a fault at a time, out of what was written then."""
    accepted = _accepted(operations)
    asked = max((one.call for one in operations if not is_read(one)), default=0)

    def gap(after: str, at: int) -> Gap:
        ended = _first(accepted, at)
        return Gap(after, at, ended, seen_until=asked if ended is None and asked > at else None)

    return gap


def _accepted(operations: Iterable[Operation]) -> list[tuple[int, int]]:
    """(call, return) of each acknowledged write, by call."""
    return sorted(
        (one.call, one.returned)
        for one in operations
        if one.ok and not is_read(one) and one.returned is not None
    )


def _first(accepted: Sequence[tuple[int, int]], at: int) -> int | None:
    return min((returned for call, returned in accepted if call >= at), default=None)


def _led_at(leaders: Iterable[Led], at: int) -> str | None:
    known = [led for led in leaders if led.at <= at]
    return max(known, key=lambda led: (led.term, led.at)).leader if known else None


def _seconds(fault: Fault) -> float:
    return float("inf") if fault.until is None else (fault.until - fault.at) / MICROSECONDS
