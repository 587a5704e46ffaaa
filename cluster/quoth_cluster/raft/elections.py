"""When a node asks whether it may stand for election, whom it grants that, and when it stands.

It sends nothing and calls no election: `engine.py` does, and has the library do so. Before a term
is spent the others are asked whether they would vote (pre-vote; Raft dissertation, 9.6). So a node
that was cut off, or one whose leader others still hear, disturbs nobody.
"""

from typing import Any

from quoth_cluster.clock import Chance, Clock
from quoth_cluster.raft import rules
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.syncobj import Timing

Message = dict[str, Any]


class Elections:
    """One node's view of its leader, and of its own chances."""

    def __init__(
        self, tag: str, journal: Journal, *, timing: Timing, clock: Clock, chance: Chance
    ) -> None:
        self.stands = False  # only then the library knows whom it could win
        self._tag = tag
        self._journal = journal
        self._timing = timing
        self._clock = clock
        self._chance = chance
        self._heard_at: float | None = None  # when a leader of the current term last spoke
        self._deadline = self._next_deadline()  # when this node asks
        self._stands_until = 0.0
        self._granted: set[str] = set()
        self._round = 0

    # -- the leader

    def hear_leader(self) -> None:
        """It lives: nobody stands, and nobody asks for a while."""
        self._heard_at = self._clock.monotonic()
        self.lead()

    def lead(self) -> None:
        """This node leads, or is led."""
        self.stands = False
        self._deadline = self._next_deadline()

    def hear_progress(self) -> None:
        """A long message of the leader is on its way: one that sends is one that lives."""
        if self._heard_at is not None:
            self.hear_leader()

    def lose_leader(self) -> None:
        """Its process is gone, or the way to it; whoever still hears it will say so."""
        self._heard_at = None
        soon = self._chance.uniform(0.0, self._timing.election_timeout_min / 2)
        self._deadline = min(self._deadline, self._clock.monotonic() + soon)

    def is_loyal(self, *, leads: bool) -> bool:
        """Whether a leader was heard, or led, too recently to help another to its place."""
        if leads:
            return True
        heard_at = self._heard_at
        return rules.ignores_vote_request(
            heard_seconds_ago=None if heard_at is None else self._clock.monotonic() - heard_at,
            election_timeout_min_seconds=self._timing.election_timeout_min,
            is_forced=False,
        )

    # -- asking before standing

    def ask(self, term: int) -> Message | None:
        """What to ask the others, if it is time to."""
        now = self._clock.monotonic()
        if now >= self._stands_until:
            self.stands = False  # before the library calls another election by itself
        if now < self._deadline:
            return None
        self.lead()
        self._round += 1
        self._granted = {self._tag}
        asked = {"type": "pre_vote", "term": term + 1, "round": self._round}
        last_index, last_term = self._journal.last_index, self._journal.last_term
        return {**asked, "last_log_index": last_index, "last_log_term": last_term}

    def grants(self, message: Message, *, leads: bool) -> bool:
        """Whether this node would vote for one that asks."""
        return not self.is_loyal(leads=leads) and rules.is_up_to_date(
            message["last_log_term"],
            message["last_log_index"],
            own_term=self._journal.last_term,
            own_index=self._journal.last_index,
        )

    def is_won(self, tag: str, message: Message, *, term: int, others: set[str]) -> bool:
        """Count a grant; whether it is the one that makes a majority."""
        is_current = message["round"] == self._round and message["term"] == term + 1
        if not is_current or self.stands or tag not in others:
            return False
        self._granted.add(tag)
        return rules.is_majority(len(self._granted & {self._tag, *others}), len(others))

    def stand(self) -> None:
        """For as long as it must wait at least. Those who split the votes ask again apart."""
        self.stands = True
        self._granted.clear()
        self._stands_until = self._clock.monotonic() + self._timing.election_timeout_min
        self._deadline = self._next_deadline()

    def _next_deadline(self) -> float:
        timing = self._timing
        patience = self._chance.uniform(timing.election_timeout_min, timing.election_timeout_max)
        return self._clock.monotonic() + patience
