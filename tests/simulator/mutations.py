"""What planted bugs put in the place of the real thing; `bugs.py` says which is which."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from quoth_cluster import numbered, reservations, sequences
from quoth_cluster.errors import FateUnknown, MembershipRefused, NotReadable
from quoth_cluster.log import Position
from quoth_cluster.outcomes import Refused
from quoth_cluster.raft import membership, rules, syncobj
from quoth_cluster.raft.applier import Applier
from quoth_cluster.raft.cycle import Cycle
from quoth_cluster.raft.door import Applied
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.entry import Proposal
from quoth_cluster.raft.group import RaftGroup
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.neighbours import Neighbours
from quoth_cluster.raft.proposals import Proposals
from quoth_cluster.raft.questions import Questions
from quoth_cluster.raft.read_index import ReadIndex, count_yes
from quoth_cluster.raft.reconfiguration import Reconfiguration
from quoth_cluster.raft.segment import Segment
from quoth_cluster.raft.snapshot_store import Manifest, SnapshotStore
from quoth_cluster.sequence_outcomes import NumbersReleased
from quoth_cluster.step import Step
from tests.simulator import network, registers
from tests.simulator.disks import SimDisk

# -- rules


def skip_nothing(message: Mapping[str, Any], log: Any, *, commit_index: int) -> rules.Trimmed:
    trimmed = _skip_what_matches(message, log, commit_index=commit_index)
    if trimmed.acknowledge_index is None:
        return trimmed
    commit = trimmed.message["commit_index"]
    return rules.Trimmed({**message, "commit_index": commit}, trimmed.acknowledge_index)


def acknowledge_all(message: Mapping[str, Any], log: Any, *, commit_index: int) -> rules.Trimmed:
    trimmed = _skip_what_matches(message, log, commit_index=commit_index)
    if trimmed.acknowledge_index is None:
        return trimmed
    end = trimmed.message["prevLogIdx"] + len(trimmed.message["entries"])
    return replace(trimmed, acknowledge_index=end)


_skip_what_matches = rules.skip_what_matches


def one_step_back(self: Engine, tag: str, message: dict[str, Any]) -> None:
    assert self._acknowledge is not None
    sequence, proven = self._acknowledge
    answer: dict[str, Any] = {"type": "next_node_idx", "sequence": sequence}
    if proven is None:
        hint = min(message["next_node_idx"], self._asked_prev)  # type: ignore[attr-defined]
        answer |= {"next_node_idx": max(2, hint), "reset": True, "success": False}
    else:
        answer |= {"next_node_idx": proven + 1, "reset": False, "success": True}
    self._send(tag, answer)


def on_append_noting(self: Engine, tag: str, message: dict[str, Any]) -> None:
    self._asked_prev = message["prevLogIdx"]  # type: ignore[attr-defined]
    _on_append(self, tag, message)


_on_append = Engine._on_append


def take_older_leaders(self: Engine, tag: str, message: dict[str, Any]) -> None:
    if message["term"] < self.term and not self.is_leader:
        message = {**message, "term": self.term}
    _on_append(self, tag, message)


def count_twice(self: Engine, tag: str, message: dict[str, Any]) -> None:
    _on_vote(self, tag, message)
    if message["term"] == self.term and tag in self.others:
        self._library.deliver(tag, message)


_on_vote = Engine._on_vote


def forget_nothing(self: Engine) -> None:
    if self._terms_seen != self.term:
        self._terms_seen = self.term
        self._reign.votes.clear()  # else nobody is elected any more


# -- what is durable


def forget_vote(self: Any, term: int, voted_for: str | None) -> None:
    self._journal.set_term(term, None)


def forget_term(self: Any, term: int, voted_for: str | None) -> None:
    return None


def write_only(self: Segment) -> None:
    data = b"".join(self.pending)
    self.pending.clear()
    self.file.write(self.end - len(data), data)
    self.durable_end = self.end


def commit_all_at_start(self: Any, journal: Journal, tag: str, *, commit_index: int) -> None:
    _make_view(self, journal, tag, commit_index=journal.last_index)


_make_view = syncobj.JournalView.__init__


def truncate_in_memory(self: Journal, log_index: int) -> None:
    if log_index <= self.last_index:
        self._forget_from(log_index)


def leave_torn_tail(self: Segment, size: int) -> None:
    self.end = self.durable_end = size


async def release_first(self: Cycle, disk: Any) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await self._work_or_tick()
        self._step()
        messages, self._engine._outbox = self._engine._outbox, []
        for tag, message in messages:
            self._send(tag, message)
        if self._journal.is_dirty:
            await loop.run_in_executor(disk, self._journal.sync)
        self._engine.take_messages()
        self._applier.committed(min(self._engine.commit_index, self._journal.synced_index))
        self._tell_news()


def hand_on_unsynced(self: Cycle) -> None:
    self._applier.committed(self._engine.commit_index)


async def count_unsynced(self: Cycle, disk: Any) -> None:
    """Appends may leave before the own sync; then the leader must not count itself yet."""
    loop = asyncio.get_running_loop()
    while True:
        await self._work_or_tick()
        self._step()
        messages, self._engine._outbox = self._engine._outbox, []
        late = [pair for pair in messages if pair[1]["type"] != "append_entries"]
        for tag, message in messages:
            if message["type"] == "append_entries":
                self._send(tag, message)
        self._applier.committed(self._engine.commit_index)
        if self._journal.is_dirty:
            syncing = loop.run_in_executor(disk, self._journal.sync)
            while self._engine.is_leader and not syncing.done():
                await asyncio.wait([syncing], timeout=0.005)
                take_acknowledgements(self)
            await syncing
        for tag, message in late:
            self._send(tag, message)
        self._applier.committed(self._engine.commit_index)
        self._tell_news()


def take_acknowledgements(self: Cycle) -> None:
    """While the disk works: only what does not touch the log."""
    taken = [one for one in self._inbox if one[2]["type"] == "next_node_idx"]
    self._inbox = [one for one in self._inbox if one[2]["type"] != "next_node_idx"]
    for tag, incarnation, message in taken:
        self._engine.receive(tag, message, incarnation=incarnation)
    matches = [self._engine.match_index(tag) for tag in self._engine.others]
    counted = sorted([*matches, self._journal.last_index])[len(matches) // 2]
    if self._engine.is_leader and self._journal.term_at(counted) == self._engine.term:
        self._applier.committed(counted)


# -- reads and answers


async def believe_oneself(self: ReadIndex) -> int | None:
    engine = self._group.engine
    own = self._journal.term_at(engine.commit_index) == engine.term
    return engine.commit_index if engine.is_leader and own else None


async def before_own_term(self: ReadIndex) -> int | None:
    engine = self._group.engine
    term, commit_index = engine.term, engine.commit_index
    if not engine.is_leader:
        return None
    others = sorted(engine.others)
    needed = (len(others) + 1) // 2
    agreed = await count_yes((self._agrees(tag, term) for tag in others), enough=needed)
    return commit_index if agreed >= needed and engine.is_leader else None


async def do_not_wait(self: RaftGroup, *, timeout_seconds: float) -> None:
    if await read_index_within(self, timeout_seconds) is None:
        raise NotReadable("nobody confirmed it")


async def read_index_within(self: RaftGroup, seconds: float) -> int | None:
    try:
        return await self._read_index.ask(seconds=seconds)
    except TimeoutError:
        return None


async def read_locally(self: RaftGroup, *, timeout_seconds: float) -> None:
    return None


def take_any_term(self: RaftGroup, tag: str, message: dict[str, Any]) -> None:
    _on_propose(self, tag, {**message, "term": self.engine.term})


_on_propose = RaftGroup._on_propose


def withdraw_all(self: Proposals, proposal_id: bytes) -> bool:
    _withdraw(self, proposal_id)
    return True


_withdraw = Proposals.withdraw


async def unknown_is_done(
    self: RaftGroup, command: bytes, leader: str, term: int, *, seconds: float
) -> Applied:
    try:
        return await _propose_once(self, command, leader, term, seconds=seconds)
    except FateUnknown:
        return Applied(self._journal.last_index, self._applier.commands.value, (True, 0))


_propose_once = RaftGroup._propose_once


def settle_early(self: Applier, entry: Any, proposal_ids: Any, steps: Any) -> None:
    """What was proposed for this very term counts as settled, too."""
    is_new_term = entry.term > self.applied_term
    _announce(self, entry, proposal_ids, steps)
    if is_new_term:
        self._proposals.on_term_applied(entry.term + 1)


_announce = Applier._announce


async def applied_at_once(self: Questions, message: dict[str, Any]) -> dict[str, Any]:
    return {"applied": True}


async def waited_at_once(self: RaftGroup, command_index: int, *, timeout_seconds: float) -> bool:
    return True


def take_twice(self: Proposals, term: int) -> list[Proposal]:
    """Proposals that were in the last batch are proposed again."""
    batch = _next_batch(self, term)
    again = getattr(self, "_last_batch", [])
    self._last_batch = batch[:1]  # type: ignore[attr-defined]
    return batch + (again if batch and len(batch) > 1 else [])


_next_batch = Proposals.next_batch


# -- snapshots


async def trim_applied(self: Applier, loop: Any, writer: Any) -> None:
    await _apply_window(self, loop, writer)
    self._on_checkpoint(Position(self.applied.value, self.commands.value))


_apply_window = Applier._apply_window


def nothing_wrong(self: SnapshotStore, manifest: Manifest) -> str | None:
    return None


def verify_unsynced(self: SnapshotStore, manifest: Manifest) -> str | None:
    with no_sync(self):
        return _verify(self, manifest)


_verify = SnapshotStore.verify


def verify_without_names(self: SnapshotStore, manifest: Manifest) -> str | None:
    """The files are synced, the folders they are in are not."""
    with patch.object(SimDisk, "sync_folder", lambda *_: None):
        return _verify(self, manifest)


def start_installing_unsynced(self: SnapshotStore, manifest: Manifest) -> None:
    with no_sync(self):
        _start_installing(self, manifest)


_start_installing = SnapshotStore.start_installing


def rename_only(self: SnapshotStore, path: Any, data: bytes) -> None:
    """The file is synced and renamed, the folder is not synced."""
    with patch.object(SimDisk, "sync_folder", lambda *_: None):
        _write_durably(self, path, data)


_write_durably = SnapshotStore._write_durably


async def installed_first(self: RaftGroup, manifest: Manifest, store: SnapshotStore) -> None:
    """`installing` is removed when the state is in its place, and the log is not yet."""
    applier, loop = self._applier, asyncio.get_running_loop()
    install = applier.install

    async def install_and_forget(*given: Any, **named: Any) -> None:
        await install(*given, **named)
        await loop.run_in_executor(None, store.installed)

    with patch.object(applier, "install", install_and_forget):
        await _install(self, manifest, store)


_install = RaftGroup._install


@contextmanager
def no_sync(store: SnapshotStore) -> Iterator[None]:
    disk = store._disk
    assert isinstance(disk, SimDisk)
    disk.sync_is_a_lie = True
    try:
        yield
    finally:
        disk.sync_is_a_lie = False


def reset_in_memory(self: Journal, base: Any, memberships: Any) -> None:
    """The new segment is begun, and nothing is synced."""
    with patch.object(Journal, "sync", lambda _: None):
        _reset(self, base, memberships)


_reset = Journal.reset


# -- membership


def propose_any_change(self: Reconfiguration, change: Any) -> int | None:
    if not self._group.engine.is_leader:
        return None
    try:
        whole = resolve(self, change)
        return None if whole is None else self._group.engine.propose_membership(whole)
    except MembershipRefused:
        return None


def resolve(self: Reconfiguration, change: Any) -> Any:
    whole = membership.resolve(self._group.members(), change)
    is_mine = whole.removes_voter and whole.member.tag == self._group.engine.tag
    return None if is_mine else whole


def refuse_nobody(self: Neighbours, *_: object) -> str | None:
    return None


# -- sequences


def take_at_once(step: Step, takings: Any) -> Any:
    """The sequences are stored before it is known whether the batch is saved."""
    taken = _take_all(step, takings)
    if not isinstance(taken, Refused):
        for sequence in taken[1].values():
            sequences.store(step.txn, sequence)
    return taken


_take_all = numbered._take_all


def forget_answers(txn: Any, command: Any, carry_out: Any) -> Any:
    return carry_out()


def take_from_memory(step: Step, takings: Any) -> Any:
    """Every try counts, until the process ends: then the memory is what the state says."""
    taken = _take_all(step, takings)
    owner: Any = step.txn.owner  # type: ignore[attr-defined]
    if isinstance(taken, Refused) or owner is None:
        return taken
    memory = owner.__dict__.setdefault("numbers_remembered", {})
    parts, latest = [], {}
    for part in taken[0]:
        ordinal = max(part.ordinal, memory.get(part.name, 0) + 1)
        memory[part.name] = ordinal
        parts.append(replace(part, ordinal=ordinal))
        latest[part.name] = replace(taken[1][part.name], taken=ordinal)
    return parts, latest


def give_back_any(step: Step, command: Any) -> Any:
    """Whatever is released is the end, and what was taken since is forgotten."""
    found = reservations._find(step.txn, command.name, command.token)
    if isinstance(found, Refused):
        return found
    sequence, row = found
    reservations._end(step.txn, sequence, row)
    given_back = replace(sequence, taken=row.ordinal - 1, reserved=0)
    sequences.store(step.txn, given_back)
    return NumbersReleased(sequence.part(row.ordinal, row.count), given_back=True)


# -- not of the engine


class Twice(registers.Registers):
    """A state machine that replays what it has."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.skips_what_it_has = False


def keep_any(self: Any, tag: str, epoch: int, connection: Any, address: str) -> None:
    self.incoming[tag] = connection


def deliver_any(self: network.Network, connection: Any, packed: bytes) -> None:
    if connection.is_open_there:
        connection.target.receive(connection.source, packed, connection.epoch)


def yes(*_: Any, **__: Any) -> bool:
    return True


def no(*_: Any, **__: Any) -> bool:
    return False


def same(value: int, *_: Any) -> int:
    return value
