"""The documents as a batch sees them: one snapshot, and over it what the batch itself has written.

It notes what was read of the snapshot. While all of that is unchanged, what was computed from it
holds; so each note becomes a check of the batch that is proposed.
"""

from dataclasses import dataclass

import orjson

from quoth_cluster import compare_exchange
from quoth_cluster.client_configuration import IDENTITY_END, is_separator
from quoth_cluster.commands import (
    CheckCompareExchange,
    CheckDocument,
    CheckSeparator,
    DeleteDocument,
    PutDocument,
)
from quoth_cluster.documents import StoredDocument, fold_id, last_etag, load
from quoth_cluster.store.environment import ReadTxn
from quoth_node.database.content import Content

Check = CheckDocument | CheckCompareExchange | CheckSeparator


@dataclass(frozen=True, slots=True)
class Seen:
    """A document as it stands at this point of the batch."""

    document_id: str
    content: Content
    change_vector: str | None  # None: this batch has written it
    at_micros: int
    json: bytes  # with all of its metadata


class View:
    """What one batch sees. Used within the snapshot that it was made with."""

    def __init__(self, txn: ReadTxn, *, at_micros: int, separator: str) -> None:
        self.separator = separator  # of the parts of ids
        self._txn = txn
        self._at_micros = at_micros
        self._written: dict[bytes, Seen | None] = {}
        self._cleared: list[bytes] = []  # prefixes that the batch has deleted
        self._checks: dict[bytes | str, Check] = {}
        self._rests_on_separator = False
        self.commands: list[PutDocument | DeleteDocument] = []

    @property
    def checks(self) -> tuple[Check, ...]:
        """What must still be so when the batch is applied."""
        separator = (CheckSeparator(self.separator),) if self._rests_on_separator else ()
        return (*self._checks.values(), *separator)

    @property
    def next_etag(self) -> int:
        """The etag that the next document gets, if nobody else writes meanwhile."""
        return last_etag(self._txn) + 1 + len(self.commands)

    def find(self, document_id: str) -> Seen | None:
        """The document of that id."""
        folded = fold_id(document_id)
        if folded in self._written:
            return self._written[folded]
        if any(folded.startswith(prefix) for prefix in self._cleared):
            return None
        stored = load(self._txn, document_id)
        vector = stored.change_vector if stored else ""
        self._checks.setdefault(folded, CheckDocument(document_id, vector))
        return _seen(stored) if stored else None

    def value(self, key: str) -> bytes | None:
        """The compare-exchange value of that key."""
        found = compare_exchange.get(self._txn, key)
        index = found.index if found else compare_exchange.MISSING_INDEX
        self._checks.setdefault(key, CheckCompareExchange(key, index))
        return found.value if found else None

    def write(self, command: PutDocument | DeleteDocument) -> int:
        """Note a command of the batch; where its result will be."""
        self.commands.append(command)
        folded = fold_id(command.document_id)
        if isinstance(command, PutDocument):
            # Such an id is the document's own, or complete only once it is applied.
            self._rests_on_separator |= is_separator(command.document_id[-1:])
            if not command.document_id.endswith((self.separator, IDENTITY_END)):
                self._written[folded] = _pending(command, self._at_micros)
        elif command.prefixed:
            written = self._written.items()
            self._written = {k: seen for k, seen in written if not k.startswith(folded)}
            self._cleared.append(folded)
        else:
            self._written[folded] = None
        return len(self.commands) - 1


def _seen(stored: StoredDocument) -> Seen:
    content = Content(stored.body, stored.metadata, stored.collection)
    return Seen(
        stored.document_id, content, stored.change_vector, stored.at_micros, stored.to_json()
    )


def _pending(command: PutDocument, at_micros: int) -> Seen:
    content = Content(command.body, command.metadata, command.collection)
    comma = b"," if content.metadata != b"{}" else b""
    with_id = b'%b%b"@id":%b}' % (content.metadata[:-1], comma, orjson.dumps(command.document_id))
    json = Content(content.body, with_id, content.collection).to_json()
    return Seen(command.document_id, content, None, at_micros, json)
