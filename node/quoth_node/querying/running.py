"""One query over one index file: compiled, run in one snapshot, ended when it takes too long."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import orjson

from quoth_cluster.clock import Clock
from quoth_node.indexing.sqlite import Connection, Value
from quoth_node.indexing.store import OUTPUTS_MAX, Progress, StoredField, load_fields
from quoth_node.querying import brevity
from quoth_node.querying.brevity import NotBrief
from quoth_node.querying.conditions import Conditions
from quoth_node.querying.explaining import check_may_be_explained, described, explained
from quoth_node.querying.fragment import ALWAYS, Fragment
from quoth_node.querying.index_view import IndexView
from quoth_node.querying.orderings import ordered, score_of
from quoth_node.querying.parameters import Parameters
from quoth_node.rql.conditions import Condition
from quoth_node.rql.tree import Ordering, Query

ROWS_MAX = 2**62
QUERY_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    """One entry that matches."""

    document_id: str | None  # None: the result of a reduce
    result: dict[str, Any] | None  # stored fields, or the result of the reduce
    score: float | None  # None: none matches better than another
    explanation: str | None = None  # if it was asked for


@dataclass(frozen=True, slots=True)
class Page:
    """One page of what matches, and up to where the index was complete."""

    rows: list[Found]
    total: int
    skipped: int  # entries of documents that are there with another; 0 if more pages follow
    progress: Progress


class IndexReader:
    """Reads one index file; for one thread at a time."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def fields(self) -> dict[str, StoredField]:
        """Each field that some entry has, by name."""
        return load_fields(self._connection)

    def fans_out(self) -> bool:
        """Whether some document has had several entries."""
        sql = f"SELECT value FROM meta WHERE key = '{OUTPUTS_MAX}'"
        return int(self._connection.one(sql) or 0) > 1

    def run(
        self,
        query: Query,
        parameters: Parameters,
        view: Callable[[dict[str, StoredField], bool], IndexView],
        *,
        skip: int = 0,
        take: int | None = None,
        seed: str = "",
        keeps_duplicates: bool = False,
        is_brief: bool = False,
        explains: bool = False,
    ) -> Page:
        """The page of a query. Raises InvalidQuery, QueryInterrupted or IndexFileError.

        `keeps_duplicates`: entries of one document each count, as projections want it.
        `explains`: tell of each row why it has its score.
        `is_brief`: raise NotBrief if it cannot be known to be short, or is not.
        """
        with self._limited(is_brief=is_brief), self._connection.snapshot():
            seen = view(self.fields(), self.fans_out())
            define = _not_briefly if is_brief else self._define
            conditions = Conditions(seen, parameters, define=define, count=self._one)
            where = conditions.compile(query.where) if query.where is not None else None
            if is_brief and conditions.found_words:
                raise NotBrief  # SQLite finds all of them in one step
            is_single = keeps_duplicates or not seen.fans_out
            page = skip, take, seed
            rows = self._page(conditions, where, query.order_by, *page, is_single, explains)
            total, skipped = self._count(conditions, where, rows, skip, take, is_single)
            return Page(rows, total, skipped, self._progress())

    def _limited(self, *, is_brief: bool) -> AbstractContextManager[None]:
        """Ends what takes long; a brief one by its steps, alike on a busy machine."""
        if is_brief:
            looks = iter(range(brevity.LOOKS_MAX))
            return self._connection.watched(
                lambda: next(looks, None) is None, every=brevity.STEPS
            )
        deadline = self._clock.monotonic() + QUERY_SECONDS_MAX
        return self._connection.watched(lambda: self._clock.monotonic() > deadline)

    def _page(
        self,
        conditions: Conditions,
        where: Fragment | None,
        order_by: tuple[Ordering, ...],
        skip: int,
        take: int | None,
        seed: str,
        is_single: bool,
        explains: bool,
    ) -> list[Found]:
        if take == 0:
            return []
        parts = ordered(conditions, order_by, seed=seed)
        score = score_of(conditions) if conditions.has_score else Fragment("NULL")
        head = _with(conditions)
        if explains:
            check_may_be_explained(conditions.scores)
        told = [score, *(conditions.scores if explains else ())]
        columns = ", ".join(part.sql for part in told)
        sql = f"{head.sql} SELECT e.id, e.result, {columns} FROM entries e"
        values = [*head.values, *(value for part in told for value in part.values)]
        if where is not None:
            sql += f" WHERE {where.sql}"
            values += where.values
        if not is_single:
            sql += " GROUP BY e.folded"
        sql += f" ORDER BY {', '.join(part.sql for part in parts)} LIMIT ? OFFSET ?"
        values += [value for part in parts for value in part.values]
        values += [ROWS_MAX if take is None else take, skip]
        scored = conditions.scored if explains else ()
        names = [described(one, conditions.parameters) for one in scored]
        return [
            Found(
                document_id,
                None if result is None else orjson.loads(result),
                total,
                explained(parts, names) if explains else None,
            )
            for document_id, result, total, *parts in self._connection.rows(sql, values)
        ]

    def _count(
        self,
        conditions: Conditions,
        where: Fragment | None,
        rows: list[Found],
        skip: int,
        take: int | None,
        is_single: bool,
    ) -> tuple[int, int]:
        is_whole = take is None or len(rows) < take
        if is_single and is_whole and (rows or skip == 0):
            return skip + len(rows), 0
        sql = "SELECT count(*), count(DISTINCT e.folded) FROM entries e"
        if is_single:
            sql = "SELECT count(*), count(*) FROM entries e"
        if where is None:
            where = ALWAYS
        head = _with(conditions)
        ((entries, documents),) = self._connection.rows(
            f"{head.sql} {sql} WHERE {where.sql}", (*head.values, *where.values)
        )
        return int(entries), int(entries) - int(documents) if is_whole else 0

    def _one(self, sql: str, values: tuple[Value, ...]) -> int:
        return int(self._connection.one(sql, values))

    def _progress(self) -> Progress:
        rows = self._connection.rows(
            "SELECT key, value FROM meta WHERE key IN ('document_etag', 'tombstone_etag')"
        )
        return Progress(**{key: int(value) for key, value in rows})

    def _define(self, name: str, function: Callable[..., Any], arguments: int) -> None:
        self._connection.define(name, function, arguments=arguments)


def _not_briefly(name: str, function: Callable[..., Any], arguments: int) -> None:
    """For SQLite, a call of Python is one step, however long it takes."""
    raise NotBrief


def _with(conditions: Conditions) -> Fragment:
    """The tables of entries that full-text search found, before the statement."""
    tables = conditions.found_words
    if not tables:
        return Fragment("")
    values = tuple(value for table in tables for value in table.values)
    return Fragment(f"WITH {', '.join(table.sql for table in tables)}", values)


def uses_index(condition: Condition | None, order_by: tuple[Ordering, ...]) -> bool:
    """Whether a query needs an index at all."""
    return condition is not None or bool(order_by)
