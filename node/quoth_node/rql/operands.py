"""What conditions and clauses speak of: paths into documents, values, and what is computed.

Two operands are equal if they say the same, wherever they stood: positions are not compared. An
alias in front of a path (`u.name`) is kept beside the path, so `path.text` is always the path
within a document.
"""

from dataclasses import dataclass, field
from enum import Enum

Scalar = None | bool | int | float | str
METADATA = "@metadata"


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands in the text, both counted from 1."""

    line: int
    column: int


NOWHERE = Position(1, 1)


@dataclass(frozen=True, slots=True)
class PathStep:
    """One name of a path; `is_each`: it is followed by `[]`, the elements of an array."""

    name: str
    is_each: bool = False


@dataclass(frozen=True, slots=True)
class FieldPath:
    """`address.city`, `tags[].name`, `'first name'`, `@metadata.@x`, `u.name`.

    `alias` is the name of the source, or of a loaded document, that stood before the path. A path
    without steps is the whole of it (`select u`).
    """

    steps: tuple[PathStep, ...]
    alias: str | None = None
    is_quoted: bool = field(default=False, compare=False)
    position: Position = field(default=NOWHERE, compare=False)

    @property
    def text(self) -> str:
        """The path without its alias: `tags[].name`; names as they are, without quotes."""
        return ".".join(step.name + "[]" * step.is_each for step in self.steps)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(step.name for step in self.steps)

    @property
    def is_metadata(self) -> bool:
        """Whether it leads into the metadata."""
        return bool(self.steps) and self.steps[0].name == METADATA


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the text."""

    value: Scalar
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$name`; its value comes beside the text, and may be any JSON."""

    name: str
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class DocumentId:
    """`id()` of the source, or `id(b)` of a loaded document."""

    alias: str | None = None
    position: Position = field(default=NOWHERE, compare=False)


class AggregateKind(Enum):
    COUNT = "count"
    SUM = "sum"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`count()`, `sum(path)` or `key()` of a query with `group by`."""

    kind: AggregateKind
    path: FieldPath | None = None
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Something that RQL has and this server does not; it may stand in any place."""

    feature: str  # as a sentence begins with it: "facets"
    position: Position = field(default=NOWHERE, compare=False)


Value = Literal | Parameter
Operand = FieldPath | DocumentId | Aggregate
