"""Planted bugs: a node without one of its rules. A run with one must end in a violation.

A harness that finds nothing proves nothing. Nothing of this is in the way of a node: who starts one
for a test calls `plant` before it runs, and what is replaced stays replaced in that process.
"""

from quoth_node.testing.bugs import log, reading, state
from quoth_node.testing.bugs.bug import Bug

__all__ = ["BUGS", "BY_NAME", "NAMES", "Bug", "plant"]

BUGS: tuple[Bug, ...] = (*log.BUGS, *reading.BUGS, *state.BUGS)
BY_NAME: dict[str, Bug] = {bug.name: bug for bug in BUGS}
NAMES: tuple[str, ...] = tuple(BY_NAME)


def plant(name: str) -> None:
    """Be wrong in this way, to the end of this process. Raises ValueError for an unknown name."""
    if name not in BY_NAME:
        raise ValueError(f"no planted bug is called '{name}'; there are {', '.join(NAMES)}")
    BY_NAME[name].plant()
