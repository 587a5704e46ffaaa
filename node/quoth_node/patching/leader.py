"""Patches where they are evaluated: on the leader, whose state is the newest.

    evaluate on a snapshot -> propose what came of it, with a check of all that was read -> applied?
          ^                                                                                 |
          +---------------------------- no, the state was another one <---------------------+

Being the leader is what makes this fast, not what makes it right: the checks do that. An answer
that writes nothing has no check, so it is only given on a state that is known to be current. What
went over a limit is told at once, of the state as it is known here: again it would take as much.
"""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from quoth_cluster import answers
from quoth_cluster.batch import rests_on_checks
from quoth_cluster.client_configuration import separator
from quoth_cluster.clock import Chance, Clock
from quoth_cluster.commands import (
    PutDocument,
    SaveCheckedBatch,
    SaveNumbered,
    encode,
)
from quoth_cluster.documents import fold_id
from quoth_cluster.errors import (
    Busy,
    ClusterError,
    FateUnknown,
    NotProposed,
    NotReadable,
    TooLarge,
)
from quoth_cluster.machine import Database, Machine
from quoth_cluster.outcomes import (
    BatchSaved,
    DocumentDeleted,
    DocumentPut,
    NumberedSaved,
    Refusal,
    Refused,
)
from quoth_cluster.raft.door import Applied, RaftLog
from quoth_cluster.sequence_outcomes import Taken
from quoth_node.patching.errors import (
    ContentRefused,
    JavaScriptFailed,
    JavaScriptNotParsed,
    JavaScriptOverLimit,
    OperationsFailed,
    PatchFailed,
)
from quoth_node.patching.evaluation import Evaluation
from quoth_node.patching.plan import Plan, Stopped
from quoth_node.patching.recalling import results_of
from quoth_node.patching.running import Running
from quoth_node.patching.turns import Name, Turns
from quoth_node.patching.values import (
    CODEC,
    JsonPatchDocument,
    PatchAnswer,
    PatchBatch,
    PatchDocument,
    PatchDocuments,
    Patched,
    PatchesFailed,
    PatchesSaved,
    PatchResult,
    PatchStatus,
)
from quoth_node.patching.view import View
from quoth_node.scripting import Scripts

