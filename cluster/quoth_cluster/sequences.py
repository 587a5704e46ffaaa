"""Gapless sequences: the numbers 1, 2, 3 ... of a name, and who holds each.

A number is taken by the command that uses it, when that is applied. So there is no gap to close:
every number from the first to the last is written down, in order, with the document that has it,
with whoever has it outside, as reserved, or as void with a reason. What is refused takes none.

    q name               the sequence: parameters, how many numbers are taken
    h sequence, ordinal  one row for numbers that were taken together into one place

A row is found by the *ordinal* of its first number: how many were taken up to it. It tells the
number, and one from another when the sequence has begun anew at its reset value. Rows follow each
other without a gap. A sequence that is deleted and made again has another number of its own, so it
meets no row of before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from quoth_cluster.errors import CorruptFile
from quoth_cluster.outcomes import Refusal, Refused
from quoth_cluster.sequence_commands import SequenceUse
from quoth_cluster.sequence_outcomes import Taken, value_at
from quoth_cluster.step import INTEGER_MAX, invalid
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import NUMBERS, SEQUENCE

NAME_BYTES_MAX = 512
COUNT_MAX = 10_000  # numbers of one command
TAKINGS_MAX = 1_000  # sequences, or times, of one command
INTEGER_MIN = -(2**63)
INITIAL_VALUE = 1  # of a sequence whose maker names none


class NumberState(IntEnum):
    """What became of numbers that were taken."""

    DOCUMENT = 0  # a document has them
    OUTSIDE = 1  # somebody outside of the database has them
    RESERVED = 2
    VOID = 3  # nobody has them, and a reason is given


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence as it stands. Invariant: of `taken` numbers some are reserved, others void."""

    name: str
    number: int  # nobody else's, ever; see `new_number`
    initial_value: int
    reset_value: int | None
    taken: int = 0
    reserved: int = 0
    void: int = 0

    @property
    def last_value(self) -> int | None:
        """The number that was taken last; None before the first."""
        return self.value_at(self.taken) if self.taken else None

    def value_at(self, ordinal: int) -> int:
        """The number that is the `ordinal`th to be taken, from 1."""
        return value_at(ordinal, self.initial_value, self.reset_value)

    def ordinal_of(self, value: int) -> int | None:
        """The ordinal of the last time that this number was taken; None if it never was."""
        at = value - self.initial_value
        if self.reset_value is not None and value < self.reset_value and at >= 0:
            span = self.reset_value - self.initial_value
            at += max(0, (self.taken - 1 - at) // span) * span
        return at + 1 if 0 <= at < self.taken else None

    def part(self, ordinal: int, count: int) -> Taken:
        """The numbers from `ordinal` on."""
        return Taken(self.name, ordinal, count, self.initial_value, self.reset_value)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers that were taken together, and what became of them."""

    ordinal: int  # of the first
    count: int
    state: NumberState
    at_micros: int  # when they were taken, confirmed or became void
    holder: str  # id of the document; who has them outside; the reason why they are void
    path: str | None = None  # where in the document; None: only in its id
    is_array: bool = False  # all of them stand there, in order
    token: int | None = None  # while the reservation may be confirmed
    until_micros: int | None = None  # while they are reserved

    @property
    def end(self) -> int:
        """The ordinal behind the last."""
        return self.ordinal + self.count


# Taking


def new_number(command_index: int, at: int = 0) -> int:
    """The number of the `at`th sequence that one command makes."""
    assert 0 <= at < TAKINGS_MAX
    return command_index * TAKINGS_MAX + at


def use(
    txn: ReadTxn, wanted: SequenceUse, *, number: int, known: Sequence | None = None
) -> Sequence | Refused:
    """The sequence that is meant, or a new one; `known` is what the same command made of it.

    Every parameter that is named must be that of the sequence.
    """
    if (refused := check_use(wanted)) is not None:
        return refused
    found = known or get(txn, wanted.name)
    if found is None:
        initial = INITIAL_VALUE if wanted.initial_value is None else wanted.initial_value
        found = Sequence(wanted.name, number, initial, wanted.reset_value)
        return _check_reset(found) or found
    return _check_agrees(found, wanted) or found


def take(sequence: Sequence, count: int) -> tuple[Sequence, Taken] | Refused:
    """The sequence after its next `count` numbers, and these."""
    if not 1 <= count <= COUNT_MAX:
        return invalid(f"1 to {COUNT_MAX} numbers are taken at a time, not {count}.")
    taken = sequence.part(sequence.taken + 1, count)
    last = sequence.taken + count
    if last > INTEGER_MAX or sequence.value_at(last) > INTEGER_MAX:
        left = max(0, INTEGER_MAX - (sequence.last_value or sequence.initial_value - 1))
        return Refused(
            Refusal.SEQUENCE_ENDED,
            f"The sequence '{sequence.name}' has {left} numbers left up to {INTEGER_MAX}, "
            f"and {count} are wanted.",
        )
    initial, reset = sequence.initial_value, sequence.reset_value
    after = Sequence(
        *(sequence.name, sequence.number, initial, reset, last, sequence.reserved, sequence.void)
    )
    return after, taken


def check_name(name: str) -> Refused | None:
    """Refuse a name that is empty, too long, or holds a NUL."""
    if 0 < len(name.encode()) <= NAME_BYTES_MAX and "\0" not in name:
        return None
    return invalid(f"The name of a sequence has 1 to {NAME_BYTES_MAX} bytes, and no NUL.")


def check_use(wanted: SequenceUse) -> Refused | None:
    """Refuse parameters that no sequence can have."""
    if (refused := check_name(wanted.name)) is not None:
        return refused
    if wanted.never_resets and wanted.reset_value is not None:
        return invalid(f"The sequence '{wanted.name}' has a reset value or has none, not both.")
    for value in (wanted.initial_value, wanted.reset_value):
        if value is not None and not INTEGER_MIN <= value <= INTEGER_MAX:
            return invalid(f"Numbers of a sequence are of 64 bits, and {value} is not.")
    return None


def _check_reset(new: Sequence) -> Refused | None:
    if new.reset_value is None or new.reset_value > new.initial_value:
        return None
    return invalid(
        f"The reset value of the sequence '{new.name}' is {new.reset_value}: it must be above "
        f"the initial value, {new.initial_value}."
    )


def _check_agrees(found: Sequence, wanted: SequenceUse) -> Refused | None:
    initial, reset = wanted.initial_value, wanted.reset_value
    claims_reset = wanted.never_resets or reset is not None
    if initial in (None, found.initial_value) and not (claims_reset and reset != found.reset_value):
        return None
    return Refused(
        Refusal.SEQUENCE_PARAMETERS,
        f"The sequence '{found.name}' has the initial value {found.initial_value} and "
        f"{_reset_text(found.reset_value)}; it was asked for with the initial value "
        f"{found.initial_value if initial is None else initial} and "
        f"{_reset_text(reset if claims_reset else found.reset_value)}. No number was taken.",
    )


def _reset_text(reset_value: int | None) -> str:
    return "no reset value" if reset_value is None else f"the reset value {reset_value}"


# Reading


def get(txn: ReadTxn, name: str) -> Sequence | None:
    """The sequence of that name, in exactly these letters."""
    value = txn.get(_key(name))
    if value is None:
        return None
    found = _decode(value)
    if found.name != name:
        raise CorruptFile(f"a stored sequence is not the one of its key: {found.name}")
    return found


def every(txn: ReadTxn, *, start_after: str = "") -> Iterator[Sequence]:
    """All sequences, in the order of the bytes of their names, behind `start_after`."""
    after = start_after.encode() or None
    values = keys.scan_text(txn, keys.SEQUENCES, b"", after=after, text_of=_name_in)
    return map(_decode, values)


def numbers(txn: ReadTxn, sequence: Sequence, *, ordinal: int = 1) -> Iterator[Numbers]:
    """Rows in order, from the one that holds `ordinal` on."""
    first = numbers_at(txn, sequence, ordinal)
    start = ordinal if first is None else first.ordinal
    rows = txn.scan(
        keys.of_numbers(keys.NUMBERS, sequence.number),
        start=keys.of_numbers(keys.NUMBERS, sequence.number, start),
    )
    return (decode_numbers(key, value) for key, value in rows)


def numbers_at(txn: ReadTxn, sequence: Sequence, ordinal: int) -> Numbers | None:
    """The row that holds the `ordinal`th number; None if it is not taken.

    Nor is there one in a gap, which whoever proves that there is none must be able to see.
    """
    if not 1 <= ordinal <= sequence.taken:
        return None
    prefix = keys.of_numbers(keys.NUMBERS, sequence.number)
    start = keys.of_numbers(keys.NUMBERS, sequence.number, ordinal)
    for key, value in txn.scan(prefix, start=start, reverse=True):
        found = decode_numbers(key, value)
        return found if ordinal < found.end else None
    return None


# Writing


def store(txn: WriteTxn, sequence: Sequence) -> None:
    """Write a sequence over what was there."""
    assert 0 <= sequence.reserved + sequence.void <= sequence.taken <= INTEGER_MAX
    packed = SEQUENCE.pack(
        sequence.name,
        sequence.number,
        sequence.initial_value,
        sequence.reset_value,
        sequence.taken,
        sequence.reserved,
        sequence.void,
    )
    txn.put(_key(sequence.name), packed)


def forget(txn: WriteTxn, sequence: Sequence) -> None:
    """Remove a sequence; its rows are for the caller."""
    txn.delete(_key(sequence.name))


def note(txn: WriteTxn, sequence: Sequence, row: Numbers) -> None:
    """Write down what became of numbers."""
    packed = NUMBERS.pack(
        int(row.state),
        row.count,
        row.at_micros,
        row.holder,
        row.path,
        row.is_array,
        row.token,
        row.until_micros,
    )
    txn.put(keys.of_numbers(keys.NUMBERS, sequence.number, row.ordinal), packed)


def decode_numbers(key: bytes, value: bytes) -> Numbers:
    """The row of a key and a value."""
    state, *fields = NUMBERS.unpack(value)[0]
    count, at_micros, holder, path, is_array, token, until_micros = fields
    return Numbers(
        keys.numbers_of(key)[1],
        count,
        NumberState(state),
        at_micros,
        holder,
        path,
        is_array,
        token,
        until_micros,
    )


def _key(name: str) -> bytes:
    return keys.of_text(keys.SEQUENCES, name.encode())


def _decode(value: bytes) -> Sequence:
    return Sequence(*SEQUENCE.unpack(value)[0])


def _name_in(value: bytes) -> bytes:
    return _decode(value).name.encode()
