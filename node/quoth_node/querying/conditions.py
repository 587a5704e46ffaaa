"""`where` as SQL: a condition becomes an expression over the entries of an index.

A term is looked for by value in the table of its field; what a text means for a field - folded or
as it is, one term or words - is in `terms.py` and `words.py`. Semantics: a number is found by its
text and the other way round, ranges compare numbers by value and texts by letters, a field that is
missing has no term, and `!=` is what `=` is not.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from typing import Any

from quoth_cluster.store.keys import fold_text
from quoth_node.indexing.sqlite import Value
from quoth_node.indexing.values import Term
from quoth_node.querying import terms, words
from quoth_node.querying.errors import InvalidQuery
from quoth_node.querying.fragment import ALWAYS, NEVER, Fragment, having, joined, marks, probing
from quoth_node.querying.index_view import FieldView, IndexView, is_id
from quoth_node.querying.needs import name_of
from quoth_node.querying.parameters import Parameters, number_of, scalar_of, text_of, value_of
from quoth_node.rql.conditions import (
    And,
    Between,
    Boost,
    Comparison,
    Condition,
    Everything,
    Exact,
    Exists,
    Fuzzy,
    In,
    Intersect,
    Match,
    Matching,
    Not,
    Nothing,
    Operator,
    Or,
    Proximity,
    Search,
)
from quoth_node.rql.operands import FieldPath, Literal, Operand, Parameter

VALUES_MAX = 10_000  # of one `in`
PARTS_MAX = 1_024  # conditions of one query
REMEMBERED = 1_024  # results of a function, by what it was given
SAMPLE_MAX = 10_000  # entries that are looked at to tell which of two conditions is the rarer
LOW_OPEN, HIGH_OPEN = "*", "NULL"  # how clients write an end that is open

Define = Callable[[str, Callable[..., Any], int], None]
Count = Callable[[str, tuple[Value, ...]], int]


class Conditions:
    """Compiles the conditions of one query over one index."""

    def __init__(
        self, view: IndexView, parameters: Parameters, *, define: Define, count: Count
    ) -> None:
        self.view = view
        self.parameters = parameters
        self._define = define
        self._count = count
        self._functions = 0
        self._parts = 0
        self.scores: list[Fragment] = []  # what adds to the score of an entry
        self.scored: list[Condition] = []  # the conditions these are from
        self.found_words: list[Fragment] = []  # tables m0, m1 ... of entries and scores
        self.has_score = False  # whether some entries match better than others

    def compile(
        self, condition: Condition, *, is_exact: bool = False, factor: float = 1.0
    ) -> Fragment:
        """The condition as SQL. Raises InvalidQuery."""
        found = self._compile(condition, is_exact, factor)
        # What was added by this one, and not by one within it.
        self.scored += [condition] * (len(self.scores) - len(self.scored))
        return found

    def _compile(self, condition: Condition, is_exact: bool, factor: float) -> Fragment:
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise InvalidQuery(f"A query may have {PARTS_MAX} conditions, and this one has more")
        again = {"is_exact": is_exact, "factor": factor}
        match condition:
            case Everything():
                return ALWAYS
            case Nothing():
                return NEVER
            case And(several):
                return self._all([self.compile(one, **again) for one in several])  # type: ignore[arg-type]
            case Or(several):
                return joined("OR", [self.compile(one, **again) for one in several])  # type: ignore[arg-type]
            case Not(one):
                return self._without_score(one, is_exact).negated()
            case Exact(one):
                return self.compile(one, is_exact=True, factor=factor)
            case Boost(one, by):
                self.has_score = True
                return self.compile(
                    one, is_exact=is_exact, factor=factor * number_of(by, self.parameters)
                )
            case Intersect(several):
                return self._intersect(several, is_exact)
        return self._leaf(condition, is_exact, factor)

    def _leaf(self, condition: Condition, is_exact: bool, factor: float) -> Fragment:
        match condition:
            case Search():
                return words.search(self, condition, factor=factor)
            case Proximity(search, distance):
                near = int(number_of(distance, self.parameters))
                return words.search(self, search, factor=factor, distance=near)
            case Match(Matching.LUCENE, FieldPath() as path):
                return words.lucene(self, path, condition, is_exact=is_exact, factor=factor)
        found = self._plain(condition, is_exact)
        self.scores.append(Fragment(f"{factor!r} * ({found.sql})", found.values))
        return found

    def _plain(self, condition: Condition, is_exact: bool) -> Fragment:
        match condition:
            case Comparison(operand, operator, value):
                assert isinstance(value, Literal | Parameter), "two fields only in filter"
                if operator in (Operator.EQUAL, Operator.NOT_EQUAL):
                    found = self._equal(operand, value_of(value, self.parameters), is_exact)
                    return found if operator is Operator.EQUAL else found.negated()
                return self._range(operand, operator, scalar_of(value, self.parameters), is_exact)
            case In(operand, values, is_all):
                return self._in(operand, self._several(values), is_all, is_exact)
            case Between(operand, low, high):
                ends = scalar_of(low, self.parameters), scalar_of(high, self.parameters)
                return self._between(operand, *ends, is_exact)
            case Exists(path):
                field = self.view.find(path.text)
                return _among(field, Fragment("1"))
            case Match(kind, operand, value):
                text = text_of(value, self.parameters)
                return self._match(kind, operand, text, is_exact)
            case Fuzzy(comparison, similarity):
                return self._fuzzy(comparison, number_of(similarity, self.parameters), is_exact)
        raise InvalidQuery("This condition cannot be answered from an index")

    # -- single terms

    def field_of(self, operand: Operand, is_exact: bool) -> FieldView:
        decoration = "exact" if is_exact else ""
        return self.view.find(name_of(operand), decoration=decoration)

    def equal(self, field: FieldView, value: Any, *, is_exact: bool = False) -> Fragment:
        """Entries with this very term in a field."""
        if field.is_text:
            return words.phrase(self, field, value)
        return _with_terms(field, terms.written_as(value, is_exact=is_exact or field.is_exact))

    def _equal(self, operand: Operand, value: Any, is_exact: bool) -> Fragment:
        if isinstance(value, list):
            return self._in(operand, value, False, is_exact)
        if is_id(operand):
            return Fragment("e.folded = ?", (fold_text(str(value)),))
        return self.equal(self.field_of(operand, is_exact), value, is_exact=is_exact)

    def _in(self, operand: Operand, values: list[Any], is_all: bool, is_exact: bool) -> Fragment:
        if len(values) > VALUES_MAX:
            raise InvalidQuery(f"in takes {VALUES_MAX} values, and there are {len(values)}")
        if is_all:
            several_values = [self._equal(operand, value, is_exact) for value in values]
            return joined("AND", several_values) if several_values else ALWAYS
        if not values:
            return NEVER
        if is_id(operand):
            ids = tuple(fold_text(str(value)) for value in values)
            return Fragment(f"e.folded IN ({marks(len(ids))})", ids)
        field = self.field_of(operand, is_exact)
        if field.is_text:
            return joined("OR", [words.phrase(self, field, value) for value in values])
        exactly = is_exact or field.is_exact
        several_terms = (terms.written_as(value, is_exact=exactly) for value in values)
        return _with_terms(field, list(dict.fromkeys(chain.from_iterable(several_terms))))

    def _range(
        self, operand: Operand, operator: Operator, value: Any, is_exact: bool
    ) -> Fragment:
        goes_up = operator in (Operator.GREATER, Operator.GREATER_OR_EQUAL)
        includes = operator in (Operator.GREATER_OR_EQUAL, Operator.LESS_OR_EQUAL)
        open_end = LOW_OPEN if goes_up else HIGH_OPEN
        if is_id(operand):
            sign = operator.value
            return Fragment(f"e.folded {sign} ?", (fold_text(str(value)),))
        field = self.field_of(operand, is_exact)
        if value is None or value == open_end:
            return _among(field, Fragment("t.value < x''"))
        exactly = is_exact or field.is_exact
        bound = terms.beyond(value, goes_up=goes_up, includes=includes, is_exact=exactly)
        return _among(field, bound)

    def _between(self, operand: Operand, low: Any, high: Any, is_exact: bool) -> Fragment:
        if is_id(operand):
            ends = fold_text(str(low)), fold_text(str(high))
            return Fragment("e.folded BETWEEN ? AND ?", ends)
        field = self.field_of(operand, is_exact)
        exactly = is_exact or field.is_exact
        bounds = [Fragment("t.value < x''")]
        if low is not None and low != LOW_OPEN:
            bounds.append(terms.beyond(low, goes_up=True, includes=True, is_exact=exactly))
        if high is not None and high not in (HIGH_OPEN, LOW_OPEN):
            bounds.append(terms.beyond(high, goes_up=False, includes=True, is_exact=exactly))
        return _among(field, joined("AND", bounds))

    def _match(self, kind: Matching, operand: Operand, text: str, is_exact: bool) -> Fragment:
        if is_id(operand):
            return terms.matching("e.folded", kind, fold_text(text), self.define)
        field = self.field_of(operand, is_exact)
        exactly = is_exact or field.is_exact
        found = terms.matching("t.value", kind, text if exactly else text.lower(), self.define)
        return _among(field, found)

    def _fuzzy(self, comparison: Comparison, similarity: float, is_exact: bool) -> Fragment:
        self.has_score = True
        assert isinstance(comparison.value, Literal | Parameter)
        text = text_of(comparison.value, self.parameters)
        field = self.field_of(comparison.operand, is_exact)
        word = text if is_exact or field.is_exact else text.lower()
        if field.is_text:
            return words.alike(self, field, word, similarity)
        return _among(field, terms.alike("t.value", word, similarity, self.define))

    # -- inside

    def define(self, function: Callable[..., Any], arguments: int) -> str:
        """Make a function known to SQL for this query; its name."""
        self._functions += 1
        name = f"quoth_{self._functions}"
        # Equal terms come one after the other.
        self._define(name, lru_cache(REMEMBERED)(function), arguments)
        return name

    def _several(self, values: tuple[Any, ...]) -> list[Any]:
        found: list[Any] = []
        for value in values:
            read = value_of(value, self.parameters)
            found.extend(read if isinstance(read, list) else [read])
        return found

    def _without_score(self, condition: Condition, is_exact: bool) -> Fragment:
        kept = len(self.scores)
        found = self.compile(condition, is_exact=is_exact)
        del self.scores[kept:]
        del self.scored[kept:]
        return found

    def _all(self, several: list[Fragment]) -> Fragment:
        """The rarest is looked up, the others are asked of each entry that it leaves."""
        several = self._merged(several)
        lookups = [one for one in several if one.table]
        if len(lookups) < 2:
            return joined("AND", several)
        rarest = min(lookups, key=self._about_how_many)
        return joined("AND", [one if one is rarest else probing(one) for one in several])

    def _merged(self, several: list[Fragment]) -> list[Fragment]:
        """`age > 10 and age < 12` is one range, if no entry has several ages."""
        of_table: dict[str, list[Fragment]] = {}
        found = []
        for one in several:
            if one.table in self.view.single_tables:
                of_table.setdefault(one.table, []).append(one)
            else:
                found.append(one)
        for table, bounds in of_table.items():
            said = [Fragment(f"({one.bound})", one.values) for one in bounds]
            found.append(having(table, joined("AND", said)))
        return found

    def _about_how_many(self, one: Fragment) -> int:
        """Entries that a lookup yields, up to `SAMPLE_MAX`."""
        counted = f"SELECT count(*) FROM ({one.lookup} LIMIT {SAMPLE_MAX})"
        return self._count(counted, one.values)

    def _intersect(self, several: tuple[Condition, ...], is_exact: bool) -> Fragment:
        """Documents with an entry for each, not one entry for all."""
        found = []
        for one in several:
            inner = self._without_score(one, is_exact)
            sql = f"e.folded IN (SELECT e.folded FROM entries e WHERE {inner.sql})"
            found.append(Fragment(sql, inner.values))
        return joined("AND", found)


def _among(field: FieldView, bound: Fragment) -> Fragment:
    """Entries of which some term of a field is as `bound` says of `t.value`."""
    if field.number is None:
        return NEVER
    return having(field.terms, bound)


def _with_terms(field: FieldView, found: list[Term]) -> Fragment:
    return _among(field, Fragment(f"t.value IN ({marks(len(found))})", tuple(found)))

