"""What a program may watch and take part in: before and after a save, before a query. Pure.

Handlers of a store hold for all its sessions, those of a session for it alone; those of the store
come first. A handler that raises ends what it was called for, and nothing has been sent then; but
those told after a save cannot take it back.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


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
