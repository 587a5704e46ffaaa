"""Hands committed entries to the state machine, in order, and tells who waits.

The state machine runs in a worker thread of its own, so reading and talking go on meanwhile.
Only what is committed AND durable here is handed over: the engine counts its own log before it
is synced.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from quoth_cluster.clock import Clock
from quoth_cluster.log import LogEntry, MembershipChange, Position, Stepped
from quoth_cluster.raft.door import Applied
from quoth_cluster.raft.entry import open_slot
from quoth_cluster.raft.journal import BASE_INDEX, Journal
from quoth_cluster.raft.proposals import Proposals
from quoth_cluster.raft.snapshot_store import Frozen
from quoth_cluster.raft.watermark import Watermark

CHECKPOINT_SECONDS = 5.0  # how much a restart replays at most, beyond what is under way


class StateMachine(Protocol):
    """What applies committed entries; called from one worker thread at a time."""

    @property
    def position(self) -> Position:
        """What need not be replayed."""

    def apply(self, entries: Sequence[LogEntry]) -> list[tuple[Stepped, ...]]:
        """One tuple per entry: one for each command, or one for a membership change."""

    @property
    def members_command_index(self) -> int:
        """The command index of the last change of membership that was applied."""

    def checkpoint(self) -> None:
        """Make `position` catch up with what was applied."""

    def freeze(self) -> Frozen:
        """What is applied now, held to be copied while more is applied."""

    def install(self, copy: Path) -> None:
        """Go on with a copied state; the folder is used up. Durable at return, repeatable."""


class Applier:
    """How far the state of this node has come. Invariant: applied <= committed and durable."""

    def __init__(
        self,
        journal: Journal,
        machine: StateMachine,
        proposals: Proposals,
        *,
        clock: Clock,
        on_membership: Callable[[MembershipChange, int], None],
        on_checkpoint: Callable[[Position], None],
        checkpoint_seconds: float | None = None,
    ) -> None:
        position = machine.position
        applied_index = max(position.log_index, BASE_INDEX)
        self.applied = Watermark(applied_index)
        self.commands = Watermark(position.command_index)
        self.applied_term = journal.term_at(applied_index)
        self._journal = journal
        self._machine = machine
        self._proposals = proposals
        self._clock = clock
        self._on_membership = on_membership
        self._on_checkpoint = on_checkpoint
        self._checkpoint_seconds = checkpoint_seconds or CHECKPOINT_SECONDS
        self._applying = asyncio.Lock()  # held while the state machine is at work
        self._committed = applied_index
        self._wake = asyncio.Event()

    def committed(self, commit_index: int) -> None:
        """Slots up to `commit_index` are agreed and durable here."""
        if commit_index > self._committed:
            self._committed = commit_index
            self._wake.set()

    async def run(self, writer: ThreadPoolExecutor) -> None:
        """Apply what is committed until cancelled. An error of the state machine ends the node."""
        loop = asyncio.get_running_loop()
        saved_at, saved_index = self._clock.monotonic(), self.applied.value
        try:
            while True:
                if self.applied.value >= self._committed:
                    await self._wake.wait()
                    self._wake.clear()
                    continue
                async with self._applying:
                    if self.applied.value < self._committed:
                        await self._apply_window(loop, writer)
                    if self._clock.monotonic() - saved_at > self._checkpoint_seconds:
                        await loop.run_in_executor(writer, self._machine.checkpoint)
                        saved_at, saved_index = self._clock.monotonic(), self.applied.value
                        self._on_checkpoint(self._machine.position)
        finally:
            if self.applied.value > saved_index:
                writer.submit(self._machine.checkpoint)

    async def freeze(self, writer: ThreadPoolExecutor) -> Frozen:
        """The state between two entries, held."""
        async with self._applying:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(writer, self._machine.freeze)

    async def install(self, copy: Path, writer: ThreadPoolExecutor, *, term: int) -> None:
        """Go on with a copied state that is ahead of this one, whose last entry is of `term`."""
        async with self._applying:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(writer, self._machine.install, copy)
            position = self._machine.position
            assert position.log_index > self.applied.value, "only newer state is installed"
            self._committed = max(self._committed, position.log_index)
            self.commands.advance(position.command_index)
            self.applied.advance(position.log_index)
            self.applied_term = max(self.applied_term, term)
            self._proposals.on_snapshot(term)

    async def _apply_window(
        self, loop: asyncio.AbstractEventLoop, writer: ThreadPoolExecutor
    ) -> None:
        start = self.applied.value + 1
        end = self._journal.window_end(start, end=self._committed)
        opened = [open_slot(self._journal.read(log_index)) for log_index in range(start, end + 1)]
        entries = [entry for entry, _ in opened]
        stepped = await loop.run_in_executor(writer, self._machine.apply, entries)
        assert len(stepped) == len(entries), "every entry is answered"
        for (entry, proposal_ids), steps in zip(opened, stepped, strict=True):
            self._announce(entry, proposal_ids, steps)

    def _announce(
        self, entry: LogEntry, proposal_ids: Sequence[bytes], steps: Sequence[Stepped]
    ) -> None:
        if steps:
            self.commands.advance(max(self.commands.value, steps[-1].command_index))
        self.applied.advance(entry.log_index)
        if entry.membership is not None:
            self._on_membership(entry.membership, steps[0].command_index)
        else:
            at = entry.log_index
            outcomes = [Applied(at, step.command_index, step.outcome) for step in steps]
            self._proposals.on_applied(proposal_ids, outcomes)
        if entry.term > self.applied_term:
            self.applied_term = entry.term
            self._proposals.on_term_applied(entry.term)
