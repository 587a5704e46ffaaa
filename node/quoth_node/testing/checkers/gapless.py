"""Sequences without a gap: which numbers were taken, and who holds them. Pure.

"take" of [count] or [count, holder] gives so many numbers, one after another. "holders", at the
end, gives the holder of each number that is committed: {number: holder}, or a list of holders where
a sequence begins anew. "voided" gives {number: reason}; a reason may also stand for the holder.
The numbers of committed takes are the first, the second and so on, with none left out; a take
whose outcome nobody told may have some that nobody was told of, and one that failed has none.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from quoth_node.testing.checkers.linearizability import judge
from quoth_node.testing.checkers.models import Numbers
from quoth_node.testing.checkers.uniqueness import Taken, given_backwards
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation, by_key

SHOWN_MAX = 5  # numbers in a sentence


def check(
    operations: Sequence[Operation], *, first: int = 1, reset_value: int | None = None
) -> list[Violation]:
    """`reset_value`: where the sequence would come to it, it begins with `first` again.

    given-twice, not-contiguous, wrong-count, given-backwards, gap, lost-number, wrong-holder,
    held-by-nobody, held-twice, of-a-failed-take, of-no-take, nodes-differ; not-linearizable or
    undecided where it begins anew.
    """
    return [
        violation
        for key, part in by_key(operations).items()
        for violation in _Sequence(key, part, Numbers(first, reset_value)).violations()
    ]


class _Sequence:
    """One sequence."""

    def __init__(self, key: str, operations: Sequence[Operation], numbers: Numbers) -> None:
        self.key = key
        self.numbers = numbers
        takes = [one for one in operations if one.f == "take"]
        self.takes = takes
        self.told = [one for one in takes if one.ok]
        self.unknown = [one for one in takes if one.ok is None]
        self.failed = [one for one in takes if one.ok is False]
        self.finals = [one for one in operations if one.f == "holders" and one.ok]
        self.voids = [one for one in operations if one.f == "voided" and one.ok]

    def violations(self) -> Iterator[Violation]:
        """All of them."""
        for take in self.told:
            yield from self._is_one_range(take)
        if self.numbers.end is None:
            yield from self._twice()
            yield from self._backwards()
        elif wrong := judge(self.key, self.takes, model=self.numbers):
            yield wrong
        for other in self.finals[1:]:
            if _held(self.finals[0]) != _held(other):
                told = f"{self.finals[0].node} and {other.node} do not tell the same holders"
                yield self._said("nodes-differ", told, self.finals[0], other)
        held = _held(self.finals[0]) if self.finals else None
        for void in self.voids:
            held = self._with_voids(held or {}, void)
        if held is not None:
            yield from self._is_complete(held)
            yield from self._is_as_told(held)
            yield from self._has_no_stranger(held)
            yield from self._is_held(held)
        elif self.numbers.end is None:
            yield from self._has_no_gap()

    def _said(self, anomaly: str, told: str, *evidence: Operation) -> Violation:
        return Violation(anomaly=anomaly, key=self.key, told=told, evidence=evidence)

    def _is_one_range(self, take: Operation) -> Iterator[Violation]:
        count, numbers = take.input[0], list(take.output)
        if len(numbers) != count:
            yield self._said("wrong-count", f"{count} were asked for, {numbers} given", take)
        elif numbers and numbers != self.numbers.after(numbers[0], count)[:-1]:
            yield self._said("not-contiguous", f"{numbers} do not follow one another", take)

    def _twice(self) -> Iterator[Violation]:
        takers: dict[int, Operation] = {}
        for take in self.told:
            twice = [n for n in take.output if takers.setdefault(n, take) is not take]
            twice += [n for n, times in Counter(take.output).items() if times > 1]
            if twice:
                others = (takers[twice[0]],) if takers[twice[0]] is not take else ()
                yield self._said("given-twice", f"{_some(twice)} given again", *others, take)

    def _backwards(self) -> Iterator[Violation]:
        """The lowest number of a later question is above the highest of an earlier one."""
        whose: dict[int, Operation] = {}
        taken: list[Taken] = []
        for take in self.told:
            assert take.returned is not None, "it is done"
            for number in {min(take.output), max(take.output)} if take.output else ():
                taken.append(Taken(number, take.call, take.returned))
                whose[id(taken[-1])] = take
        for early, late in given_backwards(taken):
            told = f"{late.number} was given after {early.number} had been"
            yield self._said("given-backwards", told, whose[id(early)], whose[id(late)])

    def _has_no_gap(self) -> Iterator[Violation]:
        """Nobody told who holds what: only unknown takes may have what was not told."""
        told = {number for take in self.told for number in take.output}
        below = range(self.numbers.first, max(told, default=self.numbers.first))
        yield from self._unaccounted("gap", [number for number in below if number not in told])

    def _with_voids(self, held: Mapping[int, list[str]], void: Operation) -> dict[int, list[str]]:
        voids = _held(void)
        return {n: [*held.get(n, []), *voids.get(n, [])] for n in sorted({*held, *voids})}

    def _is_complete(self, held: Mapping[int, list[str]]) -> Iterator[Violation]:
        """Committed numbers are as many as there are, from the first on."""
        count = sum(len(holders) for holders in held.values())
        if self.numbers.end is None:
            highest = max((*held, *(n for take in self.told for n in take.output)), default=0)
            missing = [n for n in range(self.numbers.first, highest) if n not in held]
            below = sorted(n for n in held if n < self.numbers.first)
            twice = [n for n, holders in held.items() if len(holders) > 1]
        else:
            due = Counter(self.numbers.after(self.numbers.first, count)[:-1])
            missing = [n for n in due if len(held.get(n, ())) < due[n]]
            below = [n for n in held if n not in due]
            twice = [n for n, holders in held.items() if n in due and len(holders) > due[n]]
        if missing:
            yield self._said("gap", f"nobody holds {_some(missing)}", *self.finals[:1])
        if below:
            yield self._said("of-no-take", f"{_some(below)} cannot be taken", *self.finals[:1])
        if twice:
            yield self._said("held-twice", f"{_some(twice)} held too often", *self.finals[:1])

    def _is_as_told(self, held: Mapping[int, list[str]]) -> Iterator[Violation]:
        """Whoever was told a number holds it."""
        final = self.finals[:1]
        for take in self.told:
            if lost := [n for n in take.output if n not in held]:
                yield self._said("lost-number", f"{_some(lost)} was given", take, *final)
            elif len(take.input) > 1:
                holder = take.input[1]
                if other := [n for n in take.output if holder not in held[n]]:
                    told = f"{_some(other)} of {holder} held by {', '.join(held[other[0]])}"
                    yield self._said("wrong-holder", told, take, *final)

    def _has_no_stranger(self, held: Mapping[int, list[str]]) -> Iterator[Violation]:
        """Numbers that nobody was told of are those of unknown takes."""
        failed = {take.input[1]: take for take in self.failed if len(take.input) > 1}
        for number, holders in held.items():
            for holder in holders:
                if holder in failed:
                    told = f"{number} is held by {holder}, whose take failed"
                    yield self._said("of-a-failed-take", told, failed[holder], *self.finals[:1])
        voids = {number for void in self.voids for number in _held(void)}
        count = Counter(number for take in self.told for number in take.output)
        if self.numbers.end is None:
            left = [n for n in sorted(held) if n not in count and n not in voids]
            yield from self._unaccounted("of-no-take", left)
        if all(len(take.input) > 1 for take in self.takes):
            whole = {take.input[1]: take.input[0] for take in self.takes}
            has = Counter(holder for holders in held.values() for holder in holders)
            for holder, size in has.items():
                if holder in whole and size != whole[holder]:
                    told = f"{holder} holds {size} numbers, and took {whole[holder]}"
                    yield self._said("wrong-count", told, *self.finals[:1])

    def _unaccounted(self, anomaly: str, left: Sequence[int]) -> Iterator[Violation]:
        """Runs of numbers that cannot be put together from unknown takes."""
        counts = [take.input[0] for take in self.unknown]
        possible = 1  # bit n: some of them have n numbers together
        for count in counts:
            possible |= possible << count
        wrong = [run for run in _runs(left) if not possible >> len(run) & 1]
        if wrong or len(left) > sum(counts):
            shown = wrong[0] if wrong else left
            told = f"{_some(shown)}: unknown takes have {sum(counts)} numbers, {len(left)} are left"
            yield self._said(anomaly, told, *self.unknown[:SHOWN_MAX])

    def _is_held(self, held: Mapping[int, list[str]]) -> Iterator[Violation]:
        if empty := [n for n, holders in held.items() if not all(holders)]:
            told = f"{_some(empty)} without a holder or a reason"
            yield self._said("held-by-nobody", told, *self.finals[:1], *self.voids[:1])


def _held(told: Operation) -> dict[int, list[str]]:
    """Holders by number; JSON has names for keys."""
    return {
        int(number): list(holders) if isinstance(holders, list) else [holders]
        for number, holders in told.output.items()
    }


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Numbers that follow one another, together."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _some(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - SHOWN_MAX} more" if len(numbers) > SHOWN_MAX else ""
    return ", ".join(map(str, numbers[:SHOWN_MAX])) + more
