"""What a node has learnt of the others within one term; a new term begins with nothing."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Reign:
    """By tag. Invariant: what a leader counts of a follower was told in this term (finding b)."""

    votes: set[str] = field(default_factory=set)  # who voted for this node
    match: dict[str, int] = field(default_factory=dict)  # the last slot known to be there
    sent_next: dict[str, int] = field(default_factory=dict)  # the first slot not sent yet
    reset_floor: dict[str, int] = field(default_factory=dict)  # older answers say nothing
    behind: dict[str, float] = field(default_factory=dict)  # needs a snapshot; when to greet

    def forget(self, tag: str) -> None:
        """Whoever comes under this tag next has nothing of what the one before had."""
        for known in (self.match, self.sent_next, self.reset_floor, self.behind):
            known.pop(tag, None)

    def clear(self) -> None:
        """The term is over."""
        for known in (self.votes, self.match, self.sent_next, self.reset_floor, self.behind):
            known.clear()
