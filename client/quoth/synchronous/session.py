# Made from asynchronous/session.py by `python -m scripts.twins`: change that one.
"""Session: the synchronous shell over the core. It carries commands and decides nothing."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from quoth.compare_exchange import CompareExchangeValue
from quoth.core import SessionCore
from quoth.options import IndexWait, ReplicationWait
from quoth.synchronous.driving import Driver, Execute
from quoth.waiting import IndexWaitBuilder, ReplicationWaitBuilder

T = TypeVar("T")
Ids = list[str] | tuple[str, ...] | set[str] | frozenset[str]


class Session:
    """A unit of work: entities by identity, and their changes saved together.

        with store.open_session() as session:
            company = session.load("companies/1-A", Company)
            company.name = "Quoth & Sons"
            session.save_changes()

    Leaving the block saves nothing by itself. Tasks may load and store side by side in one
    session; while one saves, the others must leave it alone.
    """

    def __init__(self, core: SessionCore, execute: Execute) -> None:
        self._core = core
        self._drive = Driver(core, execute)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._core.tracking.clear()

    @property
    def advanced(self) -> Self:
        """The session itself: here for programs that know RavenDB's clients."""
        return self

    @overload
    def load(self, ids: str, *, include: Sequence[str] = ()) -> dict[str, Any] | None: ...
    @overload
    def load(self, ids: str, entity_type: type[T], *, include: Sequence[str] = ()) -> T | None: ...
    @overload
    def load(
        self, ids: Ids, *, include: Sequence[str] = ()
    ) -> dict[str, dict[str, Any] | None]: ...
    @overload
    def load(
        self, ids: Ids, entity_type: type[T], *, include: Sequence[str] = ()
    ) -> dict[str, T | None]: ...

    def load(
        self, ids: str | Ids, entity_type: type[Any] = dict, *, include: Sequence[str] = ()
    ) -> Any:
        """One entity by its id, None if there is none; or a dictionary of many by their ids.

        A second load of the same id gives the same entity without asking the server. `include`
        names properties that hold ids; those documents come along and need no request later.
        Raises WrongType if a document does not fit `entity_type`.
        """
        if isinstance(ids, str):
            return self._drive(self._core.load_one(ids, entity_type, include))
        return self._drive(self._core.load_many(tuple(ids), entity_type, include))

    def store(
        self, entity: object, document_id: str | None = None, *, change_vector: str | None = None
    ) -> str:
        """Take a new entity in, to be written by `save_changes`; returns its id.

        Without an id one like `companies/1-A` is made. `companies|` takes the cluster's next
        identity and `companies/` a number of the server's, both known after saving.
        `change_vector=""` demands that there is no such document yet.
        """
        return self._drive(self._core.store(entity, document_id, change_vector))

    def delete(self, entity_or_id: object, *, change_vector: str | None = None) -> None:
        """Delete an entity of this session, or a document by its id, with `save_changes`."""
        self._core.delete(entity_or_id, change_vector)

    def save_changes(self) -> None:
        """Write all changes, or none of them.

        Raises ConcurrencyError if another was first, FateUnknown if nobody can tell whether it
        was done, ReplicationTimeout if it was done but not seen elsewhere in time.
        """
        self._drive(self._core.save_changes(self))

    def has_changes(self) -> bool:
        """Whether `save_changes` would send anything."""
        return self._core.has_changes()

    def ignore_changes_for(self, entity: object) -> None:
        """From now on no change of this entity is saved."""
        self._core.ignore_changes_for(entity)

    def evict(self, entity: object) -> None:
        """Forget an entity with its changes; loading it again asks the server."""
        self._core.evict(entity)

    def clear(self) -> None:
        """Forget every entity and every pending change."""
        self._core.clear()

    def id_of(self, entity: object) -> str:
        """The id of an entity of this session."""
        return self._core.of(entity).document_id

    def change_vector_of(self, entity: object) -> str | None:
        """The change vector the entity was loaded or saved with; None if it is new."""
        return self._core.of(entity).change_vector

    def metadata_of(self, entity: object) -> dict[str, Any]:
        """The metadata of an entity. Changes of your own keys are saved."""
        return self._core.of(entity).metadata

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
        self, build: Callable[[ReplicationWaitBuilder], object] = lambda wait: None
    ) -> None:
        """`wait_for_replication`, as programs written for RavenDB call it."""
        builder = ReplicationWaitBuilder()
        build(builder)
        self._core.replication_wait = builder.wait

    def wait_for_indexes_after_save_changes(
        self, build: Callable[[IndexWaitBuilder], object] = lambda wait: None
    ) -> None:
        """`wait_for_indexes`, as programs written for RavenDB call it."""
        builder = IndexWaitBuilder()
        build(builder)
        self._core.index_wait = builder.wait

    @property
    def cluster_transaction(self) -> "ClusterTransaction":
        """The compare-exchange values of a cluster-wide session."""
        self._core.check_cluster_wide()
        return ClusterTransaction(self._drive)


class ClusterTransaction:
    """Compare-exchange values, read now and written together with the session's documents."""

    def __init__(self, drive: Driver) -> None:
        self._core = drive.core
        self._drive = drive

    @overload
    def get_compare_exchange_value(self, key: str) -> CompareExchangeValue[Any] | None: ...
    @overload
    def get_compare_exchange_value(
        self, key: str, value_type: type[T]
    ) -> CompareExchangeValue[T] | None: ...

    def get_compare_exchange_value(
        self, key: str, value_type: type[Any] | None = None
    ) -> CompareExchangeValue[Any] | None:
        """The value of a key, None if it has none. Assign to `.value` and save to change it."""
        found: CompareExchangeValue[Any] | None = self._drive(self._core.get_value(key, value_type))
        return found

    def create_compare_exchange_value(self, key: str, value: T) -> CompareExchangeValue[T]:
        """Reserve a key; the save is refused if it has a value by then."""
        return self._core.tracking.values.create(key, value)

    def update_compare_exchange_value(self, item: CompareExchangeValue[T]) -> None:
        """Write a value that was read elsewhere; the save is refused if it has changed since."""
        self._core.tracking.values.update(item)

    def delete_compare_exchange_value(
        self, item_or_key: CompareExchangeValue[Any] | str, index: int | None = None
    ) -> None:
        """Remove a value that was read, or the value of a key if it has this index."""
        self._core.delete_value(item_or_key, index)
