"""Sequences without gaps: what is asked of them, and what is told of their numbers. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from quoth.batches import use_on_wire
from quoth.errors import Misuse
from quoth.operations.checks import NUMBER_MAX, check_letters, check_number
from quoth.serialization import JsonObject, from_json

INITIAL_VALUE = 1
NAME_BYTES_MAX = 512
NUMBER_MIN = -NUMBER_MAX - 1
COUNT_MAX = 10_000
TEXT_BYTES_MAX = 512  # of a holder, or a reason
LEASE_SECONDS = 60.0
LEASE_SECONDS_MIN, LEASE_SECONDS_MAX = 0.001, 7 * 24 * 60 * 60.0


def check_sequence_name(name: object) -> None:
    """`name` can be that of a sequence: 1 to 512 bytes, case counts."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise Misuse(f"the name of a sequence is a text with something in it, not {name!r:.80}")
    if len(name.encode(errors="replace")) > NAME_BYTES_MAX:
        raise Misuse(f"the name of a sequence has at most {NAME_BYTES_MAX} bytes: {name:.80}...")
    check_letters(name, "the name of a sequence")


def check_count(count: object) -> None:
    """`count` is how many numbers can be taken at a time."""
    check_number(count, "how many numbers are taken", low=1, high=COUNT_MAX)


def check_holder(text: object, what: str) -> None:
    """`text` says who holds numbers, or why nobody does."""
    if not isinstance(text, str) or len(text.encode(errors="replace")) > TEXT_BYTES_MAX:
        raise Misuse(f"{what} is a text of at most {TEXT_BYTES_MAX} bytes, not {text!r:.80}")
    check_letters(text, what)


def check_lease(seconds: object) -> None:
    """`seconds` is how long a reservation can be."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not LEASE_SECONDS_MIN <= seconds <= LEASE_SECONDS_MAX:  # type: ignore[operator]
        raise Misuse(f"a lease has {LEASE_SECONDS_MIN} to {LEASE_SECONDS_MAX:g} seconds,"
                     f" not {seconds!r:.80}")  # fmt: skip


@dataclass(frozen=True, slots=True)
class SequenceUse:
    """Which sequence, and what it is said to be like.

    An initial value of 1, which is what is said by saying nothing, claims nothing of a sequence
    that is there; any other, and a reset value, must be those of the sequence.
    """

    name: str = "default"
    initial_value: int = INITIAL_VALUE
    reset_value: int | None = None

    def __post_init__(self) -> None:
        check_sequence_name(self.name)
        check_number(self.initial_value, "the initial value", low=NUMBER_MIN)
        if self.reset_value is not None:
            check_number(self.reset_value, "the reset value", low=NUMBER_MIN)
            if self.reset_value <= self.initial_value:
                raise Misuse(f"the reset value {self.reset_value} must be above the initial value"
                             f" {self.initial_value}")  # fmt: skip

    @property
    def initial_on_wire(self) -> int | None:
        """What is claimed."""
        return None if self.initial_value == INITIAL_VALUE else self.initial_value

    def to_wire(self, name_field: str = "Name") -> JsonObject:
        return use_on_wire(name_field, self.name, self.initial_on_wire, self.reset_value)


class NumberState(Enum):
    """What became of a number."""

    DOCUMENT = "Document"  # it is in a document, or in its id
    OUTSIDE = "Outside"  # somebody outside the database has it
    RESERVED = "Reserved"  # until it is confirmed, released, or its time is over
    VOID = "Void"  # nobody has it, for a reason


@dataclass(frozen=True, slots=True)
class HeldNumbers:
    """Numbers that were taken together, and who holds them: a row of the journal.

    `ordinal` is how many numbers of the sequence had been taken with the first of these. `holder`
    is the id of a document, or what somebody outside called himself; `reason` is why nobody holds
    void ones. `path` is where they stand in the document as a JSON pointer, None if only its id has
    the number; `is_array`: all of them, in one list. `token` and `until` are those of a reservation
    that can still be confirmed.
    """

    number: int
    count: int
    state: NumberState
    at: datetime
    ordinal: int
    holder: str | None = None
    reason: str | None = None
    path: str | None = None
    is_array: bool = False
    token: int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SequenceInfo:
    """One sequence. `last_value` is None before the first number, and again if all were given back.

    `taken` is how many numbers there are, with the `reserved` and the `void` ones.
    """

    name: str
    last_value: int | None
    initial_value: int
    reset_value: int | None
    taken: int
    reserved: int
    void: int


@dataclass(frozen=True, slots=True)
class TakenNumbers:
    """Numbers that are the caller's. `was_void`, `given_back`: of a reservation that has ended.

    was_void: the reservation was over before it was confirmed, and the journal had said so.
    given_back: the next caller takes these numbers again; otherwise they are void.
    """

    name: str
    values: Sequence[int]
    was_void: bool = False
    given_back: bool = False


@dataclass(frozen=True, slots=True)
class ReservedNumbers:
    """Numbers for a while. `token` grows with every reservation of the cluster."""

    name: str
    values: Sequence[int]
    token: int
    until: datetime


def values_of(numbers: list[int]) -> Sequence[int]:
    """Numbers in order: a range, or a list if the sequence began anew among them."""
    first = numbers[0]
    whole = range(first, first + len(numbers))
    return whole if numbers[-1] == whole[-1] else numbers


def info_of(wire: JsonObject) -> SequenceInfo:
    return SequenceInfo(
        wire["Name"],
        wire["LastValue"],
        wire["InitialValue"],
        wire["ResetValue"],
        wire["Taken"],
        wire["Reserved"],
        wire["Void"],
    )


def held_of(wire: JsonObject) -> HeldNumbers:
    return HeldNumbers(
        number=wire["Number"],
        count=wire["Count"],
        state=NumberState(wire["State"]),
        at=moment(wire["At"]),
        ordinal=wire["Ordinal"],
        holder=wire.get("Holder"),
        reason=wire.get("Reason"),
        path=wire.get("Path"),
        is_array=bool(wire.get("All")),
        token=wire.get("Token"),
        until=None if wire.get("Until") is None else moment(wire["Until"]),
    )


def moment(wire: Any) -> datetime:
    """A time of the wire, in UTC."""
    return from_json(wire, datetime, name="a time")
