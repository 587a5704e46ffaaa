"""What a query sees of an index: its fields, and where their terms and words are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from quoth_node.indexing.auto_mapping import decorated
from quoth_node.indexing.mapping import FieldOptions, Indexing
from quoth_node.indexing.store import StoredField
from quoth_node.querying.errors import InvalidQuery
from quoth_node.rql.operands import DocumentId


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field. Without a number, no document has it yet."""

    name: str
    number: int | None
    options: FieldOptions
    is_text: bool

    @property
    def is_exact(self) -> bool:
        return self.options.indexing == Indexing.EXACT

    @property
    def terms(self) -> str:
        """The table of its terms."""
        return f"terms_{self.number}"


@dataclass(frozen=True, slots=True)
class IndexView:
    """The fields of an index file, and what its definition says of them."""

    stored: Mapping[str, StoredField]
    options_of: Callable[[str], FieldOptions]
    is_auto: bool
    known: frozenset[str] | None = None  # fields of the definition; None: any may come
    fans_out: bool = False  # a document may have several entries
    is_reduced: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)  # names of the select

    def find(self, name: str, *, decoration: str = "") -> FieldView:
        """The field that a query means by `name`. Raises InvalidQuery."""
        name = self.aliases.get(name, name)
        full = decorated(decoration, name) if decoration and self.is_auto else name
        stored = self.stored.get(full)
        if stored is None and self.known is not None and full not in self.known:
            raise InvalidQuery(
                f"The field '{name}' is not indexed, cannot query/sort on fields that are not "
                "indexed"
            )
        number, is_text = (None, False) if stored is None else (stored.number, stored.is_text)
        return FieldView(full, number, self.options_of(full), is_text)

    @property
    def single_tables(self) -> set[str]:
        """The tables of terms in which no entry has two."""
        return {f"terms_{one.number}" for one in self.stored.values() if not one.has_many}


def is_id(operand: object) -> bool:
    """Whether an operand is the id of the documents of the source."""
    return isinstance(operand, DocumentId)
