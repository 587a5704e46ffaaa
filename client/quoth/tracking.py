"""From the entities a session has seen to the commands that save the difference. Pure.

    new ──store──> tracked ──plan──> commands ──saved──> tracked, as the server has it now
                      │
                   delete ──plan──> command ──saved──> forgotten

Nothing here is lost by a failed save: until `saved` is called, `plan` finds the same again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from quoth.batches import (
    BatchCommand,
    DeleteDocument,
    DocumentCommand,
    PutDocument,
)
from quoth.changes import ADDED, DELETED, DocumentsChanges, changes_between
from quoth.commands import fold
from quoth.compare_exchange import PlannedValue, TrackedValues
from quoth.entities.numbers import (
    MARK,
    MARK_BYTES,
    Place,
    fill,
    id_on_wire,
    places_in,
    with_marks_as,
)
from quoth.entities.settling import numbers_of, settle
from quoth.errors import Misuse, WrongType
from quoth.serialization import (
    METADATA,
    JsonObject,
    Origins,
    become,
    canonical,
    origins_of,
    set_identity,
    to_document,
)

# The server makes these anew with every write.
SERVER_KEYS = frozenset(
    {"@id", "@change-vector", "@last-modified", "@flags", "@index-score", "@counters"}
    | {"@timeseries", "@attachments"}
)
# Ids the server completes: `companies|` takes the next identity, `companies/` a number of its own.
OPEN_ENDINGS = ("|", "/")


def is_open(document_id: str) -> bool:
    """Whether a save completes the id: by a number of the server, or by one of a sequence."""
    return document_id.endswith(OPEN_ENDINGS) or MARK in document_id


@dataclass(slots=True, eq=False)
class Tracked:
    """One entity. Invariant: in `by_id` exactly if its id is complete.

    `stored` is the document as it was read, None for a new one; `snapshot` is what the entity
    looked like then, so that it is changed exactly if it looks different now; `origins` is what of
    the document the entity does not show, None if nothing.
    """

    entity: Any
    document_id: str
    metadata: JsonObject
    stored: JsonObject | None = None
    snapshot: bytes = b""
    origins: Origins | None = None
    change_vector: str | None = None
    expected_change_vector: str | None = None  # what the user asked to be checked
    is_ignored: bool = False

    @property
    def is_new(self) -> bool:
        return self.stored is None


@dataclass(frozen=True, slots=True)
class _Deletion:
    document_id: str
    change_vector: str | None
    original_change_vector: str | None
    entity: Any | None = None


@dataclass(frozen=True, slots=True)
class PlannedPut:
    """An entity, and what of it is sent.

    `numbered`, if numbers go into its fields, is what it looks like and what is stored, with marks
    where `places` tells.
    """

    tracked: Tracked
    command: PutDocument
    snapshot: bytes
    origins: Origins | None
    places: tuple[Place, ...] = ()
    numbered: tuple[JsonObject, JsonObject] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one save sends: puts, then deletes, then what was deferred, then values."""

    puts: tuple[PlannedPut, ...] = ()
    deletes: tuple[DeleteDocument, ...] = ()
    deferred: tuple[DocumentCommand, ...] = ()
    values: tuple[PlannedValue, ...] = ()

    @property
    def commands(self) -> tuple[BatchCommand, ...]:
        puts = (each.command for each in self.puts)
        values = (each.command for each in self.values)
        return (*puts, *self.deletes, *self.deferred, *values)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What has a word in a plan. `ignores` leaves a changed entity out; the others watch."""

    ignores: Callable[[object, str], bool] | None = None
    before_store: Callable[[Tracked], None] | None = None
    before_delete: Callable[[str, object | None], None] | None = None


NO_HOOKS = Hooks()


@dataclass(slots=True)
class Tracking:
    """All that one session has seen and been told."""

    identity_of: Callable[[type], str | None]  # the attribute that holds the id of a class
    is_optimistic: bool = False
    by_id: dict[str, Tracked] = field(default_factory=dict)
    by_entity: dict[int, Tracked] = field(default_factory=dict)
    included: dict[str, JsonObject] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    deletions: dict[str, _Deletion] = field(default_factory=dict)
    values: TrackedValues = field(default_factory=TrackedValues)

    def of(self, entity: object) -> Tracked:
        """What is known of an entity of this session."""
        tracked = self.by_entity.get(id(entity))
        if tracked is None:
            raise Misuse(f"this {type(entity).__name__} does not belong to the session:"
                         " load or store it first")  # fmt: skip
        return tracked

    def add_new(
        self, entity: object, document_id: str, *, metadata: JsonObject, change_vector: str | None
    ) -> None:
        """An entity to be stored under an id; `change_vector` is what the document must have."""
        known = self.by_id.get(fold(document_id))
        if known is not None:
            raise Misuse(f"the session already has another entity with the id {document_id!r}")
        if fold(document_id) in self.deletions:
            raise Misuse(f"the session already deletes {document_id!r}: save that first")
        tracked = Tracked(entity, document_id, metadata)
        tracked.expected_change_vector = change_vector
        self._remember(tracked)

    def add_loaded(self, entity: object, document: JsonObject) -> Tracked:
        """An entity that was just made from a document."""
        metadata = dict(document[METADATA])
        tracked = Tracked(entity, metadata["@id"], metadata)
        tracked.change_vector = metadata.get("@change-vector")
        tracked.stored = {name: each for name, each in document.items() if name != METADATA}
        plain, tracked.snapshot = self._look(tracked)
        tracked.origins = self._origins_of(tracked, plain, tracked.stored)
        self._remember(tracked)
        return tracked

    def delete(self, tracked: Tracked, change_vector: str | None) -> None:
        """A document the session knows is to be deleted."""
        self.evict(tracked)
        if tracked.is_new:
            return
        if change_vector is None and self.is_optimistic:
            change_vector = tracked.change_vector
        found = _Deletion(tracked.document_id, change_vector, tracked.change_vector, tracked.entity)
        self.deletions[fold(tracked.document_id)] = found

    def delete_by_id(self, document_id: str, change_vector: str | None) -> None:
        """A document is to be deleted, known or not."""
        known = self.by_id.get(fold(document_id))
        if known is not None:
            if known.is_new or self.has_changed(known):
                raise Misuse(f"{document_id!r} has unsaved changes: delete the entity, not the id")
            self.delete(known, change_vector)
            return
        if change_vector is not None or fold(document_id) not in self.deletions:
            self.deletions[fold(document_id)] = _Deletion(document_id, change_vector, None)

    def evict(self, tracked: Tracked) -> None:
        """Forget an entity with its changes; the next load of it asks the server."""
        self.by_entity.pop(id(tracked.entity), None)
        if self.by_id.get(fold(tracked.document_id)) is tracked:
            del self.by_id[fold(tracked.document_id)]
            self.included.pop(fold(tracked.document_id), None)
            self.missing.discard(fold(tracked.document_id))

    def keep(self, entity: object) -> bool:
        """Take the deletion of an entity back; False if it is not to be deleted."""
        for folded, each in self.deletions.items():
            if each.entity is entity and entity is not None:
                del self.deletions[folded]
                return True
        return False

    def gone(self, document_id: str) -> None:
        """There is no such document any more."""
        self.missing.add(fold(document_id))
        self.included.pop(fold(document_id), None)

    def clear(self) -> None:
        """Forget everything, pending changes included."""
        for each in (self.by_id, self.by_entity, self.included, self.missing, self.deletions):
            each.clear()
        self.values.clear()

    def plan(self, hooks: Hooks = NO_HOOKS) -> Plan:
        """What a save must send now."""
        known = list(self.by_entity.values())
        puts = list(self._planned_puts(known, hooks))
        if hooks.before_store is not None:
            # What handlers have stored is saved too; of that they are not told, or it never ends.
            seen = set(map(id, known))
            added = [each for each in self.by_entity.values() if id(each) not in seen]
            puts += self._planned_puts(added, replace(hooks, before_store=None))
        for each in list(self.deletions.values()):
            if hooks.before_delete is not None:
                hooks.before_delete(each.document_id, each.entity)
        deletes = tuple(
            DeleteDocument(each.document_id, each.change_vector, each.original_change_vector)
            for each in self.deletions.values()
        )
        return Plan(tuple(puts), deletes, values=tuple(self.values.planned()))

    def has_changed(self, tracked: Tracked) -> bool:
        """Whether a save would write it."""
        return not tracked.is_ignored and self._look(tracked)[1] != tracked.snapshot

    def changes(self) -> dict[str, list[DocumentsChanges]]:
        """What a save would change, by the ids of documents."""
        found: dict[str, list[DocumentsChanges]] = {}
        for tracked in self.by_entity.values():
            if changes := self.changes_of(tracked):
                found[tracked.document_id] = changes
        for each in self.deletions.values():
            found[each.document_id] = [DELETED]
        return found

    def changes_of(self, tracked: Tracked) -> list[DocumentsChanges]:
        """What a save would change of one entity."""
        if not self.has_changed(tracked):
            return []
        if tracked.is_new:
            return [ADDED]
        plain, snapshot = self._look(tracked)
        before, now = orjson.loads(tracked.snapshot), orjson.loads(snapshot)
        metadata = {METADATA: before.pop(METADATA)}, {METADATA: now.pop(METADATA)}
        if MARK_BYTES in snapshot:
            now = with_marks_as(plain, lambda number: number)
        return changes_between(before, now) + changes_between(*metadata)

    def saved(self, plan: Plan, results: Sequence[JsonObject]) -> None:
        """The plan was carried out; each command has one result, in the plan's order."""
        assert len(results) == len(plan.commands), "a result belongs to its command by position"
        for planned, result in zip(plan.puts, results, strict=False):
            self._put_saved(planned, result)
        for deleted in plan.deletes:
            self.deletions.pop(fold(deleted.document_id), None)
            self.gone(deleted.document_id)
        first_value = len(results) - len(plan.values)
        for planned_value, result in zip(plan.values, results[first_value:], strict=True):
            self.values.saved(planned_value, result["Index"])

    def refresh(self, tracked: Tracked, fresh: object, document: JsonObject) -> None:
        """An entity becomes what its document is now; `fresh` was made from it."""
        become(tracked.entity, fresh)
        metadata = dict(document[METADATA])
        # In place: the program may hold it.
        tracked.metadata.clear()
        tracked.metadata.update(metadata)
        tracked.change_vector = metadata.get("@change-vector")
        tracked.stored = {name: each for name, each in document.items() if name != METADATA}
        plain, tracked.snapshot = self._look(tracked)
        tracked.origins = self._origins_of(tracked, plain, tracked.stored)

    def _put_saved(self, planned: PlannedPut, result: JsonObject) -> None:
        tracked = planned.tracked
        made = {name: each for name, each in result.items() if name in SERVER_KEYS}
        tracked.metadata.update(made)
        if tracked.is_new and self.by_id.get(fold(tracked.document_id)) is not tracked:
            tracked.document_id = result["@id"]  # the server completed it
            self.by_id[fold(tracked.document_id)] = tracked
            identity_property = self.identity_of(type(tracked.entity))
            set_identity(tracked.entity, tracked.document_id, identity_property=identity_property)
        tracked.change_vector = result["@change-vector"]
        tracked.stored = planned.command.body
        tracked.snapshot = planned.snapshot
        tracked.origins = planned.origins
        if planned.numbered is not None:
            seen, tracked.stored = planned.numbered
            fill(seen)
            fill(tracked.stored)
            tracked.snapshot = canonical(seen)
            if tracked.origins is not None:
                tracked.origins.fill()
            settle(tracked.entity)
        tracked.expected_change_vector = None
        self.missing.discard(fold(tracked.document_id))
        self.included.pop(fold(tracked.document_id), None)

    def _planned_puts(self, every: Sequence[Tracked], hooks: Hooks) -> Iterator[PlannedPut]:
        for tracked in every:
            if tracked.is_ignored:
                continue
            plain, snapshot = self._look(tracked)
            if snapshot == tracked.snapshot:
                continue
            if hooks.ignores is not None and hooks.ignores(tracked.entity, tracked.document_id):
                continue
            if hooks.before_store is not None:
                hooks.before_store(tracked)
                plain, snapshot = self._look(tracked)
            yield self._planned_put(tracked, plain, snapshot)

    def _planned_put(self, tracked: Tracked, plain: JsonObject, snapshot: bytes) -> PlannedPut:
        body, origins = plain, None
        if tracked.origins is not None:
            identity_property = self.identity_of(type(tracked.entity))
            body = to_document(
                tracked.entity, identity_property=identity_property, origins=tracked.origins
            )
            origins = self._origins_of(tracked, plain, body)
        if MARK_BYTES not in snapshot:
            return PlannedPut(tracked, self._put(tracked, body), snapshot, origins)
        places = tuple(places_in(body))
        if {each.number for each in places} - numbers_of(tracked.entity):
            raise Misuse(
                f"a {type(tracked.entity).__name__} writes a number of a sequence that it does not"
                " hold in an attribute, so that it could not be told the number after the save"
            )
        put = self._put(tracked, with_marks_as(body, lambda number: None))
        seen = {**plain, METADATA: _user_metadata(tracked.metadata)}
        return PlannedPut(tracked, put, snapshot, origins, places, (seen, body))

    def _put(self, tracked: Tracked, body: JsonObject) -> PutDocument:
        expected = tracked.expected_change_vector
        if expected is None and self.is_optimistic:
            expected = tracked.change_vector
            if tracked.is_new and not is_open(tracked.document_id):
                expected = ""
        return PutDocument(
            id_on_wire(tracked.document_id),
            body,
            _user_metadata(tracked.metadata),
            change_vector=expected,
            original_change_vector=tracked.change_vector,
        )

    def _look(self, tracked: Tracked) -> tuple[JsonObject, bytes]:
        """What an entity looks like now, and bytes to compare it by."""
        identity_property = self.identity_of(type(tracked.entity))
        try:
            plain = to_document(tracked.entity, identity_property=identity_property)
            return plain, canonical({**plain, METADATA: _user_metadata(tracked.metadata)})
        except WrongType as error:
            raise WrongType(f"document {tracked.document_id}: {error}") from error

    def _origins_of(
        self, tracked: Tracked, plain: JsonObject, stored: JsonObject
    ) -> Origins | None:
        identity_property = self.identity_of(type(tracked.entity))
        return origins_of(tracked.entity, plain, stored, identity_property=identity_property)

    def _remember(self, tracked: Tracked) -> None:
        self.by_entity[id(tracked.entity)] = tracked
        if not is_open(tracked.document_id):
            self.by_id[fold(tracked.document_id)] = tracked
            self.missing.discard(fold(tracked.document_id))


def _user_metadata(metadata: JsonObject) -> JsonObject:
    return {name: each for name, each in metadata.items() if name not in SERVER_KEYS}
