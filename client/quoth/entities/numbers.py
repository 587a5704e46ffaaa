"""Numbers of sequences that a save will take, and what stands for them until then.

In an entity a SequenceNumber stands, in its JSON a Mark: a text that tells one number from all
others, so that bytes can be compared. In ids a text with the same beginning stands. None of these
texts leaves the client: `plain.encode` refuses them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NoReturn

from quoth.errors import Misuse

MARK = "\uf8ff{number "  # no document has this by chance: the first character is nobody's
MARK_BYTES = MARK.encode()
_TEXT = re.compile(MARK + r"(\d+)(?::(\d+))?\}")
_FORMAT = re.compile(r"|d|0([1-9]\d?)d?")
DIGITS_MAX = 40
_keys = count(1)


class NumberRange:
    """Numbers of one sequence that follow each other, to be taken by one save.

    `values` are None until it has taken them.
    """

    def __init__(
        self, name: str, size: int, initial_value: int | None, reset_value: int | None
    ) -> None:
        self.name = name
        self.initial_value = initial_value
        self.reset_value = reset_value
        self.numbers = tuple(SequenceNumber(self, index) for index in range(size))
        self.values: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.numbers)


class SequenceNumber:
    """A number of a sequence that the next save takes: `session.advanced.sequences.next_value`.

    Put it into a field of an entity, or into its id. After `save_changes` the field holds a plain
    `int`, and `value` tells it as well. Before that nobody knows it: whatever would need the number
    raises Misuse. Two of them are equal exactly if they are the same object, before and after.
    """

    __slots__ = ("_index", "_range", "key")

    def __init__(self, whole: NumberRange, index: int) -> None:
        self._range = whole
        self._index = index
        self.key = next(_keys)

    @property
    def sequence_name(self) -> str:
        """The sequence it is taken of."""
        return self._range.name

    @property
    def range(self) -> NumberRange:
        """The numbers that are taken with it."""
        return self._range

    @property
    def index(self) -> int:
        """Its place among them, from 0."""
        return self._index

    @property
    def is_known(self) -> bool:
        """Whether a save has taken it."""
        return self._range.values is not None

    @property
    def value(self) -> int:
        """The number. Raises Misuse before the save."""
        if self._range.values is None:
            raise Misuse(
                f"the next number of the sequence {self._range.name!r} is known after"
                " save_changes: until then it can be put into fields and ids, and nothing else"
            )
        return self._range.values[self._index]

    def in_id(self, prefix: str, *, digits: int = 1, suffix: str = "") -> str:
        """An id with the number in it, to be given to `store`; at least `digits` digits.

        `number.in_id("invoices/", digits=6)` is what f"invoices/{number:06}" is.
        """
        if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= DIGITS_MAX:
            raise Misuse(f"a number in an id has 1 to {DIGITS_MAX} digits, not {digits!r:.80}")
        return f"{prefix}{self:{f'0{digits}' if digits > 1 else ''}}{suffix}"

    def __format__(self, spec: str) -> str:
        if self.is_known:
            return format(self.value, spec)
        match = _FORMAT.fullmatch(spec)
        if match is None or int(match[1] or 1) > DIGITS_MAX:
            raise Misuse(f"in an id a number is {{number}}, or {{number:06}} with zeros in front:"
                         f" {spec!r} cannot be done before it is known")  # fmt: skip
        return f"{MARK}{self.key}:{match[1]}}}" if match[1] else f"{MARK}{self.key}}}"

    def __str__(self) -> str:
        return format(self)

    def __repr__(self) -> str:
        name = self._range.name
        if self.is_known:
            return f"<SequenceNumber {self.value} of {name!r}>"
        place = f" [{self._index}]" if len(self._range) > 1 else ""
        return f"<SequenceNumber of {name!r}{place}, known after save_changes>"

    def __copy__(self) -> "SequenceNumber":
        return self

    def __deepcopy__(self, memo: object) -> "SequenceNumber":
        return self

    def __reduce__(self) -> NoReturn:
        raise Misuse(f"{self!r} belongs to its session and cannot be pickled: use its value")

    def __int__(self) -> int:
        return self.value

    def __index__(self) -> int:
        return self.value

    def __float__(self) -> float:
        return float(self.value)

    def __add__(self, other: Any) -> Any:
        return self.value + other

    def __radd__(self, other: Any) -> Any:
        return other + self.value

    def __sub__(self, other: Any) -> Any:
        return self.value - other

    def __rsub__(self, other: Any) -> Any:
        return other - self.value

    def __mul__(self, other: Any) -> Any:
        return self.value * other

    def __rmul__(self, other: Any) -> Any:
        return other * self.value

    def __mod__(self, other: Any) -> Any:
        return self.value % other

    def __floordiv__(self, other: Any) -> Any:
        return self.value // other

    def __truediv__(self, other: Any) -> Any:
        return self.value / other

    def __rmod__(self, other: Any) -> Any:
        return other % self.value

    def __rfloordiv__(self, other: Any) -> Any:
        return other // self.value

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.value

    def __divmod__(self, other: Any) -> Any:
        return divmod(self.value, other)

    def __rdivmod__(self, other: Any) -> Any:
        return divmod(other, self.value)

    def __pow__(self, other: Any) -> Any:
        return self.value**other

    def __rpow__(self, other: Any) -> Any:
        return other**self.value

    def __neg__(self) -> int:
        return -self.value

    def __pos__(self) -> int:
        return self.value

    def __abs__(self) -> int:
        return abs(self.value)

    def __round__(self, digits: int | None = None) -> int:
        return round(self.value, digits) if digits is not None else self.value

    def __lt__(self, other: Any) -> Any:
        return self.value < other

    def __le__(self, other: Any) -> Any:
        return self.value <= other

    def __gt__(self, other: Any) -> Any:
        return self.value > other

    def __ge__(self, other: Any) -> Any:
        return self.value >= other


class Mark(str):
    """What stands for a number in JSON."""

    number: SequenceNumber


def marked(number: SequenceNumber) -> Mark | int:
    """How a number is written: itself if it is known."""
    if number.is_known:
        return number.value
    mark = Mark(f"{MARK}{number.key}}}")
    mark.number = number
    return mark


@dataclass(frozen=True, slots=True)
class Place:
    """Where a number stands in a document, as a JSON pointer; `is_all`: its whole range does."""

    path: str
    number: SequenceNumber
    is_all: bool = False


def places_in(plain: Any, path: str = "") -> Iterator[Place]:
    """The numbers that a JSON value waits for."""
    if isinstance(plain, Mark):
        yield Place(path, plain.number)
    elif isinstance(plain, dict):
        for name, item in plain.items():
            if isinstance(item, dict | list | Mark):
                step = name.replace("~", "~0").replace("/", "~1")
                yield from places_in(item, f"{path}/{step}")
    elif isinstance(plain, list):
        whole = _whole_range(plain)
        if whole is not None:
            yield Place(path, whole.numbers[0], is_all=True)
            return
        for index, item in enumerate(plain):
            yield from places_in(item, f"{path}/{index}")


def _whole_range(plain: list[Any]) -> NumberRange | None:
    """The range that a list is, number by number."""
    if len(plain) < 2 or not all(isinstance(item, Mark) for item in plain):
        return None
    whole: NumberRange = plain[0].number.range
    return whole if tuple(item.number for item in plain) == whole.numbers else None


def with_marks_as(plain: Any, value_of: Callable[[SequenceNumber], Any]) -> Any:
    """The same JSON value with something else for each mark. What has none is not copied."""
    if isinstance(plain, Mark):
        return value_of(plain.number)
    if isinstance(plain, dict):
        items = {name: with_marks_as(item, value_of) for name, item in plain.items()}
        is_same = all(items[name] is item for name, item in plain.items())
        return plain if is_same else items
    if isinstance(plain, list):
        found = [with_marks_as(item, value_of) for item in plain]
        is_same = all(new is old for new, old in zip(found, plain, strict=True))
        return plain if is_same else found
    return plain


def fill(plain: Any) -> None:
    """Put the numbers, which are known now, in the place of their marks."""
    if isinstance(plain, dict | list):
        for key, item in list(plain.items() if isinstance(plain, dict) else enumerate(plain)):
            if isinstance(item, Mark):
                plain[key] = item.number.value
            else:
                fill(item)


def keys_in(text: str) -> list[int]:
    """The keys of the numbers that a text waits for."""
    return [int(match[1]) for match in _TEXT.finditer(text)]


def id_on_wire(document_id: str) -> str:
    """An id as a node is told: `invoices/{number:06}`."""
    return _TEXT.sub(lambda m: f"{{number:0{m[2]}}}" if m[2] else "{number}", document_id)
