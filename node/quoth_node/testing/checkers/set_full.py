"""Things put into a set stay there until they are taken out. Pure.

"add" and "remove" of [value], "read" gives a list of all values. A read of ("final",) is one when
all is quiet again, and tells what one node (`node`) has in the end. A value should be added once.

An operation whose outcome nobody told counts as done from the first read on that shows its effect.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation, by_key

FINAL = "final"


def check(operations: Sequence[Operation], *, reads_are_current: bool = True) -> list[Violation]:
    """At most one violation of a kind for each value.

    lost: added, and not there any more, nor later; stale-read: ... but later; resurrected: removed,
    and there in the end or again; stale-remove: ... and not later; phantom: nobody had added it;
    failed-add-present; duplicate; nodes-differ. Unless reads are current only the final ones have
    to show what was acknowledged before.
    """
    return [
        violation
        for key, part in by_key(operations).items()
        for violation in _Set(key, part, reads_are_current).violations()
    ]


@dataclass(slots=True)
class _Value:
    """What was done with one value."""

    adds: list[Operation] = field(default_factory=list)
    removes: list[Operation] = field(default_factory=list)
    there_since: float = inf  # when it was known to be in the set
    shown_by: Operation | None = None
    gone_since: float = inf  # ... to be taken out of it
    missed_by: Operation | None = None


class _Set:
    """One set, gone through read by read."""

    def __init__(self, key: str, operations: Sequence[Operation], reads_are_current: bool) -> None:
        self.key = key
        self.values: dict[object, _Value] = {}
        for one in operations:
            if one.f != "read":
                value = self.values.setdefault(one.input[0], _Value())
                (value.adds if one.f == "add" else value.removes).append(one)
        reads = [one for one in operations if one.f == "read" and one.ok]
        self.reads = sorted(reads, key=lambda one: one.call)
        self.finals = [one for one in self.reads if one.input[:1] == (FINAL,)]
        self.judged = self.reads if reads_are_current else self.finals
        self.explained: set[object] = set()  # values that an add explains
        self.unshown = set(self.values)  # values that no read has shown so far
        self.removable = {
            value
            for value, known in self.values.items()
            if any(one.ok is not False for one in known.removes)
        }
        self.found: dict[tuple[str, object], Violation] = {}

    def violations(self) -> Iterator[Violation]:
        """All of them, in the order in which they are met."""
        for read in sorted(self.reads, key=lambda one: one.returned or 0):
            self._is_made_of_adds(read)
        self._learn_acknowledged()
        learned = 0
        by_return = sorted(self.judged, key=lambda one: one.returned or 0)
        shown = [(frozenset(read.output), read) for read in self.judged]
        sets = {id(read): values for values, read in shown}
        for values, read in shown:
            while learned < len(by_return) and (by_return[learned].returned or 0) < read.call:
                self._learn(by_return[learned], sets[id(by_return[learned])])
                learned += 1
            self._is_whole(read, values)
        yield from self.found.values()
        yield from self._differing()

    def _say(self, anomaly: str, value: object, told: str, *evidence: Operation | None) -> None:
        if (anomaly, value) not in self.found:
            shown = tuple(one for one in evidence if one is not None)
            self.found[anomaly, value] = Violation(
                anomaly=anomaly, key=self.key, told=f"{value} {told}", evidence=shown
            )

    def _is_made_of_adds(self, read: Operation) -> None:
        assert read.returned is not None, "it is done"
        values = set(read.output)
        if len(values) < len(read.output):
            twice = next(value for value, times in Counter(read.output).items() if times > 1)
            self._say("duplicate", twice, "is there twice", read)
        for value in [value for value in read.output if value not in self.explained]:
            known = self.values.get(value)
            adds = [] if known is None else [a for a in known.adds if a.call <= read.returned]
            if not adds:
                self._say("phantom", value, "is there, and nobody had added it", read)
            elif all(add.ok is False for add in adds):
                self._say("failed-add-present", value, "is there, its add failed", adds[0], read)
            else:
                self.explained.add(value)

    def _learn_acknowledged(self) -> None:
        for known in self.values.values():
            for one in known.adds:
                if one.ok and one.returned is not None and one.returned < known.there_since:
                    known.there_since, known.shown_by = one.returned, one
            for one in known.removes:
                if one.ok and one.returned is not None and one.returned < known.gone_since:
                    known.gone_since, known.missed_by = one.returned, one

    def _learn(self, read: Operation, values: frozenset[object]) -> None:
        """What a read shows is known from its return on, also of unknown operations."""
        assert read.returned is not None, "it is done"
        for value in self.unshown & values:
            self.unshown.discard(value)
            known = self.values[value]
            if read.returned < known.there_since:
                known.there_since, known.shown_by = read.returned, read
        for value in self.removable - values:
            known = self.values[value]
            if known.there_since < read.call and read.returned < known.gone_since:
                if self._may_be_removed(value, read):
                    known.gone_since, known.missed_by = read.returned, read

    def _is_whole(self, read: Operation, values: frozenset[object]) -> None:
        for value in self.removable & values:
            known = self.values[value]
            if known.gone_since < read.call and not self._may_be_again(known):
                self._is_back(read, value, known)
        for value in self.values.keys() - values:
            known = self.values[value]
            if known.there_since < read.call and not self._may_be_removed(value, read):
                later = [other for other in self.judged if other.call > (read.returned or 0)]
                is_back = any(value in other.output for other in later)
                anomaly = "stale-read" if is_back else "lost"
                self._say(anomaly, value, "was there and is missing", known.shown_by, read)

    def _may_be_removed(self, value: object, read: Operation) -> bool:
        assert read.returned is not None, "it is done"
        removes = self.values[value].removes
        return any(one.ok is not False and one.call <= read.returned for one in removes)

    def _may_be_again(self, known: _Value) -> bool:
        """Whether an add can have come after the removal, or may still come."""
        first = min(one.call for one in known.removes if one.ok is not False)
        adds = [one for one in known.adds if one.ok is not False]
        if len(adds) == 1 and known.there_since < first:
            return False
        return any(one.returned is None or one.returned >= first for one in adds)

    def _is_back(self, read: Operation, value: object, known: _Value) -> None:
        stays = value in self.judged[-1].output
        is_again = known.missed_by is not None and known.missed_by.f == "read"
        anomaly = "resurrected" if stays or is_again else "stale-remove"
        self._say(anomaly, value, "was removed and is there", known.missed_by, read)

    def _differing(self) -> Iterator[Violation]:
        """Nodes that end with other values than the one before, but for what may come late."""
        for before, after in pairwise(self.finals):
            earlier, later = set(before.output), set(after.output)
            apart = {value for value in later - earlier if not self._may_be_late("add", value)}
            apart |= {value for value in earlier - later if not self._may_be_late("remove", value)}
            if apart:
                some = ", ".join(sorted(map(str, apart))[:5])
                told = f"{before.node} and {after.node} differ in {len(apart)} values: {some}"
                evidence = (before, after)
                yield Violation(anomaly="nodes-differ", key=self.key, told=told, evidence=evidence)

    def _may_be_late(self, f: str, value: object) -> bool:
        known = self.values.get(value, _Value())
        return any(one.ok is None for one in (known.adds if f == "add" else known.removes))
