"""Pieces of SQL with the values that belong to them."""

from collections.abc import Iterable
from dataclasses import dataclass

from quoth_node.indexing.sqlite import Value


@dataclass(frozen=True, slots=True)
class Fragment:
    """A boolean (or scalar) expression over the entry `e`, and its values in order."""

    sql: str
    values: tuple[Value, ...] = ()
    # If it is about the terms of one field: their table, and what is said of `t.value`.
    table: str = ""
    bound: str = ""

    @property
    def lookup(self) -> str:
        """What yields the entries of a fragment about terms."""
        return f"SELECT t.entry FROM {self.table} t WHERE {self.bound}"

    def __and__(self, other: "Fragment") -> "Fragment":
        return joined("AND", (self, other))

    def negated(self) -> "Fragment":
        return Fragment(f"NOT ({self.sql})", self.values)


ALWAYS = Fragment("1")
NEVER = Fragment("0")


def having(table: str, bound: Fragment) -> Fragment:
    """Entries of which some term in `table` is as `bound` says of `t.value`."""
    sql = f"e.entry IN (SELECT t.entry FROM {table} t WHERE {bound.sql})"
    return Fragment(sql, bound.values, table, bound.sql)


def probing(fragment: Fragment) -> Fragment:
    """The same, looked up for an entry at hand: good where few entries are left."""
    if not fragment.table:
        return fragment
    # The index of the table by entry answers this.
    return Fragment(f"EXISTS ({fragment.lookup} AND t.entry = e.entry)", fragment.values)


def joined(word: str, fragments: Iterable[Fragment]) -> Fragment:
    """`(a AND b AND c)`."""
    several = list(fragments)
    if len(several) == 1:
        return several[0]
    sql = f" {word} ".join(one.sql for one in several)
    return Fragment(f"({sql})", tuple(value for one in several for value in one.values))


def marks(count: int) -> str:
    """`?, ?, ?`."""
    return ", ".join("?" * count)
