"""What a session does, without doing it: the one core under both shells.

Whatever needs the network is a generator. It yields commands and is sent their results; a shell
carries them, asynchronously or not, and knows nothing else:

    core.load(...)  ── yields GetDocuments ──>  shell ──> executor ──> node
                    <── is sent LoadedDocuments ──

Between two yields nothing else runs, so tasks may load and store side by side. A save is alone: who
comes while it is under way is told so, instead of saving or forgetting half of what it sends. A
session is for one thread.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from quoth.batches import BatchResult, SaveBatch
from quoth.commands import Command, TakeHiLoRange, fold
from quoth.compare_exchange import CompareExchangeValue
from quoth.conventions import Conventions
from quoth.errors import Misuse
from quoth.hilo import HiLo
from quoth.lazies import Lazies
from quoth.naming import id_prefix_of
from quoth.options import IndexWait, ReplicationWait, SessionOptions
from quoth.reads import GetDocuments, GetValues
from quoth.serialization import (
    METADATA,
    JsonObject,
    from_document,
    get_identity,
    set_identity,
)
from quoth.steps import Steps, ask
from quoth.tracking import OPEN_ENDINGS, Tracked, Tracking

T = TypeVar("T")

DOCUMENT_ID_BYTES_MAX = 512


class SessionCore:
    """The state and the decisions of one session."""

    def __init__(self, options: SessionOptions, conventions: Conventions, hilo: HiLo) -> None:
        self.options = options
        self.known_raft_index: int | None = None
        self.tracking = Tracking(options, conventions.identity_property)
        self.replication_wait: ReplicationWait | None = None
        self.index_wait: IndexWait | None = None
        self.number_of_requests = 0
        self.requests_max = conventions.max_number_of_requests_per_session
        assert options.database is not None, "the store names the database"
        self.lazies = Lazies(options.database)
        self._conventions = conventions
        self._hilo = hilo
        self._is_saving = False

    # Reading.

    def load_one(
        self, document_id: str, entity_type: type[T], include: Sequence[str]
    ) -> Steps[T | None]:
        found = yield from self.load_many((document_id,), entity_type, include)
        return found[document_id]

    def load_many(
        self, ids: Sequence[str], entity_type: type[T], include: Sequence[str]
    ) -> Steps[dict[str, T | None]]:
        """Entities by the ids asked for, None where there is no document."""
        for each in ids:
            _check_id(each)
        include = (include,) if isinstance(include, str) else tuple(include)
        if self.options.no_tracking:
            return (yield from self._load_fresh(ids, entity_type, include))
        tracking = self.tracking
        wanted = [each for each in dict.fromkeys(ids) if include or not self._is_known(each)]
        if wanted:
            loaded = yield from ask(GetDocuments(tuple(wanted), include))
            tracking.included.update(loaded.includes)
            for each in wanted:
                self._received(each, loaded.by_id.get(fold(each)))
        return {each: self._known(each, entity_type) for each in ids}

    def _load_fresh(
        self, ids: Sequence[str], entity_type: type[T], include: Sequence[str]
    ) -> Steps[dict[str, T | None]]:
        if include:
            raise Misuse("a session without tracking keeps nothing, so it cannot include")
        loaded = yield from ask(GetDocuments(tuple(dict.fromkeys(ids))))
        found: dict[str, T | None] = {}
        for each in ids:
            document = loaded.by_id.get(fold(each))
            found[each] = None if document is None else self.entity(document, entity_type)
        return found

    def _is_known(self, document_id: str) -> bool:
        folded, tracking = fold(document_id), self.tracking
        places = (tracking.by_id, tracking.missing, tracking.deletions, tracking.included)
        return any(folded in place for place in places)

    def _received(self, document_id: str, document: JsonObject | None) -> None:
        """Keep a document until it is asked for as some type; what is tracked already wins."""
        if document is None:
            self.tracking.missing.add(fold(document_id))
        else:
            self.tracking.included[fold(document_id)] = document

    def _known(self, document_id: str, entity_type: type[T]) -> T | None:
        folded, tracking = fold(document_id), self.tracking
        if folded in tracking.deletions:
            return None
        tracked = tracking.by_id.get(folded)
        if tracked is None and folded in tracking.included:
            # Out of `included` only when it became an entity: it may not fit the type.
            document = tracking.included[folded]
            tracked = tracking.add_loaded(self.entity(document, entity_type), document)
            tracking.missing.discard(folded)
        if tracked is None:
            return None
        tracking.included.pop(folded, None)
        if not isinstance(tracked.entity, entity_type):
            raise Misuse(
                f"{document_id!r} is already a {type(tracked.entity).__name__} in this session,"
                f" not a {entity_type.__name__}"
            )
        return tracked.entity

    def adopt(self, document: JsonObject, entity_type: type[T]) -> T:
        """The tracked entity of a document that came; what the session has already wins.

        Raises WrongType if the document does not fit, Misuse if it is tracked as another type.
        """
        document_id = document[METADATA]["@id"]
        folded, tracking = fold(document_id), self.tracking
        if folded in tracking.deletions:
            return self.entity(document, entity_type)  # it is to go: nothing to track
        if folded not in tracking.by_id:
            tracking.included[folded] = document
        found = self._known(document_id, entity_type)
        assert found is not None, "it was just put there"
        return found

    def entity(self, document: JsonObject, entity_type: type[T]) -> T:
        """A new entity from a document, which the session does not keep."""
        return from_document(
            document,
            entity_type,
            document_id=document[METADATA]["@id"],
            identity_property=self._conventions.identity_property,
        )

    # Writing.

    def store(
        self, entity: object, document_id: str | None, change_vector: str | None
    ) -> Steps[str]:
        """Take an entity in; its id, which ends in `|` or `/` if the server will complete it."""
        self._check_can_write("store")
        known = self.tracking.by_entity.get(id(entity))
        if known is not None:
            if document_id is not None and fold(document_id) != fold(known.document_id):
                raise Misuse(f"this entity is already stored as {known.document_id!r}")
            known.expected_change_vector = change_vector or known.expected_change_vector
            return known.document_id
        identity_property = self._conventions.identity_property
        if document_id is None:
            document_id = get_identity(entity, identity_property=identity_property)
        if document_id is None:
            document_id = yield from self._next_id(entity)
        _check_id(document_id)
        if self.options.is_cluster_wide and document_id.endswith("/"):
            raise Misuse("a cluster transaction cannot number documents by node: use"
                         f" {document_id[:-1] + '|'!r} or leave the id out")  # fmt: skip
        metadata = self._new_metadata(entity, document_id)
        self.tracking.add_new(entity, document_id, metadata=metadata, change_vector=change_vector)
        if not document_id.endswith(OPEN_ENDINGS):
            set_identity(entity, document_id, identity_property=identity_property)
        return document_id

    def delete(self, entity_or_id: object, change_vector: str | None) -> None:
        self._check_can_write("delete")
        self._check_not_saving()
        if isinstance(entity_or_id, str):
            _check_id(entity_or_id)
            self.tracking.delete_by_id(entity_or_id, change_vector)
        else:
            self.tracking.delete(self.tracking.of(entity_or_id), change_vector)

    def save_changes(self, session: object) -> Steps[None]:
        """Send what has changed as one batch; `session` is what conventions are asked with."""
        self._check_can_write("save")

        def ignores(entity: object, document_id: str) -> bool:
            return self._conventions.ignores(session, entity, document_id)

        with self._saving():
            plan = self.tracking.plan(ignores)
            if not plan.commands:
                return
            result: BatchResult = yield from ask(
                SaveBatch(
                    plan.commands,
                    self.options.transaction_mode,
                    replication=self.replication_wait,
                    indexes=self.index_wait,
                )
            )
            if result.transaction_index is not None:
                self.known_raft_index = max(result.transaction_index, self.known_raft_index or 0)
            self.tracking.saved(plan, result.results)

    def has_changes(self) -> bool:
        return bool(self.tracking.plan().commands)

    def evict(self, entity: object) -> None:
        self._check_not_saving()
        self.tracking.evict(self.tracking.of(entity))

    def clear(self) -> None:
        self._check_not_saving()
        self.tracking.clear()

    def ignore_changes_for(self, entity: object) -> None:
        self.tracking.of(entity).is_ignored = True

    def of(self, entity: object) -> Tracked:
        return self.tracking.of(entity)

    # Compare-exchange values.

    def get_value(
        self, key: str, value_type: type[T] | None
    ) -> Steps[CompareExchangeValue[T] | None]:
        values = self.tracking.values
        asked = values.unknown((key,))
        if asked:
            found = yield from ask(GetValues(asked))
            values.seen(asked, found)
        return values.get(key, value_type)

    def delete_value(self, item_or_key: CompareExchangeValue[Any] | str, index: int | None) -> None:
        if isinstance(item_or_key, CompareExchangeValue):
            self.tracking.values.delete(item_or_key.key, item_or_key.index)
        elif index is None:
            raise Misuse(f"to delete {item_or_key!r} by its key, tell the index it must have")
        else:
            self.tracking.values.delete(item_or_key, index)

    def check_cluster_wide(self) -> None:
        if not self.options.is_cluster_wide:
            how = "open_session(transaction_mode=TransactionMode.CLUSTER_WIDE)"
            raise Misuse(f"compare-exchange values need a cluster-wide session: {how}")

    # Small things.

    def count_request(self, command: Command[Any]) -> None:
        """One more request of this session. Raises Misuse over the limit: a loop may have got out.

        Ids are borrowed for the store, and do not count.
        """
        if isinstance(command, TakeHiLoRange):
            return
        if self.number_of_requests >= self.requests_max:
            raise Misuse(
                f"this session has made {self.requests_max} requests, which is its limit: load many"
                " ids at once, include or load lazily; or raise"
                " session.advanced.max_number_of_requests_per_session or the convention"
            )
        self.number_of_requests += 1

    def _check_can_write(self, verb: str) -> None:
        if self.options.no_tracking:
            raise Misuse(f"this session was opened with no_tracking=True: it cannot {verb}")

    def _next_id(self, entity: object) -> Steps[str]:
        if isinstance(entity, dict):
            raise Misuse("a dictionary has no class to make an id from: give one,"
                         " as in store(entity, 'companies|')")  # fmt: skip
        tag = id_prefix_of(self._conventions.collection_of(type(entity)))
        while (found := self._hilo.take(tag)) is None:
            lent = yield from ask(TakeHiLoRange(tag, self._hilo.last_range(tag)))
            self._hilo.lend(tag, lent)
        return found

    def _new_metadata(self, entity: object, document_id: str) -> JsonObject:
        metadata: JsonObject = {}
        if isinstance(entity, dict):
            metadata.update(entity.get(METADATA, {}))
            collection = document_id.rstrip("|").partition("/")[0]
        else:
            collection = self._conventions.collection_of(type(entity))
        kind = type(entity)
        metadata.setdefault("@collection", collection)
        # The official Python client finds the class by this name.
        metadata.setdefault("Raven-Python-Type", f"{kind.__module__}.{kind.__name__}")
        return metadata

    @contextmanager
    def _saving(self) -> Iterator[None]:
        self._check_not_saving()
        self._is_saving = True
        try:
            yield
        finally:
            self._is_saving = False

    def _check_not_saving(self) -> None:
        if self._is_saving:
            raise Misuse("the session is saving just now: wait for it, or open another session")


def _check_id(document_id: str) -> None:
    if not isinstance(document_id, str) or not document_id:
        raise Misuse(f"a document id is a string with something in it, not {document_id!r:.80}")
    if len(fold(document_id).encode(errors="replace")) > DOCUMENT_ID_BYTES_MAX:
        text = f"a document id has at most {DOCUMENT_ID_BYTES_MAX} bytes: {document_id:.80}..."
        raise Misuse(text)
