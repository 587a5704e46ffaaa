"""Which anomalies lists show that transactions read and append to, in the manner of Elle. Pure.

A "txn" has micro-operations ["append", key, value] and ["r", key, None]; its output is the same,
with the lists that were read. No value is appended to a key twice. A list tells in which order its
values came, so what was read tells who came before whom (Kingsbury and Alvaro, Elle: inferring
isolation anomalies from experimental observations, 2020). A committed append that nobody read comes
after the longest list that was read.

A transaction whose outcome nobody told counts if a value of it was read, and only then.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any

from quoth_node.testing.checkers.cycles import Circle, Edge, Graph, circles
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation

VALUES = frozenset({"G1a", "G1b", "phantom-element", "duplicate-elements", "incompatible-order"})
WRITES = VALUES | {"internal", "lost-append", "G0", "G1c"}
SNAPSHOT = WRITES | {"lost-update", "G-single"}
LEVELS: dict[str, frozenset[str]] = {
    # What was read was committed, and what was acknowledged is there in the end.
    "read-committed": WRITES,
    # ... what a transaction writes has not changed since it read it; what it only reads may have.
    "checked-writes": WRITES | {"lost-update", "stale-read", "G0-realtime", "G1c-realtime"},
    "snapshot-isolation": SNAPSHOT,
    "serializable": SNAPSHOT | {"G2-item"},
    "strict-serializable": SNAPSHOT
    | {"G2-item", "G0-realtime", "G1c-realtime", "G-single-realtime", "G2-item-realtime"},
}


def check(
    operations: Sequence[Operation],
    *,
    level: str = "strict-serializable",
    forbidden: Collection[str] | None = None,
) -> list[Violation]:
    """What a level forbids, or instead of it the anomalies that are named.

    Raises ValueError if a value was appended to a key twice: then nothing can be told.
    """
    names = LEVELS[level] if forbidden is None else forbidden
    inferred = _Inferred(operations)
    found = [violation for violation in inferred.anomalies() if violation.anomaly in names]
    found += [inferred.circle(one) for one in circles(inferred.graph(), names)]
    return found


@dataclass(slots=True)
class _Transaction:
    """What one did, as the others see it."""

    operation: Operation
    is_committed: bool
    appends: dict[str, list[Any]] = field(default_factory=dict)
    reads: dict[str, list[Any]] = field(default_factory=dict)  # the lists that others had made


class _Inferred:
    """What follows from the lists that were read."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        told = sorted((one for one in operations if one.f == "txn"), key=lambda one: one.call)
        self.transactions = [_Transaction(one, one.ok is True) for one in told]
        self.writer: dict[tuple[str, Any], int] = {}
        self.seen: dict[str, list[tuple[list[Any], int]]] = {}  # whole lists, and who read them
        self.writers: dict[str, list[int]] = {}  # who appended to a key
        self.internal: list[Violation] = []
        for number, one in enumerate(self.transactions):
            self._take(number, one)
        self.versions: dict[str, list[Any]] = {}  # the longest list of each key
        self.position: dict[tuple[str, Any], int] = {}
        for key, lists in self.seen.items():
            self.versions[key] = longest = max((values for values, _ in lists), key=len)
            for at, value in enumerate(longest):
                self.position[key, value] = at
                if (writer := self.writer.get((key, value))) is not None:
                    seen = self.transactions[writer]
                    seen.is_committed = seen.operation.ok is not False

    def _take(self, number: int, one: _Transaction) -> None:
        operation = one.operation
        expected: dict[str, list[Any]] = {}
        for f, key, value in operation.output if operation.ok else operation.input:
            own = one.appends.get(key, [])
            if f == "append":
                if self.writer.setdefault((key, value), number) != number or value in own:
                    raise ValueError(f"{value!r} was appended to {key} twice")
                if not own:
                    self.writers.setdefault(key, []).append(number)
                one.appends.setdefault(key, []).append(value)
                if key in expected:
                    expected[key] = [*expected[key], value]
            elif operation.ok:
                values = list(value or ())
                begin = len(values) - len(own)
                if expected.get(key, values) != values or (own and values[begin:] != own):
                    told = f"{key} is {values} to one who knew {expected.get(key, own)}"
                    self.internal.append(self._said("internal", key, told, number))
                elif key not in one.reads:
                    one.reads[key] = values[:begin]
                expected[key] = values
                self.seen.setdefault(key, []).append((values, number))

    def _said(self, anomaly: str, key: str, told: str, *numbers: int) -> Violation:
        evidence = tuple(self.transactions[number].operation for number in dict.fromkeys(numbers))
        return Violation(anomaly=anomaly, key=key, told=told, evidence=evidence)

    def anomalies(self) -> Iterator[Violation]:
        """All but circles."""
        yield from self.internal
        for key, lists in self.seen.items():
            longest = self.versions[key]
            by = next(number for values, number in lists if values is longest)
            yield from self._elements(key, longest, by)
            for values, number in lists:
                if values != longest[: len(values)]:
                    told = f"{values} and {longest} cannot both have been"
                    yield self._said("incompatible-order", key, told, number, by)
                    yield from self._elements(key, values, number)
        yield from self._intermediate()
        yield from self._lost_updates()
        for key, lists in self.seen.items():
            yield from self._absent(key, lists)

    def _elements(self, key: str, values: list[Any], reader: int) -> Iterator[Violation]:
        if len(set(values)) < len(values):
            yield self._said("duplicate-elements", key, f"{values} has one twice", reader)
        for value in values:
            writer = self.writer.get((key, value))
            if writer is None:
                told = f"{value} is there, and nobody had appended it"
                yield self._said("phantom-element", key, told, reader)
            elif self.transactions[writer].operation.ok is False:
                yield self._said("G1a", key, f"{value} is there, its append failed", writer, reader)

    def _intermediate(self) -> Iterator[Violation]:
        for number, one in enumerate(self.transactions):
            for key, values in one.reads.items():
                writer = self.writer.get((key, values[-1])) if values else None
                if writer is None or writer == number:
                    continue
                if self.transactions[writer].appends[key][-1] != values[-1]:
                    told = f"{values[-1]} is the last one, and its writer appended more"
                    yield self._said("G1b", key, told, writer, number)

    def _lost_updates(self) -> Iterator[Violation]:
        """Two that read the same list, and both wrote to it."""
        first: dict[tuple[str, int], int] = {}
        for number, one in enumerate(self.transactions):
            for key, values in one.reads.items():
                if one.is_committed and key in one.appends:
                    other = first.setdefault((key, len(values)), number)
                    if other != number:
                        told = f"two read its first {len(values)} and appended to them"
                        yield self._said("lost-update", key, told, other, number)

    def _absent(self, key: str, lists: list[tuple[list[Any], int]]) -> Iterator[Violation]:
        """Acknowledged appends that later reads do not have: for good, or for a while."""
        acknowledged = sorted(
            (one.operation.returned or 0, self.position.get((key, value), inf), number)
            for number in self.writers.get(key, ())
            if (one := self.transactions[number]).operation.ok
            for value in one.appends[key]
        )
        last, highest, at = -1, -1.0, 0
        lost: set[int] = set()
        for values, reader in sorted(lists, key=lambda one: self._call(one[1])):
            while at < len(acknowledged) and acknowledged[at][0] < self._call(reader):
                _, position, number = acknowledged[at]
                if position == inf and number not in lost:
                    lost.add(number)
                    told = "an append was acknowledged, and no later read has it"
                    yield self._said("lost-append", key, told, number, reader)
                elif position != inf and position > highest:
                    highest, last = position, number
                at += 1
            if highest >= len(values):
                told = f"one read {len(values)} values when {int(highest) + 1} were acknowledged"
                yield self._said("stale-read", key, told, last, reader)

    def _call(self, number: int) -> int:
        return self.transactions[number].operation.call

    def graph(self) -> Graph:
        """Who came before whom. Unknown ones that nobody saw are before and after nobody."""
        graph = Graph()
        graph.grow(len(self.transactions))
        ends: dict[str, list[int]] = {}  # who appended what nobody read
        for number, one in enumerate(self.transactions):
            if one.is_committed:
                for key, values in one.appends.items():
                    if any((key, value) not in self.position for value in values):
                        ends.setdefault(key, []).append(number)
        for key, longest in self.versions.items():
            writers = [self.writer.get((key, value)) for value in longest]
            for before, after in pairwise(writers):
                if before is not None and after is not None:
                    graph.add(before, after, Edge.WW)
            if writers and writers[-1] is not None:
                for number in ends.get(key, ()):
                    graph.add(writers[-1], number, Edge.WW)
        for number, one in enumerate(self.transactions):
            for key, values in one.reads.items():
                self._add_read(graph, number, key, values, ends.get(key, []))
        self._add_time(graph)
        return graph

    def _add_read(
        self, graph: Graph, reader: int, key: str, values: list[Any], ends: list[int]
    ) -> None:
        longest = self.versions[key]
        if values != longest[: len(values)]:
            return  # no place in the order; it is told as such
        if values and (writer := self.writer.get((key, values[-1]))) is not None:
            graph.add(writer, reader, Edge.WR)
        if len(values) == len(longest):
            for after in ends:
                graph.add(reader, after, Edge.RW)
        elif (next_ := self.writer.get((key, longest[len(values)]))) is not None:
            graph.add(reader, next_, Edge.RW)

    def _add_time(self, graph: Graph) -> None:
        """Real time, without what follows from the rest of it.

        The frontier are those that are over and before nobody who is over, too.
        """
        events: list[tuple[int, int, int]] = []
        for number, one in enumerate(self.transactions):
            if one.is_committed:
                events.append((one.operation.call, 0, number))
                if one.operation.returned is not None:
                    events.append((one.operation.returned, 1, number))
        frontier: set[int] = set()
        before: dict[int, frozenset[int]] = {}
        for _, is_return, number in sorted(events):
            if is_return:
                frontier -= before.pop(number)
                frontier.add(number)
            else:
                before[number] = frozenset(frontier)
                for earlier in frontier:
                    graph.add(earlier, number, Edge.REALTIME)

    def circle(self, circle: Circle) -> Violation:
        """A circle, told."""
        operations = [self.transactions[number].operation for number in circle.numbers]
        steps = [
            f"client {one.client} at {one.call} -{str(why.name).lower()}->"
            for one, why in zip(operations, circle.why, strict=True)
        ]
        keys = dict.fromkeys(key for one in operations for _, key, _ in one.input)
        return Violation(
            anomaly=circle.name,
            key=", ".join(list(keys)[:5]),
            told=f"{' '.join(steps)} client {operations[0].client}",
            evidence=tuple(operations),
        )
