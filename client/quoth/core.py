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
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

from quoth.batches import (
    BatchResult,
    DeleteDocument,
    DocumentCommand,
    PatchDocument,
    PutDocument,
    SaveBatch,
)
from quoth.commands import Command, TakeHiLoRange, fold
from quoth.conventions import Conventions
from quoth.entities.numbers import id_on_wire
from quoth.errors import Misuse
from quoth.events import (
    AfterSaveChangesEventArgs,
    BeforeDeleteEventArgs,
    BeforeStoreEventArgs,
    Events,
)
from quoth.hilo import HiLo
from quoth.lazies import Lazies
from quoth.loading import check_id
from quoth.numbering import NumberedPut, SessionNumbers
from quoth.options import IndexWait, ReplicationWait, SessionOptions
from quoth.patching import Missing, Patches
from quoth.serializable import Isolation
from quoth.serialization import (
    METADATA,
    JsonObject,
    get_identity,
    is_frozen,
    set_identity,
    to_document,
)
from quoth.steps import Steps, ask
from quoth.tracking import NO_HOOKS, Hooks, Plan, Tracked, is_open
from quoth.values import Values

T = TypeVar("T")

# What has no fields to store, or is no mapping of them.
NO_ENTITIES = (str, int, float, complex, bytes, bytearray, list, tuple, set, frozenset, type,
               date, time, timedelta, Decimal, UUID, Enum)  # fmt: skip


