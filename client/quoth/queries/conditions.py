"""The conditions of a `where`, in a row: what joins them, negates them, stands in brackets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from quoth.errors import Misuse
from quoth.queries.choices import QueryOperator


class Mark(Enum):
    """What stands between conditions."""

    AND = "and"
    OR = "or"
    NOT = "not"
    TRUE = "true"
    COMMA = ","


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, and what is wrapped around it."""

    text: str
    is_equality: bool = False
    is_search: bool = False
    joins_by_or: bool = False  # whether the next condition is joined by `or`, if nothing is said
    exact: bool = False
    proximity: int | None = None
    fuzzy: float | None = None
    boost: float | None = None

    def __str__(self) -> str:
        text = f"exact({self.text})" if self.exact else self.text
        wraps = (("proximity", self.proximity), ("fuzzy", self.fuzzy), ("boost", self.boost))
        for name, value in wraps:
            if value is not None:
                text = f"{name}({text}, {value})"
        return text


@dataclass(frozen=True, slots=True)
class Open:
    """The start of a bracket. `boost` is the parameter of its weight, if it has one."""

    boost: str | None = None

    def __str__(self) -> str:
        return "(" if self.boost is None else "boost("


@dataclass(frozen=True, slots=True)
class Close:
    """The end of a bracket."""

    boost: str | None = None

    def __str__(self) -> str:
        return ")" if self.boost is None else f", {self.boost})"


Part = Condition | Open | Close | Mark
_OPERATORS = (Mark.AND, Mark.OR)


class Conditions:
    """The parts of a `where`, as they are said one after the other."""

    def __init__(self, parts: Sequence[Part] = (), *, depth: int = 0) -> None:
        self._parts: list[Part] = list(parts)
        self._depth = depth
        self.default_operator = QueryOperator.AND
        self.is_negated = False
        self.is_intersection = False

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __str__(self) -> str:
        written: list[str] = []
        before: Part | None = None
        for part in self._parts:
            is_tight = isinstance(before, Open) or isinstance(part, Close) or part is Mark.COMMA
            if before is not None and not is_tight:
                written.append(" ")
            written.append(part.value if isinstance(part, Mark) else str(part))
            before = part
        text = "".join(written)
        return f"intersect({text}) " if self.is_intersection else text

    def copy(self) -> "Conditions":
        made = Conditions(self._parts, depth=self._depth)
        made.default_operator = self.default_operator
        made.is_negated, made.is_intersection = self.is_negated, self.is_intersection
        return made

    def check_complete(self) -> None:
        """Raise Misuse if something was begun and not ended."""
        if self._depth:
            raise Misuse("a clause was opened and not closed: call close_subclause()")
        if self.is_negated:
            raise Misuse("not_() must be followed by a condition")
        if self._parts and self._parts[-1] in (*_OPERATORS, Mark.COMMA):
            raise Misuse(f"a condition must follow after {self._parts[-1].value!r}")

    # Adding.

    def add(self, condition: Condition, field: str | None) -> None:
        """A condition; a negated one is asked only of documents that have `field`, if given."""
        self._join()
        self._negate(field)
        self._parts.append(condition)

    def add_equality(self, field: str, value: str, *, is_equal: bool, exact: bool) -> None:
        """`=` or `!=`; negation turns the one into the other."""
        is_equal, self.is_negated = is_equal != self.is_negated, False
        self._join()
        text = f"{field} {'=' if is_equal else '!='} {value}"
        self._parts.append(Condition(text, is_equality=is_equal, exact=exact))

    def add_true(self, field: str) -> None:
        """A condition on `field` that always holds."""
        self._join()
        self._negate(field)
        self._parts.append(Mark.TRUE)

    def open(self) -> None:
        self._depth += 1
        self._join()
        self._negate(None)
        self._parts.append(Open())

    def close(self) -> None:
        if not self._depth:
            raise Misuse("no clause is open: call open_subclause() first")
        if isinstance(self._parts[-1], Open) or self._parts[-1] in _OPERATORS:
            raise Misuse("a clause must not end before a condition")
        self._depth -= 1
        self._parts.append(Close())

    def and_also(self, *, wrap: bool = False) -> None:
        if self._may_join("and_also()"):
            if wrap:
                self._parts = [Open(), *self._parts, Close()]
            self._parts.append(Mark.AND)

    def or_else(self) -> None:
        if self._may_join("or_else()"):
            self._parts.append(Mark.OR)

    def intersect(self) -> None:
        if not self._parts or not isinstance(self._parts[-1], Condition | Close):
            raise Misuse("intersect() comes after a condition")
        self.is_intersection = True
        self._parts.append(Mark.COMMA)

    # Changing what was added last.

    @property
    def last(self) -> Part | None:
        return self._parts[-1] if self._parts else None

    def change_last(self, **changes: float) -> None:
        """Wrap something around the last condition."""
        last = self._parts[-1]
        assert isinstance(last, Condition), "only a condition can be wrapped"
        self._parts[-1] = replace(last, **changes)  # type: ignore[arg-type]

    def boost_bracket(self, boost: str) -> None:
        """Give the bracket that was closed last a weight."""
        depth = 0
        for place in range(len(self._parts) - 1, -1, -1):
            part = self._parts[place]
            depth += isinstance(part, Close) - isinstance(part, Open)
            if not depth:
                self._parts[place], self._parts[-1] = Open(boost), Close(boost)
                return

    # What goes between.

    def _join(self) -> None:
        last = self.last
        if last is None or isinstance(last, Open):
            return
        if last in (*_OPERATORS, Mark.COMMA, Mark.NOT):
            return
        before = next((each for each in reversed(self._parts) if isinstance(each, Condition)), None)
        is_or = self.default_operator is QueryOperator.OR
        if before is not None and before.joins_by_or:
            is_or = True
        self._parts.append(Mark.OR if is_or else Mark.AND)

    def _negate(self, field: str | None) -> None:
        if not self.is_negated:
            return
        self.is_negated = False
        if self.last is None or isinstance(self.last, Open):
            self._parts.append(Mark.TRUE if field is None else Condition(f"exists({field})"))
            self._parts.append(Mark.AND)
        self._parts.append(Mark.NOT)

    def _may_join(self, what: str) -> bool:
        """Whether there is something to join; at the very start, as in RavenDB's client, not."""
        if self.last in _OPERATORS:
            raise Misuse(f"{what} comes after a condition, not after another operator")
        if isinstance(self.last, Open):
            raise Misuse(f"{what} comes after a condition, not after open_subclause()")
        return self.last is not None
