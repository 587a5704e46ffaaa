"""JavaScript, away from everything else: a script sees what it is given, and returns values."""

from quoth_node.scripting.door import Scripts
from quoth_node.scripting.process import ScriptProcesses
from quoth_node.scripting.task import (
    GivenDocument,
    Missing,
    Ran,
    ScriptFailed,
    ScriptNotParsed,
    ScriptOverLimit,
    ScriptTask,
    Written,
)

__all__ = [
    "GivenDocument",
    "Missing",
    "Ran",
    "ScriptFailed",
    "ScriptNotParsed",
    "ScriptOverLimit",
    "ScriptProcesses",
    "ScriptTask",
    "Scripts",
    "Written",
]
