"""Scripts, as the rest of the house sees them."""

from typing import Protocol

from quoth_node.scripting.task import Missing, Ran, ScriptTask


class Scripts(Protocol):
    """Runs scripts beside the event loop."""

    async def run(self, task: ScriptTask) -> Ran | Missing:
        """What comes of a task.

        Raises ScriptFailed, ScriptNotParsed, Busy.
        """
