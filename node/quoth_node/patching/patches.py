"""Patches as the rest of the node sees them: asked of the leader, answered when applied here.

A leader that cannot be asked has not heard the question, so it may be asked again; one that does
not answer may have saved the batch.
"""

from dataclasses import replace

from quoth_cluster.clock import Chance, Clock
from quoth_cluster.errors import (
    FateUnknown,
    NoAnswer,
    NotAsked,
    NotProposed,
    NotReadable,
)
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import Refused
from quoth_cluster.raft.door import RaftLog
from quoth_node.patching.leader import ERRORS, Leader
from quoth_node.patching.turns import Turns
from quoth_node.patching.values import (
    CODEC,
    PatchBatch,
    PatchesFailed,
    PatchesSaved,
    decode_answer,
)
from quoth_node.scripting import Scripts

TOPIC = "patches"
# The leader says in time that nothing was written; who stops listening before knows nothing.
LISTENS_LONGER_SECONDS = 2.0
ASKED_MAX = 8  # leaders asked for one batch; one election needs two


class Patches:
    """The patches of one node: those it is asked for by clients, and as the leader by nodes."""

    def __init__(
        self,
        raft: RaftLog,
        machine: Machine,
        scripts: Scripts,
        *,
        clock: Clock,
        chance: Chance,
        node_tag: str,
    ) -> None:
        self._raft = raft
        self._clock = clock
        leader = Leader(raft, machine, clock, chance, scripts, node_tag, Turns())
        raft.answer(TOPIC, leader.answer)

    async def save(self, batch: PatchBatch) -> PatchesSaved | Refused:
        """Save a batch; it is applied on this node when this returns.

        Raises PatchFailed, NotProposed, NotReadable, TooLarge (definite), FateUnknown (indefinite).
        """
        deadline = self._clock.monotonic() + batch.patience_ms / 1_000
        answer = decode_answer(await self._ask(batch, deadline))
        if isinstance(answer, PatchesFailed):
            raise ERRORS[answer.kind](answer.message)
        if isinstance(answer, PatchesSaved) and answer.command_index is not None:
            left = max(0.0, deadline + LISTENS_LONGER_SECONDS - self._clock.monotonic())
            index = answer.command_index
            if not await self._raft.wait_for_command(index, timeout_seconds=left):
                raise FateUnknown("the patch was saved, and is not applied on this node yet")
        return answer

    async def _ask(self, batch: PatchBatch, deadline: float) -> bytes:
        """What the leader answers. Raises NotProposed, TooLarge, FateUnknown."""
        why = "no leader is known"
        for number in range(ASKED_MAX):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                break
            leader = self._raft.status().leader
            if leader is None or number > 0:
                leader = await self._next_leader(left)
            if leader is None:
                continue
            left = max(0.0, deadline - self._clock.monotonic())
            question = CODEC.encode(replace(batch, patience_ms=int(left * 1_000)))
            seconds = left + LISTENS_LONGER_SECONDS
            try:
                return await self._raft.ask(leader, TOPIC, question, timeout_seconds=seconds)
            except NotAsked as error:
                why = str(error)
            except NoAnswer as error:
                raise FateUnknown(
                    f"the leader, node {leader}, may have saved it: {error}"
                ) from error
        raise NotProposed(f"the leader could not be asked: {why}")

    async def _next_leader(self, seconds: float) -> str | None:
        """The leader, once one answers reads of this node. Raises NotProposed."""
        try:
            await self._raft.current(timeout_seconds=seconds)
        except NotReadable as error:
            raise NotProposed(f"the leader could not be asked: {error}") from error
        return self._raft.status().leader
