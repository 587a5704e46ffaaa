"""Indexes, as queries see them: one that fits is found or made, and asked.

    choose -> wait until it has read enough -> run, on one transaction of its file -> is it stale?

The file of an index is read before the documents: what it names may have changed since, and then
`is_stale` says so, as it compares with a snapshot that is not older.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from quoth_cluster.store.environment import ReadTxn
from quoth_node.querying.errors import IndexMissing, IndexNotAvailable
from quoth_node.querying.parameters import Parameters
from quoth_node.rql import Query, SourceKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A query, and which of its results are wanted."""

    query: Query
    parameters: Parameters
    start: int = 0
    size: int | None = None  # None: all
    explains: bool = False  # tell why each has its score
    is_brief: bool = False  # to be answered on the event loop, or not at all


@dataclass(frozen=True, slots=True)
class Hit:
    """One result: a document by its id, or what a reduce made."""

    document_id: str | None
    score: float | None = None
    fields: Mapping[str, Any] | None = None  # stored by the index; all of the result of a reduce


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What an index says, as far as it has read."""

    hits: Sequence[Hit]
    total: int  # of all pages
    skipped: int = 0  # results that were there twice; told with the last page only
    indexed_etag: int  # all changes up to here are in it; what tells two states of it apart
    indexed_at_micros: int | None = None
    explanations: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by document id


class ReadyIndex(Protocol):
    """An index that can be asked, now."""

    @property
    def name(self) -> str: ...

    @property
    def definition_index(self) -> int:
        """The command index that defined it."""

    @property
    def created_index(self) -> int | None:
        """The same, if it was made for this very query."""

    async def wait_for(self, etag: int, *, timeout_seconds: float) -> bool:
        """Return when all changes up to `etag` are in it; False if they are not in time."""

    def run(self, question: Question) -> Answer:
        """What it says. In a worker thread, unless the question is to be brief.

        Raises InvalidQuery, IndexNotAvailable; NotBrief if it is not.
        """

    def is_stale(self, answer: Answer, txn: ReadTxn) -> bool:
        """Whether a snapshot has changes of its collections that the answer does not know."""


class Indexes(Protocol):
    """The indexes of all databases on this node."""

    async def choose(self, database: str, query: Query, parameters: Parameters) -> ReadyIndex:
        """The index that a query names, or one that fits it, which is made if there is none.

        Raises IndexMissing, IndexNotAvailable, InvalidQuery, NotProposed, FateUnknown.
        """


class NoIndexes:
    """A node without indexes: what needs one is refused."""

    async def choose(self, database: str, query: Query, parameters: Parameters) -> ReadyIndex:
        if query.source.kind is SourceKind.INDEX:
            raise IndexMissing(query.source.name)
        raise IndexNotAvailable("This query needs an index, and this node has none")