class SessionCore(Values):
    """The state and the decisions of one session."""

    def __init__(
        self,
        options: SessionOptions,
        conventions: Conventions,
        hilo: HiLo,
        events: Events,
    ) -> None:
        super().__init__(options, conventions)
        assert options.database is not None, "the store names the database"
        self.known_raft_index: int | None = None
        self.replication_wait: ReplicationWait | None = None
        self.index_wait: IndexWait | None = None
        self.number_of_requests = 0
        self.requests_max = conventions.max_number_of_requests_per_session
        self.lazies = Lazies(options.database)
        self.events = events.for_session()
        self.patches = Patches()
        self.numbers = SessionNumbers()
        self.isolation = Isolation() if options.is_serializable else None
        self.is_closed = False
        self._deferred: list[DocumentCommand] = []
        self._hilo = hilo

    # Writing.

    def store(
        self, entity: object, document_id: str | None, change_vector: str | None
    ) -> Steps[str]:
        """Take an entity in; its id, which ends in `|` or `/` if the server will complete it."""
        self._check_can_write("store")
        self._check_can_expect(change_vector)
        if entity is None or isinstance(entity, NO_ENTITIES):
            raise Misuse(f"an entity is an object with fields or a dictionary, not {entity!r:.80}")
        if id(entity) in self.tracking.by_entity:
            return self._stored_again(entity, document_id, change_vector)
        identity_property = self.conventions.get_identity_property_name(type(entity))
        if document_id is None:
            document_id = get_identity(entity, identity_property=identity_property)
        if document_id is None:
            assert self.options.database is not None, "the store names the database"
            document_id = self.conventions.generate_document_id(self.options.database, entity)
        if document_id is None:
            document_id = yield from self._next_id(entity)
            if id(entity) in self.tracking.by_entity:  # another task was as fast
                return self._stored_again(entity, None, change_vector)
        check_id(id_on_wire(document_id) if isinstance(document_id, str) else document_id)
        self._check_number_in(document_id, entity)
        if self.options.is_cluster_wide and document_id.endswith("/"):
            raise Misuse("a cluster transaction cannot number documents by node: use"
                         f" {document_id[:-1] + '|'!r} or leave the id out")  # fmt: skip
        metadata = self.conventions.new_metadata(entity, document_id)
        self.tracking.add_new(entity, document_id, metadata=metadata, change_vector=change_vector)
        if not is_open(document_id):
            set_identity(entity, document_id, identity_property=identity_property)
        return document_id

    def _stored_again(
        self, entity: object, document_id: str | None, change_vector: str | None
    ) -> str:
        known = self.tracking.of(entity)
        if document_id is not None and fold(document_id) != fold(known.document_id):
            raise Misuse(f"this entity is already stored as {known.document_id!r}")
        if change_vector is not None:
            self.check_not_saving()
            known.expected_change_vector = change_vector
        return known.document_id

    def delete(self, entity_or_id: object, change_vector: str | None) -> None:
        self._check_can_write("delete")
        self._check_can_expect(change_vector)
        self.check_not_saving()
        if isinstance(entity_or_id, str):
            check_id(entity_or_id)
            self.tracking.delete_by_id(entity_or_id, change_vector)
        else:
            self.tracking.delete(self.tracking.of(entity_or_id), change_vector)

    def save_changes(self, session: object) -> Steps[None]:
        """Send what has changed as one batch; `session` is what conventions and events are told."""
        self._check_can_write("save")
        if self.isolation is not None:
            self.isolation.check()
        with self._saving():
            plan = self._plan(self._hooks(session))
            takings = self.numbers.takings(
                [
                    NumberedPut(place, each.tracked.document_id, each.places)
                    for place, each in enumerate(plan.puts)
                ]
            )
            if not plan.commands:
                return
            with self.numbers.saving():
                result: BatchResult = yield from ask(
                    SaveBatch(
                        plan.commands,
                        self.options.transaction_mode,
                        replication=self.replication_wait,
                        indexes=self.index_wait,
                        takings=takings,
                    )
                )
            self.numbers.taken(result.numbers)
            if result.transaction_index is not None:
                self.known_raft_index = max(result.transaction_index, self.known_raft_index or 0)
            self.tracking.saved(plan, result.results)
            self._deferred_saved(plan, result)
        for planned in plan.puts:
            tracked = planned.tracked
            for handler in self.events.after_save_changes:
                handler(AfterSaveChangesEventArgs(session, tracked.document_id, tracked.entity))

    def has_changes(self) -> bool:
        return bool(self._plan(NO_HOOKS).commands)

    def _plan(self, hooks: Hooks) -> Plan:
        plan = self.tracking.plan(hooks)
        deferred = (*self._deferred, *self.patches.commands(self.is_tracked))
        if not deferred:
            return plan
        changed = {fold(each.command.document_id) for each in plan.puts}
        changed |= {fold(each.document_id) for each in plan.deletes}
        for each in deferred:
            if fold(each.document_id) in changed:
                raise Misuse(
                    f"{each.document_id!r} is changed or deleted, and deferred or patched in one"
                    " save: save one before the other"
                )
        return replace(plan, deferred=deferred)

    def _hooks(self, session: object) -> Hooks:
        events, conventions = self.events, self.conventions

        def ignores(entity: object, document_id: str) -> bool:
            return conventions.ignores(session, entity, document_id)

        def before_store(tracked: Tracked) -> None:
            for handler in events.before_store:
                handler(
                    BeforeStoreEventArgs(
                        session, tracked.document_id, tracked.entity, tracked.metadata
                    )
                )

        def before_delete(document_id: str, entity: object | None) -> None:
            for handler in events.before_delete:
                handler(BeforeDeleteEventArgs(session, document_id, entity))

        return Hooks(
            ignores if conventions.should_ignore_entity_changes is not None else None,
            before_store if events.before_store else None,
            before_delete if events.before_delete else None,
        )

    def _deferred_saved(self, plan: Plan, result: BatchResult) -> None:
        """What was deferred is done; loaded documents that a patch changed come back with it."""
        first = len(plan.puts) + len(plan.deletes)
        for command, told in zip(plan.deferred, result.results[first:], strict=False):
            self._forget(command.document_id)
            tracked = self.tracking.by_id.get(fold(command.document_id))
            if isinstance(command, PatchDocument):
                self.patches.saved(command)
                document = told.get("ModifiedDocument")
                if document is not None and tracked is not None:
                    self._patched(tracked, document, told)
            elif isinstance(command, DeleteDocument):
                if tracked is not None:
                    self.tracking.evict(tracked)
                self.tracking.gone(command.document_id)
        del self._deferred[: len(plan.deferred)]

    def _patched(self, tracked: Tracked, document: JsonObject, told: JsonObject) -> None:
        """An entity becomes what a patch made of its document; if it cannot, it is evicted.

        The save was done, so that it cannot fail any more: the next load tells what is wrong. What
        the server makes of metadata stands beside the document, in what was `told`.
        """
        known = tracked.metadata
        made = {
            "@id": tracked.document_id,
            "@change-vector": told.get("ChangeVector") or tracked.change_vector,
            "@last-modified": told.get("LastModified") or known.get("@last-modified"),
        }
        document = {**document, METADATA: {**document.get(METADATA, {}), **made}}
        try:
            fresh = self.entity(document, type(tracked.entity))
            self.tracking.refresh(tracked, fresh, document)
        except Misuse:
            self.tracking.evict(tracked)

    # Changes that are told instead of made.

    def defer(self, commands: Sequence[DocumentCommand]) -> None:
        """Send these with the next save, after the session's own changes."""
        self._check_can_write("defer")
        self.check_not_saving()
        for each in commands:
            if not isinstance(each, PutDocument | DeleteDocument | PatchDocument):
                raise Misuse(f"to defer is a PutDocument, DeleteDocument or PatchDocument,"
                             f" not {each!r:.80}")  # fmt: skip
            self._check_can_patch(isinstance(each, PatchDocument))
        self._deferred.extend(commands)

    def patched_id(self, key_or_entity: object) -> str:
        """The id of what is to be patched."""
        self._check_can_write("patch")
        self.check_not_saving()
        self._check_can_patch(True)
        if not isinstance(key_or_entity, str):
            tracked = self.tracking.of(key_or_entity)
            if tracked.is_new:
                raise Misuse(f"{tracked.document_id!r} has not been saved: change it directly")
            return tracked.document_id
        check_id(key_or_entity)
        return key_or_entity

    def missing(self, document_id: str, entity: object) -> Missing:
        """The document that a patch creates from an entity where there is none."""
        identity_property = self.conventions.get_identity_property_name(type(entity))
        body = to_document(entity, identity_property=identity_property)
        return Missing({**body, METADATA: self.conventions.new_metadata(entity, document_id)})

    def _check_can_patch(self, is_patch: bool) -> None:
        if is_patch and self.options.is_cluster_wide:
            raise Misuse("a cluster transaction has no patches: load, change and save")

    def _forget(self, document_id: str) -> None:
        """A deferred command changed it behind the back of what the session knows."""
        self.tracking.included.pop(fold(document_id), None)
        self.tracking.missing.discard(fold(document_id))

    def is_tracked(self, document_id: str) -> bool:
        """Whether the session holds it as an entity."""
        return fold(document_id) in self.tracking.by_id

    def set_optimistic(self, is_wanted: bool) -> None:
        if is_wanted and (self.options.is_cluster_wide or self.options.no_tracking):
            raise Misuse("only a session that tracks, and is not cluster-wide, can be optimistic:"
                         " a cluster-wide one checks every document anyway")  # fmt: skip
        self.tracking.is_optimistic = is_wanted

    def evict(self, entity: object) -> None:
        self.check_not_saving()
        if id(entity) in self.tracking.by_entity or not self.tracking.keep(entity):
            self.tracking.evict(self.tracking.of(entity))

    def clear(self) -> None:
        self.check_not_saving()
        self.forget_everything()

    def forget_everything(self) -> None:
        """Entities, and changes that were never saved."""
        self.tracking.clear()
        self.patches.clear()
        self.numbers.clear()
        self._deferred.clear()
        if self.isolation is not None:
            self.isolation.reset()

    def close(self) -> None:
        """Forget everything, and carry out nothing any more."""
        self.forget_everything()
        self.is_closed = True

    def ignore_changes_for(self, entity: object) -> None:
        self.tracking.of(entity).is_ignored = True

    def of(self, entity: object) -> Tracked:
        return self.tracking.of(entity)

    # Small things.

    def isolated(self, steps: Steps[T]) -> Steps[T]:
        """Steps as they are carried out: of a serializable session, with all it has read.

        Raises Misuse in a session that is closed.
        """
        self._check_open()
        return steps if self.isolation is None else self.isolation.carry(steps)

    def check_can_stream(self) -> None:
        """Raise Misuse if an answer that is read bit by bit has no place in this session."""
        self._check_open()
        if self.isolation is not None:
            raise Misuse("a serializable session cannot stream, for nothing could check what was"
                         " read when it saves: use another session")  # fmt: skip

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

    def _check_number_in(self, document_id: str, entity: object) -> None:
        """An id may wait for a number of a sequence, if its entity can be told the whole later."""
        if self.numbers.number_in(document_id) is None:
            return
        identity_property = self.conventions.get_identity_property_name(type(entity))
        own = get_identity(entity, identity_property=identity_property)
        if own is not None and is_open(own) and is_frozen(entity):
            raise Misuse(f"a {type(entity).__name__} cannot be changed, so its id cannot get the"
                         " number after the save: give the id to store() alone")  # fmt: skip

    def check_can_number(self) -> None:
        """Raise Misuse if numbers cannot be asked for now."""
        self._check_can_write("take numbers")
        self.check_not_saving()

    def _check_open(self) -> None:
        if self.is_closed:
            raise Misuse("the session is closed: open another one, which costs nothing")

    def _check_can_write(self, verb: str) -> None:
        if self.options.no_tracking:
            raise Misuse(f"this session was opened with no_tracking=True: it cannot {verb}")

    def _check_can_expect(self, change_vector: str | None) -> None:
        if change_vector is not None and self.options.is_cluster_wide:
            raise Misuse("a cluster-wide session expects no change vectors: its save is refused"
                         " anyway if a document is no longer what it has loaded")  # fmt: skip

    def _next_id(self, entity: object) -> Steps[str]:
        if isinstance(entity, dict):
            raise Misuse("a dictionary has no class to make an id from: give one,"
                         " as in store(entity, 'companies|')")  # fmt: skip
        tag = self.conventions.id_prefix_of(type(entity))
        while (found := self._hilo.take(tag)) is None:
            lent = yield from ask(TakeHiLoRange(tag, self._hilo.last_range(tag)))
            self._hilo.lend(tag, lent)
        return found

    @contextmanager
    def _saving(self) -> Iterator[None]:
        self.check_not_saving()
        self.is_saving = True
        try:
            yield
        finally:
            self.is_saving = False
