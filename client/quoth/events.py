"""What a program may watch and take part in: before and after a save, before a query. Pure.

Handlers of a store hold for all its sessions, those of a session for it alone; those of the store
come first. A handler that raises ends what it was called for, and nothing has been sent then; but
those told after a save cannot take it back.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from quoth.errors import Misuse


@dataclass(frozen=True, slots=True)
class BeforeStoreEventArgs:
    """An entity is about to be written; what is changed in it now is written too.

    So is what a handler stores in the session, which no handler is told of.
    """

    session: Any
    document_id: str
    entity: Any
    document_metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AfterSaveChangesEventArgs:
    """An entity has been written."""

    session: Any
    document_id: str
    entity: Any


@dataclass(frozen=True, slots=True)
class BeforeDeleteEventArgs:
    """A document is about to be deleted; `entity` is None if only its id was given."""

    session: Any
    key: str
    entity: Any | None


@dataclass(frozen=True, slots=True)
class BeforeQueryEventArgs:
    """A query is about to be sent; it can still be changed through `query_customization`."""

    session: Any
    query_customization: Any


@dataclass(slots=True)
class Events:
    """Handlers by what they are called for, in the order they were added."""

    before_store: list[Callable[[BeforeStoreEventArgs], object]] = field(default_factory=list)
    after_save_changes: list[Callable[[AfterSaveChangesEventArgs], object]] = field(
        default_factory=list
    )
    before_delete: list[Callable[[BeforeDeleteEventArgs], object]] = field(default_factory=list)
    before_query: list[Callable[[BeforeQueryEventArgs], object]] = field(default_factory=list)

    def for_session(self) -> "Events":
        """Handlers of a new session: these, to which it may add its own."""
        return Events(
            list(self.before_store),
            list(self.after_save_changes),
            list(self.before_delete),
            list(self.before_query),
        )


class WithEvents(ABC):
    """What a store and a session have in common: handlers can be added and removed."""

    @property
    @abstractmethod
    def _events(self) -> Events:
        """Its handlers."""

    def add_before_store(self, event: Callable[[BeforeStoreEventArgs], object]) -> None:
        """Called for each entity a save writes, before it does; may change it."""
        self._events.before_store.append(event)

    def add_after_save_changes(self, event: Callable[[AfterSaveChangesEventArgs], object]) -> None:
        """Called for each entity a save has written."""
        self._events.after_save_changes.append(event)

    def add_before_delete(self, event: Callable[[BeforeDeleteEventArgs], object]) -> None:
        """Called for each document a save deletes, before it does."""
        self._events.before_delete.append(event)

    def add_before_query(self, event: Callable[[BeforeQueryEventArgs], object]) -> None:
        """Called for each query before it is sent; may change it."""
        self._events.before_query.append(event)

    def remove_before_store(self, event: Callable[[BeforeStoreEventArgs], object]) -> None:
        """No longer call what was added. Raises Misuse if it was not."""
        _remove(self._events.before_store, event)

    def remove_after_save_changes(
        self, event: Callable[[AfterSaveChangesEventArgs], object]
    ) -> None:
        """No longer call what was added. Raises Misuse if it was not."""
        _remove(self._events.after_save_changes, event)

    def remove_before_delete(self, event: Callable[[BeforeDeleteEventArgs], object]) -> None:
        """No longer call what was added. Raises Misuse if it was not."""
        _remove(self._events.before_delete, event)

    def remove_before_query(self, event: Callable[[BeforeQueryEventArgs], object]) -> None:
        """No longer call what was added. Raises Misuse if it was not."""
        _remove(self._events.before_query, event)


def _remove(handlers: list[Any], event: Any) -> None:
    if event not in handlers:
        raise Misuse("this handler was not added, or is removed already")
    handlers.remove(event)
