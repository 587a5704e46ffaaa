"""Checks of what operations are made with. They raise Misuse, and say what was expected."""

from collections.abc import Collection
from enum import Enum
from typing import Any, TypeVar

from quoth.commands import fold
from quoth.errors import Misuse

NAME_BYTES_MAX = 512
NUMBER_MAX = 2**63 - 1

E = TypeVar("E", bound=Enum)


def check_name(value: object, what: str) -> None:
    """`value` names something: a text with something in it, of at most 512 bytes."""
    check_text(value, what)
    assert isinstance(value, str), "just checked"
    if len(fold(value).encode()) > NAME_BYTES_MAX:
        raise Misuse(f"{what} has at most {NAME_BYTES_MAX} bytes: {value:.80}...")


def check_text(value: object, what: str) -> None:
    """`value` is a text of any length, with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise Misuse(f"{what} is a text with something in it, not {value!r:.80}")
    check_letters(value, what)


def check_letters(value: str, what: str) -> None:
    """`value` has nothing but letters that can be sent: a half of a surrogate pair is none."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Misuse(f"{what} cannot be sent: {error.reason}: {value!r:.80}") from None


def check_names(values: object, what: str) -> tuple[str, ...]:
    """At least one name; as a tuple. One text alone would be taken for its letters."""
    if isinstance(values, str) or not isinstance(values, Collection):
        raise Misuse(f"{what}: a list of names, not {values!r:.80}")
    if not values:
        raise Misuse(f"{what}: name at least one")
    for each in values:
        check_name(each, what)
    return tuple(values)


def check_number(value: object, what: str, *, low: int = 0, high: int = NUMBER_MAX) -> None:
    """`value` is a whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Misuse(f"{what} is a whole number, not {value!r:.80}")
    if not low <= value <= high:
        # Python refuses to write numbers of thousands of digits.
        told = str(value) if value.bit_length() < 256 else f"one of {value.bit_length()} bits"
        raise Misuse(f"{what} is a number from {low} to {high}, not {told}")


def check_choice(value: object, kind: type[E], what: str) -> E:
    """`value` as a member of an enumeration; the word of the wire does as well."""
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(f"{kind.__name__}.{each.name}" for each in kind)
        raise Misuse(f"{what} is one of {known}, not {value!r:.80}") from None


def check_kind(value: object, kind: type[Any], what: str) -> None:
    """`value` is an instance of a class."""
    if not isinstance(value, kind):
        raise Misuse(f"{what} is a {kind.__name__}, not {value!r:.80}")


def flag(value: bool) -> str:
    """How the wire says yes and no."""
    return "true" if value else "false"
