"""AsyncAdvanced: what a session can do besides load, store, delete and save."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from quoth.asynchronous.cluster_transaction import AsyncClusterTransaction
from quoth.asynchronous.driving import AsyncDriver
from quoth.asynchronous.lazily import AsyncEagerly, AsyncLazily
from quoth.batches import DocumentCommand
from quoth.changes import DocumentsChanges
from quoth.conventions import Conventions
from quoth.core import SessionCore
from quoth.events import Events, WithEvents
from quoth.loading import ConditionalLoadResult
from quoth.numbering import SessionSequences
from quoth.options import IndexWait, ReplicationWait, TransactionMode
from quoth.patching import JavaScriptArray, JavaScriptMap
from quoth.reads import GetDocumentsStartingWith
from quoth.serialization import from_json
from quoth.type_variables import E
from quoth.waiting import IndexWaitBuilder, ReplicationWaitBuilder

T = TypeVar("T")


class AsyncAdvanced(WithEvents):
    """The rest of a session; `session.advanced` and the session itself both have it.

    Programs written for RavenDB know it as InMemoryDocumentSessionOperations, and annotate with it.
    """

    ReplicationWaitOptsBuilder: TypeAlias = ReplicationWaitBuilder
    IndexesWaitOptsBuilder: TypeAlias = IndexWaitBuilder

    _core: SessionCore
    _drive: AsyncDriver

    # What the session knows.

    @property
    def conventions(self) -> Conventions:
        """Those of the store."""
        return self._core.conventions

    @property
    def transaction_mode(self) -> TransactionMode:
        """How the changes of this session are made."""
        return self._core.options.transaction_mode

    @property
    def number_of_requests(self) -> int:
        """How many requests this session has made. Borrowing ids does not count."""
        return self._core.number_of_requests

    @property
    def max_number_of_requests_per_session(self) -> int:
        """More are refused; 30 unless the conventions say otherwise."""
        return self._core.requests_max

    @max_number_of_requests_per_session.setter
    def max_number_of_requests_per_session(self, requests: int) -> None:
        self._core.requests_max = requests

    @property
    def sequences(self) -> SessionSequences:
        """Numbers without gaps, taken by the next save and written into its documents."""
        return SessionSequences(self._core.numbers, self._core.check_can_number)

    @property
    def use_optimistic_concurrency(self) -> bool:
        """Whether a save is refused if a document is no longer what was loaded."""
        return self._core.tracking.is_optimistic

    @use_optimistic_concurrency.setter
    def use_optimistic_concurrency(self, is_wanted: bool) -> None:
        self._core.set_optimistic(is_wanted)

    @property
    def has_saved(self) -> bool:
        """Whether this session has written anything yet, or may have.

        Known of serializable ones only.
        """
        isolation = self._core.isolation
        return isolation is not None and isolation.has_saved

    def has_changes(self) -> bool:
        """Whether `save_changes` would send anything."""
        return self._core.has_changes()

    def has_changed(self, entity: object) -> bool:
        """Whether `save_changes` would write this entity."""
        return self._core.tracking.has_changed(self._core.of(entity))

    def what_changed(self) -> dict[str, list[DocumentsChanges]]:
        """What `save_changes` would change, by the ids of documents."""
        return self._core.tracking.changes()

    def what_changed_for(self, entity: object) -> list[DocumentsChanges]:
        """What `save_changes` would change of one entity."""
        return self._core.tracking.changes_of(self._core.of(entity))

    def is_loaded(self, key: str) -> bool:
        """Whether a load of this id would give a document and ask nobody."""
        return self._core.is_loaded(key)

    def get_document_id(self, entity: object) -> str | None:
        """The id of an entity of this session, None for any other object."""
        tracked = self._core.tracking.by_entity.get(id(entity))
        return None if tracked is None else tracked.document_id

    def get_change_vector_for(self, entity: object) -> str | None:
        """The change vector the entity was loaded or saved with; None if it is new."""
        return self._core.of(entity).change_vector

    def get_metadata_for(self, entity: object) -> dict[str, Any]:
        """The metadata of an entity. Changes of your own keys are saved."""
        return self._core.of(entity).metadata

    def get_last_modified_for(self, entity: object) -> datetime | None:
        """When the server wrote the entity last, in UTC; None if it is new."""
        told = self._core.of(entity).metadata.get("@last-modified")
        return None if told is None else from_json(told, datetime, name="@last-modified")

    # Forgetting.

    def ignore_changes_for(self, entity: object) -> None:
        """From now on no change of this entity is saved."""
        self._core.ignore_changes_for(entity)

    def evict(self, entity: object) -> None:
        """Forget an entity with its changes; loading it again asks the server."""
        self._core.evict(entity)

    def clear(self) -> None:
        """Forget every entity and every pending change."""
        self._core.clear()

    # Reading.

    @property
    def lazily(self) -> AsyncLazily:
        """Reads that wait until one of them is needed, and then travel together."""
        return AsyncLazily(self._drive)

    @property
    def eagerly(self) -> AsyncEagerly:
        """Reads all that waits, now."""
        return AsyncEagerly(self._drive)

    async def exists(self, key: str) -> bool:
        """Whether there is a document of this id, without loading it."""
        return await self._drive(self._core.exists(key))

    async def refresh(self, entity: T) -> T:
        """Make an entity what its document is now, in place; its unsaved changes are lost.

        Raises NoSuchDocument if it is gone.
        """
        await self._drive(self._core.refresh(self._core.of(entity)))
        return entity

    async def load_starting_with(
        self,
        id_prefix: str,
        object_type: type[E] | None = None,
        matches: str | None = None,
        start: int = 0,
        page_size: int = 25,
        exclude: str | None = None,
        start_after: str | None = None,
    ) -> list[E]:
        """Entities whose ids begin so, in the order of their ids.

        `matches` and `exclude` are about the rest of the id, with `*` and `?` and alternatives
        after `|`; `start_after` is the last id of the page before.
        """
        kind: Any = object_type or object
        wanted = GetDocumentsStartingWith(
            id_prefix, matches, exclude, start, page_size, start_after
        )
        return await self._drive(self._core.load_starting_with(wanted, kind))

    async def conditional_load(
        self,
        key: str,
        change_vector: str,
        object_type: type[E] | None = None,
    ) -> ConditionalLoadResult[E]:
        """An entity, unless its document still has this change vector: then nothing is sent."""
        kind: Any = object_type or object
        return await self._drive(self._core.conditional_load(key, change_vector, kind))

    @property
    def cluster_transaction(self) -> AsyncClusterTransaction:
        """The compare-exchange values of a cluster-wide session."""
        self._core.check_cluster_wide()
        return AsyncClusterTransaction(self._drive)

    # Changes that are told instead of made.

    def patch(self, key_or_entity: object, path: str, value: object) -> None:
        """Set a property of a document with the next save, whatever else is in it by then.

        `path` is like `address.city` or `lines[0].price`. A missing document stays missing.
        """
        self._core.patches.set(self._core.patched_id(key_or_entity), path, value, None)

    def increment(self, key_or_entity: object, path: str, value_to_add: object) -> None:
        """Add to a number of a document with the next save, whatever it is by then.

        Numbers of patches are those of JavaScript: integers are exact up to 2**53.
        """
        patched = self._core.patched_id(key_or_entity)
        self._core.patches.increment(patched, path, value_to_add, None)

    def patch_array(
        self,
        key_or_entity: object,
        path_to_array: str,
        array_adder: Callable[[JavaScriptArray], object],
    ) -> None:
        """Add to an array or take from it: `lambda tags: tags.add("new").remove_at(0)`."""
        patched = self._core.patched_id(key_or_entity)
        self._core.patches.array(patched, path_to_array, array_adder, None)

    def patch_object(
        self,
        key_or_entity: object,
        path_to_object: str,
        dictionary_adder: Callable[[JavaScriptMap], object],
    ) -> None:
        """Set or remove members of an object: `lambda scores: scores.put("ann", 3)`."""
        patched = self._core.patched_id(key_or_entity)
        self._core.patches.object(patched, path_to_object, dictionary_adder)

    def add_or_patch(self, key: str, entity: object, path_to_object: str, value: object) -> None:
        """Set a property; where there is no such document, store `entity` as it is instead."""
        patched = self._core.patched_id(key)
        missing = self._core.missing(patched, entity)
        self._core.patches.set(patched, path_to_object, value, missing)

    def add_or_increment(
        self, key: str, entity: object, path_to_object: str, val_to_add: object
    ) -> None:
        """Add to a number; where there is no such document, store `entity` as it is instead."""
        patched = self._core.patched_id(key)
        missing = self._core.missing(patched, entity)
        self._core.patches.increment(patched, path_to_object, val_to_add, missing)

    def add_or_patch_array(
        self,
        key: str,
        entity: object,
        path_to_array: str,
        list_adder: Callable[[JavaScriptArray], object],
    ) -> None:
        """Change an array; where there is no such document, store `entity` as it is instead."""
        patched = self._core.patched_id(key)
        missing = self._core.missing(patched, entity)
        self._core.patches.array(patched, path_to_array, list_adder, missing)

    def defer(self, *commands: DocumentCommand) -> None:
        """Send these with the next save: PutDocument, DeleteDocument, PatchDocument."""
        self._core.defer(commands)

    # What a save waits for.

    def wait_for_replication(
        self,
        replicas: int = 1,
        *,
        majority: bool = False,
        timeout_seconds: float = 15.0,
        throw_on_timeout: bool = True,
    ) -> None:
        """Let saves of this session answer only when other nodes hold the changes too.

        `replicas` is how many, besides the node that answers. After the time-out the changes stay
        written; ReplicationTimeout tells, unless `throw_on_timeout` is False.
        """
        self._core.replication_wait = ReplicationWait(
            replicas, majority, timeout_seconds, throw_on_timeout
        )

    def wait_for_indexes(
        self, *names: str, timeout_seconds: float = 15.0, throw_on_timeout: bool = False
    ) -> None:
        """Let saves of this session answer only when indexes include the changes.

        Without names all indexes count that the changes touch.
        """
        self._core.index_wait = IndexWait(names, timeout_seconds, throw_on_timeout)

    def wait_for_replication_after_save_changes(
        self, options: Callable[[ReplicationWaitBuilder], object] = lambda wait: None
    ) -> None:
        """`wait_for_replication`, as programs written for RavenDB call it."""
        builder = ReplicationWaitBuilder()
        options(builder)
        self._core.replication_wait = builder.wait

    def wait_for_indexes_after_save_changes(
        self, options: Callable[[IndexWaitBuilder], object] = lambda wait: None
    ) -> None:
        """`wait_for_indexes`, as programs written for RavenDB call it."""
        builder = IndexWaitBuilder()
        options(builder)
        self._core.index_wait = builder.wait

    @property
    def _events(self) -> Events:
        return self._core.events
