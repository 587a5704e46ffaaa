"""Planted bugs: what the engine would be without one of its rules. The simulator must find each.

A simulator that finds nothing proves nothing. Each bug is a handful of replaced attributes, in
force for one run only.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from quoth_cluster.errors import FateUnknown, MembershipRefused
from quoth_cluster.raft import group, rules, syncobj
from quoth_cluster.raft.applier import Applier
from quoth_cluster.raft.cycle import Cycle
from quoth_cluster.raft.door import Applied
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.entry import Proposal
from quoth_cluster.raft.group import RaftGroup
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.proposals import Proposals
from quoth_cluster.raft.questions import Questions
from quoth_cluster.raft.reconfiguration import Reconfiguration
from quoth_cluster.raft.segment import Segment
from tests.simulator import network, registers


@dataclass(frozen=True, slots=True)
class Bug:
    """One way to be wrong: which attributes are replaced by what."""

    name: str
    story: str
    patches: tuple[tuple[Any, str, Any], ...]
    nodes: int = 3
    churns: bool = False  # it only shows when the membership changes


@dataclass(frozen=True, slots=True)
class Found:
    """Where a bug was found."""

    seed: int
    count: int  # of seeds it took
    violation: str


def without(bug: Bug) -> Bug:
    """The same runs, with nothing planted in them."""
    return replace(bug, patches=())


def found_by(bug: Bug, run: Callable[[int, Bug], str | None], seeds: Iterable[int]) -> Found | None:
    """The first of `seeds` that fails with the bug and not without it."""
    for count, seed in enumerate(seeds, start=1):
        violation = run(seed, bug)
        if violation is not None and run(seed, without(bug)) is None:
            return Found(seed, count, violation)
    return None


@contextmanager
def planted(bug: Bug | None) -> Iterator[None]:
    """Run with the bug."""
    with ExitStack() as stack:
        for target, name, value in bug.patches if bug else ():
            stack.enter_context(patch.object(target, name, value))
        yield


# -- rules


def _skip_nothing(message: Mapping[str, Any], log: Any, *, commit_index: int) -> rules.Trimmed:
    trimmed = _skip_what_matches(message, log, commit_index=commit_index)
    if trimmed.acknowledge_index is None:
        return trimmed
    commit = trimmed.message["commit_index"]
    return rules.Trimmed({**message, "commit_index": commit}, trimmed.acknowledge_index)


def _acknowledge_all(message: Mapping[str, Any], log: Any, *, commit_index: int) -> rules.Trimmed:
    trimmed = _skip_what_matches(message, log, commit_index=commit_index)
    if trimmed.acknowledge_index is None:
        return trimmed
    end = trimmed.message["prevLogIdx"] + len(trimmed.message["entries"])
    return replace(trimmed, acknowledge_index=end)


_skip_what_matches = rules.skip_what_matches


def _one_step_back(self: Engine, tag: str, message: dict[str, Any]) -> None:
    assert self._acknowledge is not None
    sequence, proven = self._acknowledge
    answer: dict[str, Any] = {"type": "next_node_idx", "sequence": sequence}
    if proven is None:
        hint = min(message["next_node_idx"], self._asked_prev)  # type: ignore[attr-defined]
        answer |= {"next_node_idx": max(2, hint), "reset": True, "success": False}
    else:
        answer |= {"next_node_idx": proven + 1, "reset": False, "success": True}
    self._send(tag, answer)


def _on_append_noting(self: Engine, tag: str, message: dict[str, Any]) -> None:
    self._asked_prev = message["prevLogIdx"]  # type: ignore[attr-defined]
    _on_append(self, tag, message)


_on_append = Engine._on_append


def _take_older_leaders(self: Engine, tag: str, message: dict[str, Any]) -> None:
    if message["term"] < self.term and not self.is_leader:
        message = {**message, "term": self.term}
    _on_append(self, tag, message)


def _count_twice(self: Engine, tag: str, message: dict[str, Any]) -> None:
    _on_vote(self, tag, message)
    if message["term"] == self.term and tag in self.others:
        self._library.deliver(tag, message)


_on_vote = Engine._on_vote


def _forget_nothing(self: Engine) -> None:
    return None


# -- what is durable


def _forget_vote(self: Any, term: int, voted_for: str | None) -> None:
    self._journal.set_term(term, None)


def _forget_term(self: Any, term: int, voted_for: str | None) -> None:
    return None


def _write_only(self: Segment) -> None:
    data = b"".join(self.pending)
    self.pending.clear()
    self.file.write(self.end - len(data), data)
    self.durable_end = self.end


def _commit_all_at_start(self: Any, journal: Journal, tag: str, *, commit_index: int) -> None:
    _make_view(self, journal, tag, commit_index=journal.last_index)


_make_view = syncobj.JournalView.__init__


def _truncate_in_memory(self: Journal, log_index: int) -> None:
    if log_index <= self.last_index:
        self._forget_from(log_index)


def _leave_torn_tail(self: Segment, size: int) -> None:
    self.end = self.durable_end = size


async def _release_first(self: Cycle, disk: Any) -> None:
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


async def _count_unsynced(self: Cycle, disk: Any) -> None:
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
                _take_acknowledgements(self)
            await syncing
        for tag, message in late:
            self._send(tag, message)
        self._applier.committed(self._engine.commit_index)
        self._tell_news()


def _take_acknowledgements(self: Cycle) -> None:
    """While the disk works: only what does not touch the log."""
    taken = [pair for pair in self._inbox if pair[1]["type"] == "next_node_idx"]
    self._inbox = [pair for pair in self._inbox if pair[1]["type"] != "next_node_idx"]
    for tag, message in taken:
        self._engine.receive(tag, message)
    matches = [self._engine.match_index(tag) for tag in self._engine.others]
    counted = sorted([*matches, self._journal.last_index])[len(matches) // 2]
    if self._engine.is_leader and self._journal.term_at(counted) == self._engine.term:
        self._applier.committed(counted)


# -- reads and answers


async def _believe_oneself(self: RaftGroup) -> int | None:
    engine = self.engine
    own = self._journal.term_at(engine.commit_index) == engine.term
    return engine.commit_index if engine.is_leader and own else None


async def _before_own_term(self: RaftGroup) -> int | None:
    engine = self.engine
    term, commit_index = engine.term, engine.commit_index
    if not engine.is_leader:
        return None
    others = sorted(engine.others)
    needed = (len(others) + 1) // 2
    agreed = await group.count_yes((self._agrees(tag, term) for tag in others), enough=needed)
    return commit_index if agreed >= needed and engine.is_leader else None


async def _do_not_wait(self: RaftGroup, *, timeout_seconds: float) -> None:
    if await _read_index_within(self, timeout_seconds) is None:
        raise group.NotReadable("nobody confirmed it")


async def _read_index_within(self: RaftGroup, seconds: float) -> int | None:
    try:
        async with asyncio.timeout(seconds):
            return await self._reads.join()
    except TimeoutError:
        return None


async def _read_locally(self: RaftGroup, *, timeout_seconds: float) -> None:
    return None


def _take_any_term(self: RaftGroup, tag: str, message: dict[str, Any]) -> None:
    _on_propose(self, tag, {**message, "term": self.engine.term})


_on_propose = RaftGroup._on_propose


def _withdraw_all(self: Proposals, proposal_id: bytes) -> bool:
    _withdraw(self, proposal_id)
    return True


_withdraw = Proposals.withdraw


async def _unknown_is_done(
    self: RaftGroup, command: bytes, leader: str, term: int, *, seconds: float
) -> Applied:
    try:
        return await _propose_once(self, command, leader, term, seconds=seconds)
    except FateUnknown:
        return Applied(self._journal.last_index, self._applier.commands.value, (True, 0))


_propose_once = RaftGroup._propose_once


def _settle_early(self: Applier, entry: Any, proposal_ids: Any, steps: Any) -> None:
    """What was proposed for this very term counts as settled, too."""
    is_new_term = entry.term > self.applied_term
    _announce(self, entry, proposal_ids, steps)
    if is_new_term:
        self._proposals.on_term_applied(entry.term + 1)


_announce = Applier._announce


async def _applied_at_once(self: Questions, message: dict[str, Any]) -> dict[str, Any]:
    return {"applied": True}


async def _waited_at_once(self: RaftGroup, command_index: int, *, timeout_seconds: float) -> bool:
    return True


def _take_twice(self: Proposals, term: int) -> list[Proposal]:
    """Proposals that were in the last batch are proposed again."""
    batch = _next_batch(self, term)
    again = getattr(self, "_last_batch", [])
    self._last_batch = batch[:1]  # type: ignore[attr-defined]
    return batch + (again if batch and len(batch) > 1 else [])


_next_batch = Proposals.next_batch


# -- membership


def _propose_any_change(self: Reconfiguration, change: Any) -> int | None:
    if not self._group.engine.is_leader:
        return None
    try:
        whole = _resolve(self, change)
        return None if whole is None else self._group.engine.propose_membership(whole)
    except MembershipRefused:
        return None


def _resolve(self: Reconfiguration, change: Any) -> Any:
    whole = group.membership.resolve(self._group.members(), change)
    is_mine = whole.removes_voter and whole.member.tag == self._group.engine.tag
    return None if is_mine else whole


def _refuse_nobody(self: RaftGroup, *_: object) -> str | None:
    return None


# -- not of the engine


class _Twice(registers.Registers):
    """A state machine that replays what it has."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.skips_what_it_has = False


