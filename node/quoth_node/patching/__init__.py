"""Patches: documents computed from documents, and saved only over those they were computed from.

A patch goes to the leader as a question beside the log (`patches`). There it is evaluated on a
snapshot (`evaluation`), and what comes of it is proposed with a check of everything that was read
(`leader`). A state that changed meanwhile refuses it, and it is evaluated anew. No script runs
while commands are applied.
"""

from quoth_node.patching.errors import (
    ContentRefused,
    JavaScriptFailed,
    JavaScriptNotParsed,
    OperationsFailed,
    PatchFailed,
)
from quoth_node.patching.patches import Patches
from quoth_node.patching.values import (
    ForceRevision,
    JsonPatchDocument,
    PatchBatch,
    PatchCommand,
    PatchDocument,
    PatchDocuments,
    Patched,
    PatchedMany,
    PatchesSaved,
    PatchResult,
    PatchStatus,
    PatchTarget,
    RevisionNotForced,
    Script,
    TrackDocuments,
    Tracked,
)

__all__ = [
    "ContentRefused",
    "ForceRevision",
    "JavaScriptFailed",
    "JavaScriptNotParsed",
    "JsonPatchDocument",
    "OperationsFailed",
    "PatchBatch",
    "PatchCommand",
    "PatchDocument",
    "PatchDocuments",
    "PatchFailed",
    "PatchResult",
    "PatchStatus",
    "PatchTarget",
    "Patched",
    "PatchedMany",
    "Patches",
    "PatchesSaved",
    "RevisionNotForced",
    "Script",
    "TrackDocuments",
    "Tracked",
]
