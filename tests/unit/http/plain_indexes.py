"""Indexes without files: every query looks at all documents, up to the etag that a test sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from quoth_cluster import documents
from quoth_cluster.machine import Machine
from quoth_cluster.store.environment import ReadTxn
from quoth_node.querying.door import Answer, Hit, Question
from quoth_node.querying.errors import IndexMissing
from quoth_node.querying.filtering import Filter
from quoth_node.querying.parameters import Parameters
from quoth_node.rql import Everything, Query, SourceKind

DEFINED_AT = 77


@dataclass
class PlainIndex:
    """All documents of a collection up to `indexed_etag`, or fixed results of a reduce."""

    machine: Machine
    name: str
    collection: str = "Users"
    indexed_etag: int = 0
    reads_when_waited_for: bool = True
    reduced: list[Mapping[str, Any]] | None = None
    has_scores: bool = False
    stored: Mapping[str, Any] | None = None  # the same of every document
    asked: list[Question] = field(default_factory=list)
    definition_index: int = DEFINED_AT
    created_index: int | None = None

    def read_all(self) -> None:
        with self._database().read() as txn:
            self.indexed_etag = documents.last_etag(txn)

    async def wait_for(self, etag: int, *, timeout_seconds: float) -> bool:
        if self.reads_when_waited_for:
            self.read_all()
        return self.indexed_etag >= etag

    def run(self, question: Question) -> Answer:
        self.asked.append(question)
        hits = [Hit(None, fields=one) for one in self.reduced or ()] or self._hits(question)
        size = len(hits) if question.size is None else question.size
        return Answer(
            hits=hits[question.start :][:size],
            total=len(hits),
            indexed_etag=self.indexed_etag,
            indexed_at_micros=1_800_000_000_000_000,
            explanations={"users/1": ["because"]},
        )

    def is_stale(self, answer: Answer, txn: ReadTxn) -> bool:
        return answer.indexed_etag < documents.last_etag(txn)

    def _hits(self, question: Question) -> list[Hit]:
        wanted = Filter(question.query.where or Everything(), question.parameters)
        with self._database().read() as txn:
            return [
                Hit(one.document_id, 0.5 if self.has_scores else None, self.stored)
                for one in documents.oldest_first(txn)
                if one.etag <= self.indexed_etag
                and one.collection == self.collection
                and wanted.matches(orjson.loads(one.to_json()))
            ]

    def _database(self) -> Any:
        found = self.machine.database("db")
        assert found is not None
        return found


@dataclass
class PlainIndexes:
    """One index for all dynamic queries, others by name."""

    automatic: PlainIndex
    named: dict[str, PlainIndex] = field(default_factory=dict)

    async def choose(self, database: str, query: Query, parameters: Parameters) -> PlainIndex:
        if query.source.kind is not SourceKind.INDEX:
            return self.automatic
        if query.source.name not in self.named:
            raise IndexMissing(query.source.name)
        return self.named[query.source.name]
