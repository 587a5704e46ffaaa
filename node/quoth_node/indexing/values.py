"""Terms: how the values of a field are kept, compared and ordered.

    null -> the empty blob, numbers as they are, booleans and texts as texts, folded to lower case
    unless they are to be exact. SQLite orders numbers before texts before blobs, and 5 = 5.0.

A text of more than `TERM_CHARACTERS_MAX` characters is cut there and told apart by a digest.
"""

import math
from collections.abc import Iterator
from hashlib import blake2b

import orjson

from quoth_node.indexing.mapping import JsonValue

NULL = b""
Term = int | float | str | bytes
TERM_CHARACTERS_MAX = 4_096
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1


def terms_of(value: JsonValue, *, is_exact: bool = False) -> list[Term]:
    """The terms of a value: of an array those of its elements, without repetition."""
    if type(value) is not list:
        return [term_of(value, is_exact=is_exact)]
    terms = (term_of(one, is_exact=is_exact) for one in _flat(value))
    return list(dict.fromkeys(terms))


def term_of(value: JsonValue, *, is_exact: bool = False) -> Term:
    """The one term of a value that is no array; an object is the text of its JSON."""
    kind = type(value)
    if kind is str:
        return text_term(value, is_exact=is_exact)
    if kind is bool:
        return "true" if value else "false"
    if value is None:
        return NULL
    if kind is int:
        return value if INTEGER_MIN <= value <= INTEGER_MAX else float(value)
    if kind is float:
        if value.is_integer() and INTEGER_MIN <= value <= INTEGER_MAX:
            return int(value)  # so that both are the same text, too
        return value if math.isfinite(value) else NULL
    packed = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return text_term(packed, is_exact=is_exact)


def text_term(text: str, *, is_exact: bool = False) -> str:
    """The term of a text."""
    term = text if is_exact else text.lower()
    if len(term) <= TERM_CHARACTERS_MAX:
        return term
    digest = blake2b(term.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return term[:TERM_CHARACTERS_MAX] + digest


def number_in(text: str) -> int | float | None:
    """The number that a text is written as, if it is one: a term 5 is found by '5', too."""
    if not text or len(text) > 40 or text[-1] not in "0123456789":
        return None
    try:
        number = int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return None
    term = term_of(number)
    return term if isinstance(term, int | float) else None


def text_of(term: Term) -> str | None:
    """How a term is shown, and ordered where texts are compared; None for null."""
    if isinstance(term, bytes):
        return None
    return term if isinstance(term, str) else orjson.dumps(term).decode()


def _flat(values: list[JsonValue]) -> Iterator[JsonValue]:
    pending = [iter(values)]
    while pending:
        for value in pending[-1]:
            if type(value) is list:
                pending.append(iter(value))
                break
            yield value
        else:
            pending.pop()
