"""The first answer to a batch, told anew from what was saved then.

For a batch that is sent again and comes to something else now: its patches find everything changed
already, or a document that is not the one that is expected. Its commands are found among the
results of the first time by their ids; what a script wrote beside them is passed over.
"""

import re

from quoth_cluster.client_configuration import IDENTITY_END
from quoth_cluster.commands import DeleteDocument, PutDocument
from quoth_cluster.documents import fold_id
from quoth_cluster.number_places import ID_PLACE
from quoth_cluster.outcomes import DocumentDeleted, DocumentPut
from quoth_node.patching.values import (
    ForceRevision,
    JsonPatchDocument,
    PatchCommand,
    PatchDocument,
    PatchDocuments,
    Patched,
    PatchedMany,
    PatchResult,
    PatchStatus,
    RevisionNotForced,
    TrackDocuments,
    Tracked,
)

Written = DocumentPut | DocumentDeleted
WRITES = re.compile(r"\b(?:put|del)\b")  # how scripts change other documents


def results_of(
    commands: tuple[PatchCommand, ...], saved: tuple[Written, ...], *, separator: str
) -> tuple[PatchResult, ...] | None:
    """Answer i answers command i; None if the results cannot be those of these commands."""
    left = _Left(saved, separator)
    answers = [_answer(command, left) for command in commands]
    found = tuple(one for one in answers if one is not None)
    is_whole = left.passed_over == 0 or any(map(_may_write_more, commands))
    return found if is_whole and len(found) == len(answers) else None


class _Left:
    """What was saved, from the first result on that answers no command yet."""

    def __init__(self, saved: tuple[Written, ...], separator: str) -> None:
        self._saved = saved
        self._ends = (separator, IDENTITY_END)
        self._at = 0
        self.passed_over = len(saved)  # what answers no command

    def next_put(self, document_id: str) -> DocumentPut | None:
        """The next result of a PUT into this id, or into one that was made of it."""
        made_from = self._made_from(document_id)
        begin = fold_id(document_id if made_from is None else made_from)
        for at in range(self._at, len(self._saved)):
            one = self._saved[at]
            folded = fold_id(one.document_id)
            is_it = folded == begin if made_from is None else folded.startswith(begin)
            if isinstance(one, DocumentPut) and is_it:
                self._at = at + 1
                self.passed_over -= 1
                return one
        return None

    def next_deleted(self, document_id: str) -> DocumentDeleted | None:
        """The next result of a DELETE of this id or prefix."""
        for at in range(self._at, len(self._saved)):
            one = self._saved[at]
            if isinstance(one, DocumentDeleted) and one.document_id == document_id:
                self._at = at + 1
                self.passed_over -= 1
                return one
        return None

    def _made_from(self, document_id: str) -> str | None:
        """The beginning of an id that is complete only once it is saved; None for any other."""
        if (match := ID_PLACE.search(document_id)) is not None:
            return document_id[: match.start()]
        return document_id[:-1] if document_id.endswith(self._ends) else None


def _may_write_more(command: PatchCommand) -> bool:
    """Whether scripts may have written other documents than those they patch."""
    if isinstance(command, PatchDocument | PatchDocuments):
        scripts = (command.script, command.if_missing)
        return any(WRITES.search(script.text) for script in scripts if script is not None)
    return False


def _answer(command: PatchCommand, left: _Left) -> PatchResult | None:
    match command:
        case PutDocument():
            return left.next_put(command.document_id)
        case DeleteDocument():
            return left.next_deleted(command.document_id)
        case PatchDocument():
            return _patched("PATCH", command.document_id, left)
        case JsonPatchDocument():
            return _patched("JsonPatch", command.document_id, left)
        case PatchDocuments():
            each = (_patched("PATCH", target.document_id, left) for target in command.targets)
            return PatchedMany(tuple(each))
        case TrackDocuments():
            return Tracked()
        case ForceRevision():
            return RevisionNotForced(command.document_id)


def _patched(kind: str, document_id: str, left: _Left) -> Patched:
    put = left.next_put(document_id)
    if put is None:
        return Patched(kind, document_id, PatchStatus.NOT_MODIFIED)
    status, vector = PatchStatus.PATCHED, put.change_vector
    return Patched(kind, put.document_id, status, vector, put.at_micros, put.collection)
