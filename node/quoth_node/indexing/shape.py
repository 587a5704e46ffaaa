"""What an index is like: enough to plan queries over it and to tell whether it is behind."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quoth_cluster.store.keys import fold_text
from quoth_node.indexing.mapping import FieldOptions, Mapper
from quoth_node.indexing.messages import FieldTold, ShapeTold


@dataclass(frozen=True, slots=True)
class Shape:
    """The outside of a definition at work: what a node knows of it without compiling it."""

    collections: tuple[str, ...] = ()  # whose documents it maps; empty: all
    fields: Mapping[str, FieldOptions] = field(default_factory=dict)
    group_by: tuple[str, ...] | None = None
    references: tuple[str, ...] = ()  # collections that maps load documents from, as far as known
    has_dynamic_fields: bool = False  # entries may have other fields than those of `fields`

    @classmethod
    def of(cls, told: ShapeTold) -> "Shape":
        """As the indexer tells it."""
        return cls(
            told.collections,
            {one.name: one.options for one in told.fields},
            told.group_by,
            told.references,
            told.has_dynamic_fields,
        )

    def maps(self, collection: str) -> bool:
        """Whether it is made of documents of a collection."""
        return not self.collections or _is_among(collection, self.collections)

    def reads(self, collection: str) -> bool:
        """Whether a change of a document of that collection can change it."""
        return self.maps(collection) or _is_among(collection, self.references)


def told_of(mapper: Mapper) -> ShapeTold:
    """The shape of what maps documents."""
    return ShapeTold(
        tuple(mapper.collections),
        tuple(FieldTold(name, options) for name, options in mapper.fields.items()),
        mapper.group_by,
        tuple(getattr(mapper, "references", ())),
        bool(getattr(mapper, "has_dynamic_fields", False)),
    )


def _is_among(collection: str, names: tuple[str, ...]) -> bool:
    folded = fold_text(collection)
    return any(folded == fold_text(name) for name in names)
