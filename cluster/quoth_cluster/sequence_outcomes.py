"""What the steps of gapless sequences answer. Numbers in `CLASSES` are for ever."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Taken:
    """Numbers that were taken together, and what says which they are."""

    name: str
    ordinal: int  # of the first: how many were taken up to it, from 1
    count: int
    initial_value: int
    reset_value: int | None

    @property
    def values(self) -> tuple[int, ...]:
        """The numbers, in order."""
        ordinals = range(self.ordinal, self.ordinal + self.count)
        return tuple(value_at(one, self.initial_value, self.reset_value) for one in ordinals)


@dataclass(frozen=True, slots=True)
class NumbersIssued:
    """Numbers are out; nobody gets them again."""

    taken: Taken


@dataclass(frozen=True, slots=True)
class NumbersReserved:
    """Numbers are reserved. The token grows from one reservation to the next."""

    taken: Taken
    token: int
    until_micros: int


@dataclass(frozen=True, slots=True)
class NumbersConfirmed:
    """Numbers have a holder. `was_void`: the reservation had ended, and nobody else got them."""

    taken: Taken
    was_void: bool


@dataclass(frozen=True, slots=True)
class NumbersReleased:
    """Numbers were given back, to be taken next, or else are void with a reason."""

    taken: Taken
    given_back: bool


@dataclass(frozen=True, slots=True)
class SequenceDeleted:
    """The sequence is no more."""

    name: str
    found: bool


@dataclass(frozen=True, slots=True)
class SequencesTended:
    """So many reservations became void, so many rows went; there is `more` of either."""

    voided: int
    removed: int
    more: bool


SequenceOutcome = (
    NumbersIssued
    | NumbersReserved
    | NumbersConfirmed
    | NumbersReleased
    | SequenceDeleted
    | SequencesTended
)

CLASSES: dict[int, type] = {
    40: Taken,
    42: NumbersIssued,
    43: NumbersReserved,
    44: NumbersConfirmed,
    45: NumbersReleased,
    46: SequenceDeleted,
    47: SequencesTended,
}


def value_at(ordinal: int, initial_value: int, reset_value: int | None) -> int:
    """The number that is taken as the `ordinal`th of a sequence, from 1."""
    at = ordinal - 1
    return initial_value + (at if reset_value is None else at % (reset_value - initial_value))
