"""Where the results of a query come from: a collection, or an index."""

from typing import Any, Protocol

from quoth.conventions import Conventions
from quoth.errors import Misuse
from quoth.operations.checks import check_text
from quoth.queries.draft import QueryDraft

ALL_DOCUMENTS = "@all_docs"


class IndexTask(Protocol):
    """What a query needs of a class that defines an index."""

    @property
    def index_name(self) -> str: ...

    @property
    def is_map_reduce(self) -> bool: ...


class Query:
    """What `session.query` is given as its source: a collection or an index."""

    def __init__(
        self,
        collection: str | None = None,
        index_name: str | None = None,
        index_type: type[IndexTask] | None = None,
    ) -> None:
        self.collection = collection
        self.index_name = index_name
        self.index_type = index_type

    @classmethod
    def from_collection_name(cls, collection_name: str) -> "Query":
        """A collection."""
        return cls(collection=_named(collection_name, "collection"))

    @classmethod
    def from_index_name(cls, index_name: str) -> "Query":
        """An index."""
        return cls(index_name=_named(index_name, "index"))

    @classmethod
    def from_index_type(cls, index_type: type[IndexTask]) -> "Query":
        """The index that a class defines."""
        return cls(index_type=index_type)


def draft_of(
    conventions: Conventions,
    object_type: type[Any],
    *,
    index_name: str | None,
    collection_name: str | None,
    is_map_reduce: bool,
) -> QueryDraft:
    """A query of an index or a collection; without both of the collection of a class."""
    if index_name is not None and collection_name is not None:
        raise Misuse("a query is of an index or of a collection: name one of them")
    if index_name is not None:
        _named(index_name, "index")
    elif collection_name is not None:
        _named(collection_name, "collection")
    else:
        is_any = object_type in (dict, object)
        collection_name = ALL_DOCUMENTS if is_any else conventions.collection_of(object_type)
    return QueryDraft(
        identity_property=conventions.get_identity_property_name(object_type) or "",
        index_name=index_name,
        collection_name=collection_name,
        is_grouped=is_map_reduce,
    )


def _named(name: str, what: str) -> str:
    check_text(name, f"the name of the {what}")
    return name
