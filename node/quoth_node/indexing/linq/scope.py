"""The variables that an expression may name, and what they are called in JavaScript."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the definition."""

    text: str  # in JavaScript
    kind: str = ""  # as of expressions
    is_object: bool = False  # known to be an object, so its members can be read as they are
    is_group: bool = False  # the group of a reduce, as long as nothing was made of it


@dataclass(frozen=True, slots=True)
class Scope:
    """Name -> variable. A scope is never changed: adding to it makes another one."""

    variables: dict[str, Variable] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1), compare=False)

    def fresh(self, name: str) -> str:
        """A name in JavaScript that nothing else has: `users` becomes `users_3`."""
        # The number keeps it from being a word of JavaScript, or `$` of the runtime.
        plain = name if name.isascii() and name.isidentifier() else "x"
        return f"{plain}_{next(self.numbers)}"

    def plus(self, name: str, variable: Variable) -> "Scope":
        """This scope, and one variable more."""
        return Scope({**self.variables, name: variable}, self.numbers)
