"""How often an indexer is told to look: one look is under way, and one more waits for its answer.

So a thousand changes a second are a few looks, and the last change is always looked at.
"""

from quoth_node.indexing.messages import Look


class Looks:
    """The looks of one life of an indexer. Invariant: nothing waits while none is under way."""

    def __init__(self) -> None:
        self._under_way = 0
        self._is_hurried = False  # one of them hurries
        self._waiting: Look | None = None

    def wanted(self, *, hurries: bool) -> Look | None:
        """Somebody wants one; what is to be sent now."""
        if self._under_way and (self._is_hurried or not hurries):
            hurries |= self._waiting is not None and self._waiting.hurries
            self._waiting = Look(hurries)
            return None
        self._under_way += 1
        self._is_hurried |= hurries
        return Look(hurries)

    def answered(self, looks: int) -> Look | None:
        """So many are answered; what is to be sent now."""
        self._under_way -= looks
        assert self._under_way >= 0, "what was not asked is not answered"
        if self._under_way:
            return None
        self._is_hurried = False
        waiting, self._waiting = self._waiting, None
        return None if waiting is None else self.wanted(hurries=waiting.hurries)
