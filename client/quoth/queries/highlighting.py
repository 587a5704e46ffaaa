"""What is told beside results: where the words were found, and why a result is one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quoth.queries.index_query import QueryResult
from quoth.serialization import JsonObject


@dataclass(frozen=True, slots=True)
class HighlightingOptions:
    """How found words are marked; `group_key` is the field that names results of a reduction."""

    group_key: str | None = None
    pre_tags: Sequence[str] | None = None
    post_tags: Sequence[str] | None = None

    def to_json(self) -> JsonObject:
        """How the wire writes it."""
        return {"GroupKey": self.group_key, "PreTags": self.pre_tags, "PostTags": self.post_tags}


@dataclass(slots=True)
class Highlightings:
    """Fragments of a field with the words that were found, by id; filled in with the answer."""

    field_name: str
    fragments: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def result_indents(self) -> set[str]:
        """The ids of the results that have fragments."""
        return set(self.fragments)

    def get_fragments(self, key: str) -> list[str]:
        """The fragments of one result, by its id."""
        return list(self.fragments.get(key, ()))

    def update(self, result: QueryResult) -> None:
        """Tell of the newest answer."""
        self.fragments = result.highlightings.get(self.field_name, {})


@dataclass(frozen=True, slots=True)
class ExplanationOptions:
    """`group_key` is the field that names results of a reduction, which have no id."""

    group_key: str | None = None

    def to_json(self) -> JsonObject:
        """How the wire writes it."""
        return {"groupKey": self.group_key}


@dataclass(slots=True)
class Explanations:
    """Where the score of each result comes from, by id; filled in with the answer."""

    explanations: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def update(self, result: QueryResult) -> None:
        """Tell of the newest answer."""
        self.explanations = result.explanations
