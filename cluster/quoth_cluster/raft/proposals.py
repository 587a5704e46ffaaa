"""Commands on their way into the log, and what became of them.

A proposal is made for one term. The leader of that term gathers all that wait into the next entry;
anybody else passes it on to that leader, once. Its proposer recognises it by its id when it is
applied on its own node, so the answer needs no way back and leaves where it was asked for.

    applied        the id came by in the log
    not proposed   an entry of a later term was applied and the id had not come by: the slots
                   before it are settled, and a leader takes proposals of its own term only
    unknown        neither happened in time
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quoth_cluster.clock import Chance
from quoth_cluster.errors import Busy, FateUnknown, NotProposed
from quoth_cluster.raft.door import Applied
from quoth_cluster.raft.entry import ENTRY_BYTES_SOFT_MAX, PROPOSAL_BYTES_MAX, Proposal

ENTRIES_IN_FLIGHT_MAX = 2
ID_BYTES = 16
PROPOSED_BYTES_MAX = PROPOSAL_BYTES_MAX - ID_BYTES  # of one command
WAITING_MAX = 10_000
WAITING_BYTES_MAX = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal at the leader that is in no entry yet."""

    proposal: Proposal
    origin: str  # tag of the node that waits for it
    term: int


@dataclass(frozen=True, slots=True)
class Pending:
    """A proposal of this node whose fate is open."""

    term: int
    future: asyncio.Future[Applied]


class Proposals:
    """What waits here to be proposed, and what this node proposed anywhere."""

    def __init__(
        self, tag: str, *, chance: Chance, refuse: Callable[[str, bytes, str], None]
    ) -> None:
        self._tag = tag
        self._refuse = refuse  # tells a peer: (tag, proposal id, why)
        self._prefix = chance.uuid().bytes[:8]  # no two lives of a node share ids
        self._count = 0
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._pending: dict[bytes, Pending] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    # -- at the proposer

    def expect(self, term: int) -> tuple[bytes, asyncio.Future[Applied]]:
        """A new id and the future of its outcome; `forget` it when done."""
        self._count += 1
        proposal_id = self._prefix + self._count.to_bytes(ID_BYTES - len(self._prefix), "big")
        future: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()
        self._pending[proposal_id] = Pending(term, future)
        return proposal_id, future

    def forget(self, proposal_id: bytes) -> None:
        """Nobody waits for this outcome any more."""
        self._pending.pop(proposal_id, None)

    def withdraw(self, proposal_id: bytes) -> bool:
        """Take a proposal back; True if it was in no entry yet, so it never will be."""
        for waiting in self._waiting:
            if waiting.proposal.proposal_id == proposal_id:
                self._waiting.remove(waiting)
                self._waiting_bytes -= len(waiting.proposal.command)
                return True
        return False

    def on_applied(self, proposal_ids: Sequence[bytes], applied: Sequence[Applied]) -> None:
        """The commands of one entry were applied here."""
        for proposal_id, outcome in zip(proposal_ids, applied, strict=True):
            pending = self._pending.pop(proposal_id, None)
            if pending is not None and not pending.future.done():
                pending.future.set_result(outcome)

    def on_term_applied(self, term: int) -> None:
        """An entry of `term` was applied here: what was proposed for earlier terms is settled."""
        for proposal_id, pending in list(self._pending.items()):
            if pending.term < term:
                self.on_refused(proposal_id, "its leader was deposed before it took the command")

    def on_snapshot(self, term: int) -> None:
        """A snapshot whose last entry is of `term` took the place of entries that did not come by.

        Any proposal of that term or an earlier one may be among them.
        """
        for proposal_id, pending in list(self._pending.items()):
            if pending.term <= term:
                del self._pending[proposal_id]
                if not pending.future.done():
                    why = "the entry that may hold the command came within a snapshot"
                    pending.future.set_exception(FateUnknown(why))

    def on_refused(self, proposal_id: bytes, why: str) -> None:
        """The leader did not take it."""
        pending = self._pending.pop(proposal_id, None)
        if pending is not None and not pending.future.done():
            pending.future.set_exception(NotProposed(why))

    # -- at the leader

    def enqueue(self, proposal: Proposal, *, origin: str, term: int) -> None:
        """Let it wait for the next entry. Raises Busy; NotProposed if no entry can hold it."""
        size = len(proposal.command)
        if proposal.is_too_large:  # a peer may have other limits
            raise NotProposed(f"a command of {size} bytes; {PROPOSED_BYTES_MAX} are allowed")
        if len(self._waiting) >= WAITING_MAX or self._waiting_bytes + size > WAITING_BYTES_MAX:
            raise Busy(
                f"{len(self._waiting)} commands of {self._waiting_bytes} bytes wait for the log "
                "already; try again later"
            )
        self._waiting.append(Waiting(proposal, origin, term))
        self._waiting_bytes += size

    def next_batch(self, term: int) -> list[Proposal]:
        """All that waits and was proposed for `term`, up to the size of an entry."""
        batch: list[Proposal] = []
        size = 0
        while self._waiting:
            waiting = self._waiting[0]
            length = len(waiting.proposal.command)
            if batch and size + length > ENTRY_BYTES_SOFT_MAX:
                break
            self._waiting.popleft()
            self._waiting_bytes -= length
            if waiting.term != term:
                self._turn_away(waiting, "the term it was proposed for is over")
                continue
            batch.append(waiting.proposal)
            size += length
        return batch

    def turn_all_away(self, why: str) -> None:
        """This node leads no more: nothing that waits here was proposed."""
        while self._waiting:
            self._turn_away(self._waiting.popleft(), why)
        self._waiting_bytes = 0

    def _turn_away(self, waiting: Waiting, why: str) -> None:
        if waiting.origin == self._tag:
            self.on_refused(waiting.proposal.proposal_id, why)
        else:
            self._refuse(waiting.origin, waiting.proposal.proposal_id, why)