PATIENCE_MS_MAX = 600_000
SEED_BITS = 2**32 - 1
# What may be told to the node that asked, by name.
ERRORS: dict[str, type[Exception]] = {
    cls.__name__: cls
    for cls in (
        *(JavaScriptFailed, JavaScriptNotParsed, OperationsFailed, ContentRefused),
        *(NotProposed, Busy, FateUnknown, TooLarge, NotReadable),
    )
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leader:
    """Evaluates and proposes the batches that nodes ask for."""

    raft: RaftLog
    machine: Machine
    clock: Clock
    chance: Chance
    scripts: Scripts
    node_tag: str
    turns: Turns

    async def answer(self, question: bytes) -> bytes:
        """The answer to a question of another node, or of this one."""
        return CODEC.encode(await self.save(CODEC.decode(question, PatchBatch)))

    async def save(self, batch: PatchBatch) -> PatchAnswer:
        """Evaluate and save a batch; what goes wrong is an answer."""
        seconds = min(batch.patience_ms, PATIENCE_MS_MAX) / 1_000
        attempt = Attempt(self, batch, deadline=self.clock.monotonic() + seconds)
        try:
            async with AsyncExitStack() as held:
                try:
                    async with asyncio.timeout(seconds):
                        await held.enter_async_context(self.turns.of(names_of(batch)))
                except TimeoutError as error:
                    text = "the patch waited for its turn until its time was over"
                    raise Busy(f"{text}; nothing was written") from error
                return await attempt.until_done()
        except (PatchFailed, ClusterError) as error:
            names = [cls.__name__ for cls in type(error).__mro__ if cls.__name__ in ERRORS]
            if not names:  # this node is about to stop
                raise
            return PatchesFailed(names[0], str(error))


class Attempt:
    """One batch on its way. Its evaluations see ever newer states."""

    def __init__(self, leader: Leader, batch: PatchBatch, *, deadline: float) -> None:
        self._leader = leader
        self._batch = batch
        self._deadline = deadline
        # Evaluated again on the same state, it must come to the same.
        self._at_micros = leader.clock.now_micros()
        self._seed = leader.chance.uuid().int & SEED_BITS
        self._is_current = False  # the next state holds all that was acknowledged before the batch
        self._refused: tuple[Plan, Refused] | None = None

    async def until_done(self) -> PatchAnswer:
        """Evaluate, propose, and do so again while others are faster.

        Raises PatchFailed, ClusterError.
        """
        while True:
            is_current = self._is_current
            try:
                plan = await self._evaluate()
            except (Stopped, PatchFailed) as error:
                if is_current or isinstance(error, JavaScriptNotParsed | JavaScriptOverLimit):
                    if (first := self._first_answer()) is not None:
                        return first
                    if isinstance(error, Stopped):
                        return error.refused
                    raise
                await self._become_current()
                continue
            if self._batch.is_test or not plan.must_be_proposed:
                if is_current:
                    return self._first_answer() or PatchesSaved(plan.answers())
                await self._become_current()
                continue
            if self._refused is not None and is_same(plan, self._refused[0]):
                # On the state that refused it, it comes to the same: what was read was so, and the
                # refusal is for what the sender expects.
                return self._refused[1]
            answer = await self._propose(plan)
            if answer is not None:
                return answer

    async def _evaluate(self) -> Plan:
        """What the batch comes to now. Raises Stopped, PatchFailed, TooLarge, Busy."""
        leader = self._leader
        database = leader.machine.database(self._batch.database)
        if database is None:
            name = self._batch.database
            raise Stopped(Refused(Refusal.NO_DATABASE, f"Database '{name}' does not exist."))
        try:
            async with asyncio.timeout(self._seconds_left()):
                return await self._evaluate_on(database)
        except TimeoutError as error:
            raise Busy("the patch was not evaluated in time; nothing was written") from error

    async def _evaluate_on(self, database: Database) -> Plan:
        leader = self._leader
        # Not before there is something to do with it: a snapshot that is held keeps its pages.
        async with leader.turns.evaluating:
            return await self._evaluate_on_snapshot(database)

    async def _evaluate_on_snapshot(self, database: Database) -> Plan:
        leader = self._leader
        with database.read() as txn:
            view = View(txn, at_micros=self._at_micros, separator=self._separator_in(database))
            running = Running(
                view,
                leader.scripts,
                at_micros=self._at_micros,
                seed=self._seed,
                node_tag=leader.node_tag,
            )
            return await Evaluation(view, running).run(self._batch)

    def _separator_in(self, database: Database) -> str:
        """It may be of another state than a snapshot is: where it counts, it is checked."""
        return separator(database.record.client, self._leader.machine.client_configuration.json)

    async def _propose(self, plan: Plan) -> PatchAnswer | None:
        """The answer once it is applied; None if it was refused, for now.

        Raises NotProposed, Busy, TooLarge, FateUnknown.
        """
        leader = self._leader
        command = SaveCheckedBatch(
            database=self._batch.database,
            at_micros=self._at_micros,
            node_tag=leader.node_tag,
            checks=plan.tracked + plan.checks,
            commands=plan.commands,
        )
        left, request_id = self._seconds_left(), self._batch.request_id
        whole: SaveCheckedBatch | SaveNumbered = replace(command, request_id=request_id)
        if plan.takings:
            whole = SaveNumbered(command, plan.takings, request_id)
        applied = await leader.raft.propose(encode(whole), timeout_seconds=left)
        # It was applied here, and the batch came before it.
        self._is_current = True
        if isinstance(applied.outcome, Refused):
            if not rests_on_checks(plan.checks, applied.outcome):
                return applied.outcome
            self._refused = (plan, applied.outcome)
            return None
        taken, saved = unpacked(applied.outcome)
        if not is_answer_to(plan, saved):  # the first answer; what was computed now is another
            return self._first_answer() or used_before()
        return answer_of(plan, applied, saved, self._at_micros, taken)

    def _first_answer(self) -> PatchAnswer | None:
        """What was answered to the same request before, as this state remembers it.

        What was saved then may leave nothing to write now, or not be what the sender expects.
        """
        machine, request_id = self._leader.machine, self._batch.request_id
        database = machine.database(self._batch.database)
        if request_id is None or database is None or self._batch.is_test:
            return None
        kind = SaveNumbered if self._batch.takings else SaveCheckedBatch
        with database.read() as txn:
            outcome = answers.recall(txn, request_id, kind=kind.__name__)
        if outcome is None or isinstance(outcome, Refused):
            return outcome
        taken, saved = unpacked(outcome)
        ends = self._separator_in(database)
        found = results_of(self._batch.commands, saved.results, separator=ends)
        if found is None:
            return used_before()
        at = machine.applied  # the save is not behind it
        return PatchesSaved(
            found, at.log_index, at.command_index, saved.last_etag, saved.collections, taken
        )

    async def _become_current(self) -> None:
        """Raises NotReadable, Busy."""
        await self._leader.raft.current(timeout_seconds=self._seconds_left())
        self._is_current = True

    def _seconds_left(self) -> float:
        left = self._deadline - self._leader.clock.monotonic()
        if left <= 0:
            raise Busy(
                "what the patch reads was changed by others as often as it was evaluated, "
                "until its time was over; nothing was written"
            )
        return left


def names_of(batch: PatchBatch) -> list[Name]:
    """The documents that a batch patches, as turns know them."""
    ids: list[str] = []
    for command in batch.commands:
        if isinstance(command, PatchDocument | JsonPatchDocument):
            ids.append(command.document_id)
        elif isinstance(command, PatchDocuments):
            ids.extend(target.document_id for target in command.targets)
    return [(batch.database.lower(), fold_id(document_id)) for document_id in ids]


def is_same(one: Plan, other: Plan) -> bool:
    """Whether two evaluations came to the same command."""
    return (one.checks, one.commands, one.takings) == (other.checks, other.commands, other.takings)


def answer_of(
    plan: Plan,
    applied: Applied,
    saved: BatchSaved,
    at_micros: int,
    taken: tuple[Taken, ...] = (),
) -> PatchAnswer:
    """What is told of a batch that was saved, now or before under the same request id."""
    results: tuple[PatchResult, ...] = plan.answers(saved.results)
    if any(result.at_micros != at_micros for result in saved.results):
        # The first answer; what was computed now is not what was saved then.
        results = tuple(recalled(result) for result in results)
    return PatchesSaved(
        results, applied.log_index, applied.command_index, saved.last_etag, saved.collections, taken
    )


def unpacked(outcome: object) -> tuple[tuple[Taken, ...], BatchSaved]:
    """The numbers that a batch got, if any, and the batch."""
    taken: tuple[Taken, ...] = ()
    if isinstance(outcome, NumberedSaved):
        taken, outcome = outcome.taken, outcome.saved
    assert isinstance(outcome, BatchSaved), outcome
    return taken, outcome


def used_before() -> Refused:
    """The refusal of a request id that stands for something else."""
    text = "This raft-request-id was used before; nothing was done now"
    return Refused(Refusal.INVALID, text)


def is_answer_to(plan: Plan, saved: BatchSaved) -> bool:
    """Whether the results are those of commands of these kinds."""
    kinds = [DocumentPut if isinstance(c, PutDocument) else DocumentDeleted for c in plan.commands]
    return [type(result) for result in saved.results] == kinds


def recalled(result: PatchResult) -> PatchResult:
    """A result without what was computed again."""
    if not isinstance(result, Patched) or result.status == PatchStatus.SKIPPED:
        return result
    return Patched(
        result.kind,
        result.document_id,
        result.status,
        result.change_vector,
        result.at_micros,
        result.collection,
    )
