"""What a session reads, as steps: documents by id or prefix, tracked or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from quoth.commands import bytes_of, fold
from quoth.conventions import Conventions
from quoth.entities.kinds import check_type
from quoth.entities.numbers import MARK
from quoth.errors import Misuse, NoSuchDocument
from quoth.including import Includes
from quoth.options import SessionOptions
from quoth.reads import (
    GetDocuments,
    GetDocumentsStartingWith,
    GetIfChanged,
    HeadDocument,
    LoadedDocuments,
    StoredValue,
)
from quoth.serialization import METADATA, JsonObject, from_document, is_instance
from quoth.steps import Steps, ask
from quoth.tracking import Tracked, Tracking

T = TypeVar("T")

DOCUMENT_ID_BYTES_MAX = 512
NOTHING = Includes()


@dataclass(frozen=True, slots=True)
class ConditionalLoadResult(Generic[T]):
    """What `conditional_load` found: `entity` is None if it has not changed, or is gone.

    `change_vector` is the one it has now, None if it is gone.
    """

    entity: T | None
    change_vector: str | None


class Loading:
    """Reads documents into the tracking of one session."""

    def __init__(self, options: SessionOptions, conventions: Conventions) -> None:
        self.options = options
        self.conventions = conventions
        self.tracking = Tracking(
            conventions.get_identity_property_name, options.optimistic_concurrency
        )
        self.is_saving = False

    def load_one(
        self, document_id: str, entity_type: type[T], includes: Includes = NOTHING
    ) -> Steps[T | None]:
        found = yield from self.load_many((document_id,), entity_type, includes)
        return found[document_id]

    def load_many(
        self, ids: Sequence[str], entity_type: type[T], includes: Includes = NOTHING
    ) -> Steps[dict[str, T | None]]:
        """Entities by the ids asked for, None where there is no document."""
        for each in ids:
            check_id(each)
        check_type(entity_type)
        if includes.values and not self.options.is_cluster_wide:
            how = "open_session(transaction_mode=TransactionMode.CLUSTER_WIDE)"
            raise Misuse(f"to include compare-exchange values needs a cluster-wide session: {how}")
        if self.options.no_tracking:
            return (yield from self._load_fresh(ids, entity_type, includes))
        wanted = [each for each in dict.fromkeys(ids) if includes or not self.is_known(each)]
        while wanted:
            command = GetDocuments(tuple(wanted), includes.documents, includes.values)
            loaded = yield from ask(command)
            self._take_includes(loaded)
            for each in wanted:
                self._received(each, loaded.by_id.get(fold(each)))
            # Another task may have evicted what was known, meanwhile.
            wanted = [each for each in dict.fromkeys(ids) if not self.is_known(each)]
        return {each: self._known(each, entity_type) for each in ids}

    def load_starting_with(
        self, wanted: GetDocumentsStartingWith, entity_type: type[T]
    ) -> Steps[list[T]]:
        """Entities whose ids begin so, in the order of their ids; deleted ones are left out."""
        if not isinstance(wanted.prefix, str):
            raise Misuse(f"a prefix is a string like 'orders/', not {wanted.prefix!r:.80}")
        bytes_of(wanted.prefix)
        if wanted.start < 0 or wanted.page_size < 0:
            raise Misuse("start and page_size are 0 or more")
        found = yield from ask(wanted)
        if self.options.no_tracking:
            return [self.entity(each, entity_type) for each in found]
        return [
            self.adopt(each, entity_type)
            for each in found
            if fold(each[METADATA]["@id"]) not in self.tracking.deletions
        ]

    def exists(self, document_id: str) -> Steps[bool]:
        """Whether there is such a document: as the session knows, or as the server says."""
        check_id(document_id)
        tracking, folded = self.tracking, fold(document_id)
        if folded in tracking.deletions:
            return False
        if folded in tracking.by_id or folded in tracking.included:
            return True
        if folded in tracking.missing:
            return False
        return (yield from ask(HeadDocument(document_id))) is not None

    def refresh(self, tracked: Tracked) -> Steps[None]:
        """Make an entity what its document is now. Its unsaved changes are lost."""
        if tracked.is_new:
            raise Misuse(f"{tracked.document_id!r} has not been saved: there is nothing to refresh")
        while True:
            self.check_not_saving()
            seen = tracked.change_vector
            loaded = yield from ask(GetDocuments((tracked.document_id,)))
            self.check_not_saving()
            if tracked.change_vector == seen:
                break  # else it was saved meanwhile, and what came may be older
        document = loaded.by_id.get(fold(tracked.document_id))
        if document is None:
            raise NoSuchDocument(f"there is no document {tracked.document_id!r} any more")
        fresh = self.entity(document, type(tracked.entity))
        self.tracking.refresh(tracked, fresh, document)

    def check_not_saving(self) -> None:
        """Raise Misuse while a save is under way: it must find what it has sent."""
        if self.is_saving:
            raise Misuse("the session is saving just now: wait for it, or open another session")

    def conditional_load(
        self, document_id: str, change_vector: str, entity_type: type[T]
    ) -> Steps[ConditionalLoadResult[T]]:
        """An entity, unless its document still has this change vector."""
        check_id(document_id)
        tracked = self.tracking.by_id.get(fold(document_id))
        if tracked is not None:
            return ConditionalLoadResult(
                self._known(document_id, entity_type), tracked.change_vector
            )
        if not change_vector:
            raise Misuse("a conditional load needs the change vector that you know; use load")
        has_changed, document = yield from ask(GetIfChanged(document_id, change_vector))
        if not has_changed:
            return ConditionalLoadResult(None, change_vector)
        if document is None:
            return ConditionalLoadResult(None, None)
        no_tracking = self.options.no_tracking
        make = self.entity if no_tracking else self.adopt
        return ConditionalLoadResult(
            make(document, entity_type), document[METADATA]["@change-vector"]
        )

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
        document_id = document[METADATA]["@id"]
        kind = self.conventions.type_of(document_id, document, entity_type)
        entity: T = from_document(
            document,
            kind,
            document_id=document_id,
            identity_property=self.conventions.get_identity_property_name(kind),
        )
        return entity

    def is_known(self, document_id: str) -> bool:
        """Whether a load of it would ask nobody."""
        folded, tracking = fold(document_id), self.tracking
        places = (tracking.by_id, tracking.missing, tracking.deletions, tracking.included)
        return any(folded in place for place in places)

    def is_loaded(self, document_id: str) -> bool:
        """Whether the session holds it, as an entity or along with another."""
        folded = fold(document_id)
        return folded in self.tracking.by_id or folded in self.tracking.included

    def _load_fresh(
        self, ids: Sequence[str], entity_type: type[T], includes: Includes
    ) -> Steps[dict[str, T | None]]:
        if includes:
            raise Misuse("a session without tracking keeps nothing, so it cannot include")
        loaded = yield from ask(GetDocuments(tuple(dict.fromkeys(ids))))
        found: dict[str, T | None] = {}
        for each in ids:
            document = loaded.by_id.get(fold(each))
            found[each] = None if document is None else self.entity(document, entity_type)
        return found

    def _take_includes(self, loaded: LoadedDocuments) -> None:
        self.tracking.included.update(loaded.includes)
        if loaded.values:
            found: dict[str, StoredValue] = {
                key: each for key, each in loaded.values.items() if each is not None
            }
            self.tracking.values.seen(tuple(loaded.values), found)

    def _received(self, document_id: str, document: JsonObject | None) -> None:
        """Keep a document until it is asked for as some type; what is tracked already wins."""
        if document is None:
            self.tracking.gone(document_id)
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
        if not is_instance(tracked.entity, entity_type):
            raise Misuse(
                f"{document_id!r} is already a {type(tracked.entity).__name__} in this session,"
                f" not a {entity_type.__name__}"
            )
        entity: T = tracked.entity
        return entity


def check_id(document_id: Any) -> None:
    """Raise Misuse for what cannot be the id of a document."""
    if not isinstance(document_id, str) or not (size := bytes_of(fold(document_id))):
        raise Misuse(f"a document id is a string with something in it, not {document_id!r:.80}")
    if MARK in document_id:
        raise Misuse("this id has a number of a sequence in it that is not known before the save")
    if size > DOCUMENT_ID_BYTES_MAX:
        text = f"a document id has at most {DOCUMENT_ID_BYTES_MAX} bytes: {document_id:.80}..."
        raise Misuse(text)
