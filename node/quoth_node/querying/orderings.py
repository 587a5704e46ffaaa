"""`order by` as SQL. What is missing is the smallest, then comes null, then all values.

Without `as`, terms are ordered as texts: 1000 before 5. Of several values the smallest counts, or
the largest if the order goes down. The entry's own number comes last, so pages do not overlap.
"""

import re
from hashlib import blake2b

from quoth_node.indexing.values import Term, text_of
from quoth_node.querying.conditions import Conditions
from quoth_node.querying.errors import InvalidQuery
from quoth_node.querying.fragment import Fragment, joined
from quoth_node.querying.needs import name_of
from quoth_node.rql.operands import Aggregate, AggregateKind, DocumentId, FieldPath
from quoth_node.rql.tree import Ordering, OrderingKind, Random, Score

# Null comes before all others, behind what is missing.
NULL_KEY, VALUE_KEY = "n", "v"
AS_TEXT = (
    f"CASE typeof(t.value) WHEN 'blob' THEN '{NULL_KEY}' "
    f"ELSE '{VALUE_KEY}' || CAST(t.value AS TEXT) END"
)
AS_NUMBER = "CASE typeof(t.value) WHEN 'blob' THEN -9e999 ELSE CAST(t.value AS {}) END"
DIGITS_MAX = 40
_DIGITS = re.compile(r"\d+")


def ordered(
    conditions: Conditions, orderings: tuple[Ordering, ...], *, seed: str
) -> list[Fragment]:
    """The parts of ORDER BY. `seed` is for `random()` that has none of its own."""
    found = [_part(conditions, one, seed) for one in orderings]
    if not orderings and conditions.has_score:
        score = score_of(conditions)
        found = [Fragment(f"{score.sql} DESC", score.values)]
    return [*found, Fragment("e.entry")]


def score_of(conditions: Conditions) -> Fragment:
    """How well an entry matches."""
    return joined("+", conditions.scores) if conditions.scores else Fragment("1.0")


def _part(conditions: Conditions, one: Ordering, seed: str) -> Fragment:
    direction = " DESC" if one.is_descending else ""
    match one.by:
        case Score():
            # The best first, unless the other way round is asked for.
            score = score_of(conditions)
            return Fragment(f"{score.sql}{'' if one.is_descending else ' DESC'}", score.values)
        case Random(own_seed):
            name = conditions.define(_shuffled(own_seed or seed), 1)
            return Fragment(f"{name}(e.entry){direction}")
        case DocumentId():
            return Fragment(f"e.folded{direction}")
        case FieldPath() | Aggregate() as operand:
            return _by_field(conditions, operand, one, direction)
    raise InvalidQuery("This order is not supported")


def _by_field(
    conditions: Conditions, operand: FieldPath | Aggregate, one: Ordering, direction: str
) -> Fragment:
    field = conditions.view.find(name_of(operand))
    if field.number is None:
        return Fragment(f"NULL{direction}")
    kind = one.kind
    is_count = isinstance(operand, Aggregate) and operand.kind is not AggregateKind.KEY
    if is_count and kind is OrderingKind.IMPLICIT:
        kind = OrderingKind.DOUBLE
    match kind:
        case OrderingKind.LONG:
            key = AS_NUMBER.format("INTEGER")
        case OrderingKind.DOUBLE:
            key = AS_NUMBER.format("REAL")
        case OrderingKind.ALPHANUMERIC:
            key = f"{conditions.define(_alphanumeric, 1)}(t.value)"
        case _:
            key = AS_TEXT
    which = "max" if one.is_descending else "min"
    sql = f"(SELECT {which}({key}) FROM {field.terms} t WHERE t.entry = e.entry){direction}"
    return Fragment(sql)


def _alphanumeric(term: Term | None) -> str | None:
    """A text in which numbers compare by value: "a2" before "a10"."""
    text = None if term is None else text_of(term)
    if text is None:
        return NULL_KEY
    return VALUE_KEY + _DIGITS.sub(lambda found: found[0].lstrip("0").zfill(DIGITS_MAX), text)


def _shuffled(seed: str) -> "Shuffle":
    return Shuffle(seed.encode())


class Shuffle:
    """An order by chance, the same for the same seed."""

    def __init__(self, seed: bytes) -> None:
        self._key = blake2b(seed, digest_size=32).digest()

    def __call__(self, entry: int) -> bytes:
        return blake2b(entry.to_bytes(8, "big"), key=self._key, digest_size=8).digest()