def _keep_any(self: Any, tag: str, epoch: int, connection: Any) -> None:
    self.incoming[tag] = connection


def _deliver_any(self: network.Network, connection: Any, packed: bytes) -> None:
    if connection.is_open_there:
        connection.target.receive(connection.source.tag, packed, connection.epoch)


def _bug(
    name: str,
    story: str,
    *patches: tuple[Any, str, Any],
    nodes: int = 3,
    churns: bool = False,
) -> Bug:
    return Bug(name, story, patches, nodes, churns)


def _yes(*_: Any, **__: Any) -> bool:
    return True


def _no(*_: Any, **__: Any) -> bool:
    return False


def _same(value: int, *_: Any) -> int:
    return value


BUGS: tuple[Bug, ...] = (
    _bug(
        "window-truncates",
        "c: a window that is sent twice cuts off what came after it",
        (rules, "skip_what_matches", _skip_nothing),
    ),
    _bug(
        "ack-beyond-proof",
        "c: the acknowledgement names the end of the log, not what the message proved",
        (rules, "skip_what_matches", _acknowledge_all),
    ),
    _bug(
        "commit-beyond-proof",
        "c, s1: a follower takes the leader's commit index as it comes",
        (rules, "clamp_commit", _same),
    ),
    _bug(
        "stale-ack",
        "b: an acknowledgement of an earlier reign is counted",
        (rules, "is_stale", _no),
        nodes=5,
    ),
    _bug(
        "not-sticky",
        "e: a vote is given although a leader is heard",
        (rules, "ignores_vote_request", _no),
    ),
    _bug(
        "one-step-back",
        "l0: one step back for each rejection, and every rejected window resets again",
        (rules, "heeds_reset", _yes),
        (rules, "clamp_reset", _same),
        (Engine, "_on_append", _on_append_noting),
        (Engine, "_queue_acknowledgement", _one_step_back),
    ),
    _bug("no-reset", "l0: no rejection is heeded", (rules, "heeds_reset", _no)),
    _bug(
        "older-leader",
        "a deposed leader's slots are taken",
        (Engine, "_on_append", _take_older_leaders),
    ),
    _bug(
        "vote-counted-twice",
        "votes are counted, not voters",
        (Engine, "_on_vote", _count_twice),
        nodes=5,
    ),
    _bug(
        "reigns-mixed",
        "what a leader knew of its followers outlives its reign",
        (Engine, "_forget_other_terms", _forget_nothing),
    ),
    _bug(
        "vote-not-stored",
        "d: a node votes, forgets it in a crash and votes again",
        (syncobj.JournalView, "setCurrentTerm", _forget_vote),
    ),
    _bug(
        "term-not-stored",
        "d: the term is not stored",
        (syncobj.JournalView, "setCurrentTerm", _forget_term),
    ),
    _bug("no-fsync", "a: nothing is ever synced", (Segment, "sync", _write_only)),
    _bug(
        "no-fsync-at-open",
        "what a killed process wrote is believed without a sync",
        (Journal, "_make_replayed_durable", lambda self: None),
    ),
    _bug("release-first", "messages leave before the sync", (Cycle, "run", _release_first)),
    _bug(
        "own-unsynced-counted",
        "a leader counts its own log before it is synced, and applies",
        (Cycle, "run", _count_unsynced),
    ),
    _bug(
        "all-committed-at-start",
        "d: all that is in the log after a restart counts as committed",
        (syncobj.JournalView, "__init__", _commit_all_at_start),
    ),
    _bug(
        "truncation-lost",
        "a truncation is not written down",
        (Journal, "truncate_from", _truncate_in_memory),
    ),
    _bug("torn-tail-kept", "a torn tail is kept", (Segment, "_cut_torn_tail", _leave_torn_tail)),
    _bug(
        "no-quorum-round",
        "f: a leader answers reads without asking whether it still leads",
        (RaftGroup, "_confirm_leadership", _believe_oneself),
    ),
    _bug(
        "read-before-own-term",
        "f: a new leader answers reads before it knows what is committed",
        (RaftGroup, "_confirm_leadership", _before_own_term),
    ),
    _bug(
        "read-does-not-wait",
        "f: a read does not wait until its slot is applied",
        (RaftGroup, "current", _do_not_wait),
    ),
    _bug("local-reads", "f: reads ask nobody", (RaftGroup, "current", _read_locally)),
    _bug(
        "proposal-of-any-term",
        "k: a leader takes proposals that were made for an earlier term",
        (RaftGroup, "_on_propose", _take_any_term),
    ),
    _bug(
        "timeout-is-definite",
        "k: a proposal that timed out is told not proposed",
        (Proposals, "withdraw", _withdraw_all),
    ),
    _bug(
        "unknown-is-done",
        "k: an unknown outcome is told applied",
        (RaftGroup, "_propose_once", _unknown_is_done),
    ),
    _bug(
        "settled-early",
        "k2: a new leader's first slot settles what is proposed to itself",
        (Applier, "_announce", _settle_early),
    ),
    _bug(
        "proposed-twice",
        "a proposal enters two slots",
        (Proposals, "next_batch", _take_twice),
    ),
    _bug(
        "replicas-not-counted",
        "a replica counts before it has applied",
        (Questions, "_applied", _applied_at_once),
    ),
    _bug(
        "session-not-waited",
        "a session does not wait for its own writes",
        (RaftGroup, "wait_for_command", _waited_at_once),
    ),
    _bug(
        "two-changes-at-once",
        "h: a change of membership does not wait for the one before",
        (Reconfiguration, "_propose", _propose_any_change),
        churns=True,
    ),
    _bug(
        "removed-still-heard",
        "a removed node is not refused",
        (RaftGroup, "_refuses", _refuse_nobody),
        churns=True,
    ),
    _bug(
        "applied-twice",
        "a restart applies again what the state has already",
        (registers, "Registers", _Twice),
    ),
    _bug(
        "older-connection-heard",
        "n: bytes of an older connection are handled after those of a newer",
        (network.SimLinks, "admit", _keep_any),
        (network.Network, "_deliver", _deliver_any),
    ),
)

BY_NAME: dict[str, Bug] = {bug.name: bug for bug in BUGS}
