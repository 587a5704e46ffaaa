"""The indexes of this node, as queries ask them: one is chosen or made, waited for, and run.

A query that names no index is answered from an automatic one. If none has all the fields it needs,
one that has them, and those of the others of its collection, is defined through the log; when it
has caught up here, those that it does all of are deleted.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from quoth_cluster import indexes
from quoth_cluster.clock import Clock
from quoth_cluster.commands import DeleteIndex, PutIndex, encode
from quoth_cluster.documents import last_etag
from quoth_cluster.errors import FateUnknown, NotProposed
from quoth_cluster.indexes import AUTOMATIC, IndexRecord
from quoth_cluster.machine import Database, Machine
from quoth_cluster.outcomes import IndexPut, Refused
from quoth_cluster.raft.door import RaftLog
from quoth_cluster.store.environment import ReadTxn
from quoth_node.indexing.auto_mapping import AutoDefinition, options_of
from quoth_node.indexing.built import Activity, BuiltIndex
from quoth_node.indexing.indexer import Indexer
from quoth_node.indexing.mapping import ALL_FIELDS, FieldOptions
from quoth_node.indexing.sqlite import IndexFileError, QueryInterrupted
from quoth_node.indexing.staleness import is_behind
from quoth_node.indexing.store import StoredField
from quoth_node.querying.brevity import NotAtHand, NotBrief
from quoth_node.querying.door import Answer, Hit, Question, ReadyIndex
from quoth_node.querying.errors import (
    IndexMissing,
    IndexNotAvailable,
    IndexNotReady,
    InvalidQuery,
)
from quoth_node.querying.index_view import IndexView
from quoth_node.querying.needs import aliases_of, needs_of
from quoth_node.querying.parameters import Parameters
from quoth_node.querying.running import IndexReader
from quoth_node.rql import Query, SourceKind

CHOOSE_SECONDS_MAX = 15.0
PROPOSAL_SECONDS_MAX = 15.0

log = logging.getLogger(__name__)
T = TypeVar("T")


class LiveIndexes:
    """Fulfils the door `Indexes`."""

    def __init__(self, raft: RaftLog, machine: Machine, indexer: Indexer, clock: Clock) -> None:
        self.indexer = indexer
        indexer.on_news = self._tell
        self._raft = raft
        self._machine = machine
        self.clock = clock
        self._news = asyncio.Event()  # replaced whenever the indexer has done something
        self._making: dict[tuple[str, str], asyncio.Lock] = {}
        self._definitions: dict[bytes, AutoDefinition] = {}

    def _tell(self) -> None:
        """The indexer has done something. On the event loop."""
        self._news.set()
        self._news = asyncio.Event()

    async def choose(self, database: str, query: Query, parameters: Parameters) -> ReadyIndex:
        """See `Indexes.choose`."""
        found = self._database(database)
        if query.source.kind is SourceKind.INDEX:
            record = self._record(found, query.source.name)
            if record is None:
                raise IndexMissing(query.source.name)
            return await self._ready(found, record.name)
        needs = needs_of(query)
        name = self._covering(found, needs)
        if name is not None:
            return await self._ready(found, name)
        return await self._make(found, needs)

    async def until(self, holds: Callable[[], T | None], seconds: float) -> T | None:
        """What `holds` gives once it gives something; None when the time is over."""
        if (ready := holds()) is not None:
            return ready  # most are, and a timer costs more than this
        try:
            async with asyncio.timeout(seconds):
                while (result := holds()) is None:
                    news = self._news
                    self.indexer.hurry()
                    await news.wait()
                return result
        except TimeoutError:
            return None

    # -- inside

    def _database(self, name: str) -> Database:
        found = self._machine.database(name)
        if found is None:
            raise IndexNotReady(f"Database '{name}' is not here any more")
        return found

    def _record(self, database: Database, name: str) -> IndexRecord | None:
        with database.read() as txn:
            return indexes.load(txn, name)

    async def _ready(
        self, database: Database, name: str, created: int | None = None
    ) -> "LiveIndex":
        index = await self.until(lambda: self.indexer.index(database, name), CHOOSE_SECONDS_MAX)
        if index is None:
            raise IndexNotReady(f"Index '{name}' is not here yet")
        if index.activity is Activity.DISABLED:
            raise IndexNotAvailable(f"Could not query index '{index.name}': it is disabled")
        if index.activity is Activity.FAULTY:
            raise IndexNotAvailable(f"Could not query index '{index.name}': {index.error}")
        return LiveIndex(self, database, index, created)

    def _automatic(self, database: Database) -> list[tuple[IndexRecord, AutoDefinition]]:
        with database.read() as txn:
            records = [one for one in indexes.every(txn) if one.kind == AUTOMATIC]
        return [(record, self._definition(record)) for record in records]

    def _definition(self, record: IndexRecord) -> AutoDefinition:
        known = self._definitions.get(record.definition)
        if known is None:
            known = AutoDefinition.from_json(record.definition)
            self._definitions[record.definition] = known
        return known

    def _covering(self, database: Database, needs: AutoDefinition) -> str | None:
        """The automatic index with the fewest fields that has all that is needed."""
        found = [
            (len(definition.fields) + len(definition.sums), record.name)
            for record, definition in self._automatic(database)
            if record.state != "Disabled" and definition.covers(needs)
        ]
        return min(found)[1] if found else None

    async def _make(self, database: Database, needs: AutoDefinition) -> "LiveIndex":
        """Define an automatic index, and wait until it has read what is here now."""
        key = database.record.folder, needs.collection.lower()
        async with self._making.setdefault(key, asyncio.Lock()):
            # Another query may have made it meanwhile.
            name = self._covering(database, needs)
            if name is not None:
                return await self._ready(database, name)
            wanted, narrower = self._widened(database, needs)
            created = await self._propose(database, wanted)
        index = await self._ready(database, wanted.name, created)
        with database.read() as txn:
            etag = last_etag(txn)
        if await index.wait_for(etag, timeout_seconds=CHOOSE_SECONDS_MAX):
            await self._supersede(database, narrower)
        return index

    def _widened(
        self, database: Database, needs: AutoDefinition
    ) -> tuple[AutoDefinition, list[str]]:
        """What does all that the indexes of the collection do, and their names."""
        kin = [
            (record.name, definition)
            for record, definition in self._automatic(database)
            if record.state != "Disabled" and definition.is_kin_of(needs)
        ]
        wanted = needs
        for _, definition in kin:
            wanted = definition.widened(wanted)
        return wanted, [name for name, _ in kin if name != wanted.name]

    async def _propose(self, database: Database, wanted: AutoDefinition) -> int | None:
        command = PutIndex(
            database.record.name,
            wanted.name,
            AUTOMATIC,
            wanted.to_json(),
            self.clock.now_micros(),
        )
        applied = await self._raft.propose(
            encode(command), timeout_seconds=PROPOSAL_SECONDS_MAX
        )
        match applied.outcome:
            case IndexPut(_, command_index, changed):
                log.info("index '%s' is made for a query", wanted.name)
                return command_index if changed else None
            case Refused(message=message):
                raise InvalidQuery(f"No index could be made for this query: {message}")
        raise AssertionError(f"PutIndex -> {applied.outcome!r}")

    async def _supersede(self, database: Database, narrower: list[str]) -> None:
        for name in narrower:
            command = encode(DeleteIndex(database.record.name, name))
            try:
                await self._raft.propose(command, timeout_seconds=PROPOSAL_SECONDS_MAX)
            except (NotProposed, FateUnknown) as error:
                log.info("index '%s' is not deleted yet: %s", name, error)


@dataclass(slots=True)
class LiveIndex:
    """Fulfils the door `ReadyIndex`."""

    _live: LiveIndexes
    _database: Database
    _index: BuiltIndex
    created_index: int | None
    name: str = field(init=False)
    definition_index: int = field(init=False)

    def __post_init__(self) -> None:
        self.name = self._index.name
        self.definition_index = self._index.record.defined_index

    async def wait_for(self, etag: int, *, timeout_seconds: float) -> bool:
        """See `ReadyIndex.wait_for`."""
        reached = await self._live.until(lambda: self._reached(etag), timeout_seconds)
        return reached is True

    def run(self, question: Question) -> Answer:
        """See `ReadyIndex.run`."""
        index = self._current()
        try:
            try:
                return self._asked(index, question)
            except IndexFileError:
                # A definition that took its place took the file as well.
                if (newer := self._current()) is index:
                    raise
                return self._asked(newer, question)
        except (IndexFileError, QueryInterrupted) as error:
            if question.is_brief:
                raise (NotBrief if isinstance(error, QueryInterrupted) else NotAtHand) from error
            text = f"Index '{index.name}' did not answer"
            if isinstance(error, QueryInterrupted):
                raise IndexNotAvailable(f"{text}: {error}") from error
            # Its file is gone with its database, or damaged: then indexing finds that too. Where
            # it lies on this machine is nobody's business.
            log.warning("%s: %s", text, error)
            raise IndexNotReady(f"{text}: its file cannot be read just now") from error

    def _asked(self, index: BuiltIndex, question: Question) -> Answer:
        index.queried_micros = self._live.clock.now_micros()
        aliases = aliases_of(question.query)
        select = question.query.select
        lent = index.readers.at_hand() if question.is_brief else index.readers.one()
        with lent as connection:
            if connection is None:
                raise NotAtHand
            page = IndexReader(connection, self._live.clock).run(
                question.query,
                question.parameters,
                lambda stored, fans_out: _view_of(index, stored, fans_out, aliases),
                skip=question.start,
                take=question.size,
                seed=str(index.queried_micros),
                keeps_duplicates=select is not None,
                is_brief=question.is_brief,
                explains=question.explains,
            )
        hits = [Hit(found.document_id, found.score, found.result) for found in page.rows]
        explanations: dict[str, list[str]] = {}
        for found in page.rows:
            if found.document_id is not None and found.explanation is not None:
                explanations.setdefault(found.document_id, []).append(found.explanation)
        etag = min(page.progress.document_etag, page.progress.tombstone_etag)
        return Answer(
            hits=hits,
            total=page.total,
            skipped=page.skipped,
            indexed_etag=etag,
            indexed_at_micros=index.indexed_micros,
            explanations=explanations,
        )

    def is_stale(self, answer: Answer, txn: ReadTxn) -> bool:
        """See `ReadyIndex.is_stale`."""
        return is_behind(self._index, txn, etag=answer.indexed_etag)

    def _current(self) -> BuiltIndex:
        """It may have been built anew since it was chosen."""
        return self._live.indexer.index(self._database, self.name) or self._index

    def _reached(self, etag: int) -> bool | None:
        index = self._current()
        if index.etag >= etag:
            return True
        return False if index.activity in (Activity.DISABLED, Activity.FAULTY) else None


def _view_of(
    index: BuiltIndex, stored: dict[str, StoredField], fans_out: bool, aliases: dict[str, str]
) -> IndexView:
    shape = index.shape
    assert shape is not None, "an index that does not compile is not asked"
    if index.record.kind == AUTOMATIC:
        is_reduced = shape.group_by is not None
        return IndexView(
            *(stored, lambda name: options_of(name)[1], True),
            is_reduced=is_reduced,
            aliases=aliases if is_reduced else {},
        )
    fields = shape.fields
    default = fields.get(ALL_FIELDS) or FieldOptions()
    return IndexView(
        stored,
        lambda name: fields.get(name, default),
        is_auto=False,
        known=None if shape.has_dynamic_fields else frozenset(fields),
        fans_out=fans_out and shape.group_by is None,
        is_reduced=shape.group_by is not None,
    )
