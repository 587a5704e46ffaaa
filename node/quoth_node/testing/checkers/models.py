"""Things that many clients use at once, as one client alone would see them. Pure.

A model says what an operation makes of a state. For an operation that is done, what it was told
has to agree; one that failed is only there to the model if its failure tells something of the
state; one that is unknown may be left out by whoever asks.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from quoth_node.testing.history import ABSENT, Operation


class Never(Enum):
    """An operation that cannot have gone so in a state."""

    IMPOSSIBLE = "impossible"


IMPOSSIBLE = Never.IMPOSSIBLE
SOMETHING_ELSE = ("something", "else")  # no value of JSON


class Doubt(Enum):
    """What may be assumed of two operations, when one of them may as well not have happened.

    An unknown operation is worth doing only right before one that is possible by it alone: before
    any other it can as well come later, or not at all, whether the other OVERWRITES it or COMMUTES
    with it. In the first case the same is true of two unknown ones; in the second any order of them
    will do, so one is enough. ORDERED: nothing can be assumed, and all is tried.
    """

    OVERWRITES = "overwrites"
    COMMUTES = "commutes"
    ORDERED = "ordered"


class Model(Protocol):
    """A thing, and what operations do to it."""

    @property
    def initial(self) -> Hashable:
        """The state before all."""

    @property
    def doubt(self) -> Doubt:
        """What may be assumed of unknown operations."""

    def worth_trying(self, operations: Sequence[Operation]) -> list[Operation]:
        """Without those that tell nothing, or cannot explain what others were told."""

    def step(self, state: Hashable, operation: Operation) -> Hashable | Never:
        """The state after it, if it can have gone so."""

    def serves(self, state: Hashable, operation: Operation) -> bool:
        """Whether a state may be on the way to one that makes an operation possible."""

    def states(self, operations: Sequence[Operation]) -> list[Hashable] | None:
        """All the states, of which operations could tell; None if they are too many to name."""


@dataclass(frozen=True, slots=True)
class Register:
    """One value. "read" gives it, "write" of [new], "cas" of [old, new], "delete" of [] or [old].

    A cas that failed tells that the value was not `old`; its output, if any, is what was there.
    """

    initial: Hashable = ABSENT
    doubt: Doubt = Doubt.OVERWRITES

    def worth_trying(self, operations: Sequence[Operation]) -> list[Operation]:
        """Unknown writes of what nobody saw count only if a cas failed that does not say why."""
        telling = [one for one in operations if one.ok or _is_refusal(one)]
        unknown = [one for one in operations if one.ok is None and one.f != "read"]
        if any(one.ok is False and one.output is None for one in telling):
            return telling + unknown
        seen = {_needed(one) for one in telling}
        while found := [one for one in unknown if _made(one) in seen]:
            unknown = [one for one in unknown if _made(one) not in seen]
            telling += found
            seen |= {_needed(one) for one in found}
        return telling

    def step(self, state: Hashable, operation: Operation) -> Hashable | Never:
        """What the register holds afterwards."""
        if operation.f == "read":
            return state if operation.output == state else IMPOSSIBLE
        old, new = _old(operation), _made(operation)
        if old is None:
            return new
        if operation.ok is not False:
            return new if state == old else IMPOSSIBLE
        is_as_told = operation.output is None or operation.output == state
        return state if state != old and is_as_told else IMPOSSIBLE

    def serves(self, state: Hashable, operation: Operation) -> bool:
        """Only the one value that it was told, or any other than the one it was refused for."""
        if operation.ok is False and operation.output is None:
            return state != _old(operation)
        return _needed(operation) == state

    def states(self, operations: Sequence[Operation]) -> list[Hashable]:
        """Every value of which operations speak, and one of which none does."""
        found: dict[Hashable, None] = {self.initial: None, SOMETHING_ELSE: None}
        for one in operations:
            found |= dict.fromkeys((*one.input, one.output))
        return list(found)


@dataclass(frozen=True, slots=True)
class Counter:
    """One number. "read" gives it, "add" of [amount] gives nothing, or the number it has made."""

    initial: Hashable = 0
    doubt: Doubt = Doubt.COMMUTES

    def worth_trying(self, operations: Sequence[Operation]) -> list[Operation]:
        """What is done, and additions that may be."""
        return [one for one in operations if one.ok or (one.ok is None and one.f == "add")]

    def step(self, state: Hashable, operation: Operation) -> Hashable | Never:
        """The number afterwards."""
        assert isinstance(state, int), "a counter counts"
        after = state + operation.input[0] if operation.f == "add" else state
        told = operation.output if operation.ok else None
        return after if told is None or told == after else IMPOSSIBLE

    def serves(self, state: Hashable, operation: Operation) -> bool:
        """Amounts may be negative, so every number may."""
        return True

    def states(self, operations: Sequence[Operation]) -> None:
        """Too many."""


@dataclass(frozen=True, slots=True)
class GrowingSet:
    """A set. "add" of [value], "read" gives a list of all values."""

    initial: Hashable = frozenset()
    doubt: Doubt = Doubt.COMMUTES

    def worth_trying(self, operations: Sequence[Operation]) -> list[Operation]:
        """What is done, and additions that somebody saw."""
        seen = {value for one in operations if one.ok and one.f == "read" for value in one.output}
        return [
            one
            for one in operations
            if one.ok or (one.ok is None and one.f == "add" and one.input[0] in seen)
        ]

    def step(self, state: Hashable, operation: Operation) -> Hashable | Never:
        """The set afterwards."""
        assert isinstance(state, frozenset), "it is a set"
        if operation.f == "add":
            return state | {operation.input[0]}
        is_all = len(state) == len(operation.output) and state.issuperset(operation.output)
        return state if is_all else IMPOSSIBLE

    def serves(self, state: Hashable, operation: Operation) -> bool:
        """A set that grows never loses what the reader did not see."""
        assert isinstance(state, frozenset), "it is a set"
        return operation.f == "read" and state.issubset(operation.output)

    def states(self, operations: Sequence[Operation]) -> None:
        """Too many."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The next number. "take" of [count, ...] gives that many, one after another.

    From the one before `end` it goes on with `first`, if there is an `end`.
    """

    first: int = 1
    end: int | None = None
    doubt: Doubt = Doubt.COMMUTES

    @property
    def initial(self) -> Hashable:
        """The first of all."""
        return self.first

    def worth_trying(self, operations: Sequence[Operation]) -> list[Operation]:
        """What is done, or may be."""
        return [one for one in operations if one.f == "take" and one.ok is not False]

    def step(self, state: Hashable, operation: Operation) -> Hashable | Never:
        """The next number afterwards."""
        assert isinstance(state, int), "it is a number"
        numbers = self.after(state, operation.input[0])
        if operation.ok and list(operation.output) != numbers[:-1]:
            return IMPOSSIBLE
        return numbers[-1]

    def after(self, number: int, count: int) -> list[int]:
        """A number and the `count` that follow it."""
        if self.end is None:
            return list(range(number, number + count + 1))
        size = self.end - self.first
        return [self.first + (number - self.first + step) % size for step in range(count + 1)]

    def serves(self, state: Hashable, operation: Operation) -> bool:
        """Taking goes through all of them."""
        return True

    def states(self, operations: Sequence[Operation]) -> list[Hashable] | None:
        """All that can be next, if there is an end."""
        return None if self.end is None else list(range(self.first, self.end))


def changes_nothing(one: Operation) -> bool:
    """Whether it leaves every state as it is."""
    return one.f == "read" or one.ok is False


def _is_refusal(one: Operation) -> bool:
    """Whether it failed for what the register held."""
    return one.ok is False and _old(one) is not None


def _old(one: Operation) -> Hashable | None:
    """What has to be there for it; None if nothing has to."""
    if one.f == "cas" or (one.f == "delete" and one.input):
        old: Hashable = one.input[0]
        return old
    return None


def _made(one: Operation) -> Hashable:
    """What it leaves there."""
    return ABSENT if one.f == "delete" else one.input[-1]


def _needed(one: Operation) -> Hashable | None:
    """The one value it can have found; None if any will do."""
    return one.output if one.f == "read" or one.ok is False else _old(one)
