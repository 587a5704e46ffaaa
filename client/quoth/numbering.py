"""Numbers of sequences that a session takes with its next save. Pure.

    next_value ──> SequenceNumber ──put into entities, ids──> takings ──save──> taken

A number is taken by the save that writes it, and by nothing before: what is refused, forgotten or
never saved has taken none.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from quoth.batches import NumberPlace, TakeNumbers
from quoth.entities.numbers import MARK, NumberRange, Place, SequenceNumber, keys_in
from quoth.errors import Definite, Misuse
from quoth.operations.checks import check_kind
from quoth.sequences import INITIAL_VALUE, SequenceUse, check_count


@dataclass(frozen=True, slots=True)
class NumberedPut:
    """What is asked of one document: its place in the batch, and where numbers go."""

    command: int
    document_id: str
    places: Sequence[Place]


class SessionNumbers:
    """The numbers that one session waits for, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._ranges: dict[NumberRange, None] = {}
        self._by_key: dict[int, SequenceNumber] = {}
        self._is_in_doubt = False  # a save may have taken numbers, and the session knows none

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def add(self, use: SequenceUse, size: int) -> NumberRange:
        """Numbers to be taken with the next save."""
        check_count(size)
        whole = NumberRange(use.name, size, use.initial_on_wire, use.reset_value)
        self._ranges[whole] = None
        self._by_key.update((each.key, each) for each in whole.numbers)
        return whole

    def discard(self, number: SequenceNumber) -> None:
        """Forget a number, and those that were to be taken with it."""
        check_kind(number, SequenceNumber, "what is discarded")
        self.check(number)
        self._drop(number.range)

    def clear(self) -> None:
        """Forget all of them."""
        self._is_in_doubt = False
        self._ranges.clear()
        self._by_key.clear()

    def check(self, number: SequenceNumber) -> None:
        """Raise Misuse unless the session waits for this number."""
        if number.range not in self._ranges:
            raise Misuse(f"{number!r} is of another session, or was forgotten by clear() or"
                         " discard(): ask this session for one")  # fmt: skip

    def number_in(self, document_id: str) -> SequenceNumber | None:
        """The number that an id waits for. Raises Misuse for an id that cannot be."""
        keys = keys_in(document_id)
        if not keys:
            if MARK in document_id:
                raise Misuse("the id has a part of the text of a number: put the number itself"
                             " in, as in f'invoices/{number}'")  # fmt: skip
            return None
        if len(keys) > 1 or "{number" in document_id.replace(MARK, "", 1):
            raise Misuse("an id has one number of a sequence, and no other text like {number}")
        number = self._by_key.get(keys[0])
        if number is None:
            raise Misuse("the number in this id is of another session, or was forgotten by"
                         " clear() or discard(): ask this session for one")  # fmt: skip
        return number

    def of_key(self, text: str) -> SequenceNumber | None:
        """The number that a text in JSON stands for."""
        keys = keys_in(text)
        return self._by_key.get(keys[0]) if keys else None

    def takings(self, puts: Sequence[NumberedPut]) -> tuple[TakeNumbers, ...]:
        """What a save must take, and where it puts it.

        Raises Misuse for a number that was asked for and is nowhere, and after a save of unknown
        fate: another one would take other numbers for the same documents.
        """
        if self._is_in_doubt:
            raise Misuse("the last save of this session may have taken numbers, and written its"
                         " documents: clear() it, and read what is there")  # fmt: skip
        places: dict[NumberRange, list[tuple[NumberPlace, Place]]] = {
            each: [] for each in self._ranges
        }
        for put in puts:
            for place in put.places:
                self.check(place.number)
                places[place.number.range] += _on_wire(put.command, place)
            number = self.number_in(put.document_id)
            if number is not None:
                index = number.index
                place = Place("", number)
                places[number.range].append((NumberPlace(put.command, None, index), place))
        return tuple(_taking(whole, found) for whole, found in places.items())

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Around a save: if it ends so that nobody knows what was taken, that is remembered."""
        try:
            yield
        except (Definite, Misuse):
            raise
        except BaseException:  # also when nobody waits for it any more
            self._is_in_doubt = bool(self._ranges)
            raise

    def taken(self, takings: Sequence[Sequence[int]]) -> None:
        """The save was made, and took these, in the order of `takings`."""
        for whole, values in zip(list(self._ranges), takings, strict=True):
            assert len(values) == len(whole), "as many as were asked for"
            whole.values = tuple(values)
            self._drop(whole)

    def _drop(self, whole: NumberRange) -> None:
        self._ranges.pop(whole)
        for each in whole.numbers:
            del self._by_key[each.key]


def _on_wire(command: int, place: Place) -> list[tuple[NumberPlace, Place]]:
    index = None if place.is_all else place.number.index
    return [(NumberPlace(command, place.path, index), place)]


def _taking(whole: NumberRange, found: list[tuple[NumberPlace, Place]]) -> TakeNumbers:
    named = {place.number.index for _, place in found if not place.is_all}
    is_whole = any(place.is_all for _, place in found)
    if not is_whole and len(named) < len(whole):
        missing = [number for number in whole.numbers if number.index not in named]
        raise Misuse(
            f"{missing[0]!r} was asked for, and is in no entity that this save writes: put it into"
            " a field or an id, or call session.advanced.sequences.discard(number)"
        )
    wire = [each for each, _ in found]
    if is_whole and named:
        # A node keeps a range in one piece, or number by number.
        wire = [one for each, place in found for one in _one_by_one(each, place)]
    return TakeNumbers(whole.name, len(whole), whole.initial_value, whole.reset_value, tuple(wire))


def _one_by_one(wire: NumberPlace, place: Place) -> list[NumberPlace]:
    if not place.is_all:
        return [wire]
    indexes = range(len(place.number.range))
    return [NumberPlace(wire.command, f"{wire.path}/{index}", index) for index in indexes]


class SessionSequences:
    """`session.advanced.sequences`: gapless numbers, taken by the save that writes them.

        number = session.advanced.sequences.next_value("invoices")
        invoice = Invoice(number=number, customer="Quoth")
        await session.store(invoice, f"invoices/{number:06}")
        await session.save_changes()
        print(invoice.number, invoice.Id)             # 42 invoices/000042

    A save that is refused has taken no number, and can be made again. One of unknown fate
    (FateUnknown), or one that was made and not seen elsewhere in time (ReplicationTimeout), cannot:
    its numbers are taken exactly if its documents are written. `clear` the session, and look.
    """

    def __init__(self, numbers: SessionNumbers, check: Callable[[], None]) -> None:
        self._numbers = numbers
        self._check = check

    def next_value(
        self,
        sequence_name: str = "default",
        initial_value: int = INITIAL_VALUE,
        reset_value: int | None = None,
    ) -> Any:
        """The next number of a sequence: a SequenceNumber, for any field that takes an int.

        It may stand in several fields and entities, in lists and dictionaries inside them, and in
        one id. The first document that has it holds it; another of the same collection that has it
        in the same field is a duplicate to `quoth sequence verify`. One that is asked for and
        nowhere when the session saves is Misuse. Where a class checks its values when it is made
        (pydantic), assign it afterwards; where it checks assignments, too, use `model_construct`.

        `initial_value` is where a new sequence begins; given, and not 1, it must be that of the
        sequence. A sequence with a `reset_value` begins anew before it reaches it. BadRequest by
        the save otherwise.
        """
        return self.next_values(1, sequence_name, initial_value, reset_value)[0]

    def next_values(
        self,
        batch_size: int,
        sequence_name: str = "default",
        initial_value: int = INITIAL_VALUE,
        reset_value: int | None = None,
    ) -> list[Any]:
        """So many numbers that follow each other, 10,000 at most; as `next_value`.

        All of them must be in entities of one save. The whole list may be a field.
        """
        self._check()
        use = SequenceUse(sequence_name, initial_value, reset_value)
        return list(self._numbers.add(use, batch_size).numbers)

    def discard(self, number: SequenceNumber) -> None:
        """Take a number back, and those of the same `next_values`: the save will not take them."""
        self._check()
        self._numbers.discard(number)
