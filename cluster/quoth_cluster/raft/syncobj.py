"""The one file that knows pysyncobj: the library behind a narrow door.

It is used through what it offers for extension - a Transport, a Journal, its configuration,
`doTick` and `_applyCommand` - and no name-mangled attribute is touched. Its pickled form of a
membership change is made and read inside this process only: what reaches the disk or the wire is
ours.
"""

import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pysyncobj
import pysyncobj.syncobj
from pysyncobj.journal import Journal as JournalBase
from pysyncobj.node import Node
from pysyncobj.transport import Transport
from pysyncobj.version import VERSION

from quoth_cluster.clock import Chance, Clock
from quoth_cluster.errors import Fatal
from quoth_cluster.raft import membership
from quoth_cluster.raft.entry import (
    COMMAND_BYTES_MAX,
    COMMANDS,
    MEMBERSHIP,
    NOOP,
    Slot,
    unpack_membership,
)
from quoth_cluster.raft.journal import Journal

PYSYNCOBJ_VERSION = "0.3.17"
ENGINE_MEMBERSHIP = 0x02  # the library's own kind for a change of membership
NEVER = 2**62
STAND_IN = bytes([NOOP])
REPLAY_SLOTS_MAX = 65_536  # how many the library may pass in one tick after a restart


@dataclass(frozen=True, slots=True)
class Timing:
    """The engine's times, in seconds."""

    heartbeat: float = 0.1
    election_timeout_min: float = 0.6
    election_timeout_max: float = 1.2

    def __post_init__(self) -> None:
        assert self.election_timeout_min > 3 * self.heartbeat, "an election outlasts 3 heartbeats"
        assert self.election_timeout_max > self.election_timeout_min


class Library:
    """One pysyncobj node over one journal, in words of ours: nodes are tags, slots are bytes."""

    def __init__(
        self,
        tag: str,
        journal: Journal,
        *,
        commit_index: int,
        contacts: Iterable[str],
        timing: Timing,
        clock: Clock,
        chance: Chance,
        on_send: Callable[[str, dict[str, Any]], None],
    ) -> None:
        if VERSION != PYSYNCOBJ_VERSION:
            raise Fatal(
                f"pysyncobj {VERSION} is installed; the rules that make it safe are written for "
                f"{PYSYNCOBJ_VERSION}: pip install pysyncobj=={PYSYNCOBJ_VERSION}"
            )
        self._tag = tag
        self._journal = journal
        self._timing = timing
        self._clock = clock
        self._dice = Dice(chance)
        self._on_send = on_send
        self._view = JournalView(journal, tag, commit_index=commit_index)
        self._make(set(contacts))

    @property
    def term(self) -> int:
        return int(self._node.raftCurrentTerm)

    @property
    def commit_index(self) -> int:
        return int(self._node.raftCommitIndex)

    @property
    def is_leader(self) -> bool:
        return bool(self._node._isLeader())

    @property
    def leader(self) -> str | None:
        node = self._node._getLeader()
        return None if node is None else str(node.id)

    @property
    def is_voter(self) -> bool:
        return self._view.is_voter

    @property
    def is_member(self) -> bool:
        return self._view.is_voter or (self._view.is_me and self._tag in self._view.learners())

    @property
    def others(self) -> set[str]:
        return {str(node.id) for node in self._node.otherNodes}

    def means(self, tag: str, incarnation: bytes) -> bool:
        """Whether the configuration at the end of the log means this incarnation by `tag`."""
        return self._view.means(tag, incarnation)

    def voters(self) -> set[str]:
        """Who votes, by the configuration at the end of the log."""
        return self._view.voters()

    def learners(self) -> set[str]:
        """Who receives the log and does not vote."""
        return self._view.learners()

    def tick(self) -> None:
        """Let time pass: elections, heartbeats, and the commit index move here."""
        self._lend_time_and_chance()
        self._node.doTick(0.0)

    def append(self, content: bytes) -> None:
        """As the leader, put a slot into the log; the library may decline a membership change."""
        self._lend_time_and_chance()
        form = self._view.engine_form(content)
        self._node._applyCommand(form[1:], None, form[0])
        self._node._checkCommandsToApply()
        self._view.forget_engine_forms()

    def deliver(self, tag: str | None, message: dict[str, Any]) -> None:
        """Hand a message of `tag` to the library; what it answers goes to `on_send`."""
        self._lend_time_and_chance()
        if message["type"] == "append_entries":
            entries = [(self._view.engine_form(c), at, term) for c, at, term in message["entries"]]
            message = {**message, "entries": entries}
        self._transport.deliver(None if tag is None else Node(tag), message)
        self._view.forget_engine_forms()

    def report(self, tag: str, *, is_up: bool) -> None:
        """Tell whether a voter can be sent to."""
        self._transport.report(Node(tag), is_up=is_up)

    def report_learner(self, tag: str, *, is_up: bool) -> None:
        """Tell, as the leader, whether a node that does not vote is to be sent to."""
        self._transport.report_learner(Node(tag), is_up=is_up)

    def transfer_to(self, tag: str) -> None:
        """Ask `tag`, if it is caught up, to stand for election at once."""
        self._lend_time_and_chance()
        self._node.transferLeadership(Node(tag))

    def truncate_from(self, log_index: int) -> None:
        """Drop the slots from `log_index` on, of which none is committed."""
        self._view.deleteEntriesFrom(log_index - 1)

    def rebuild(self, *, commit_index: int = 0) -> None:
        """Start the library anew from the journal, which holds all it needs."""
        self._node.destroy()
        commit_index = max(commit_index, self._view.getRaftCommitIndex())
        self._view = JournalView(self._journal, self._tag, commit_index=commit_index)
        self._make(set())

    def close(self) -> None:
        self._node.destroy()

    def _make(self, contacts: set[str]) -> None:
        self._lend_time_and_chance()
        others = self._view.voters() - {self._tag}
        if not self._view.is_voter:
            others |= contacts - {self._tag}
            # A node without others would elect itself.
            assert others or self._journal.last_index <= 1, "a lost node knows whom to ask"
        self._transport = LibraryTransport(self._on_send)
        original = pysyncobj.syncobj.createJournal
        pysyncobj.syncobj.createJournal = lambda _file: self._view  # it has no other way in
        try:
            self._node: Any = pysyncobj.SyncObj(
                Node(self._tag),
                [Node(tag) for tag in sorted(others)],
                conf=_configuration(self._timing),
                nodeClass=Node,
                transport=self._transport,
            )
        finally:
            pysyncobj.syncobj.createJournal = original

    def _lend_time_and_chance(self) -> None:
        """The library reads both from its module; each node brings its own."""
        pysyncobj.syncobj.monotonicTime = self._clock.monotonic
        pysyncobj.syncobj.random = self._dice


def _configuration(timing: Timing) -> Any:
    return pysyncobj.SyncObjConf(
        autoTick=False,
        appendEntriesUseBatch=False,
        appendEntriesPeriod=timing.heartbeat,
        raftMinTimeout=timing.election_timeout_min,
        raftMaxTimeout=timing.election_timeout_max,
        leaderFallbackTimeout=2 * timing.election_timeout_max,
        connectionTimeout=10 * timing.election_timeout_max,
        # No slot is as large, so none is split: the receiving end of a split one is faulty (t1).
        appendEntriesBatchSizeBytes=2 * COMMAND_BYTES_MAX,
        commandsWaitLeader=False,
        dynamicMembershipChange=True,
        logCompactionMinEntries=NEVER,
        logCompactionMinTime=NEVER,
    )


class Dice:
    """What the library takes for the module `random`."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def random(self) -> float:
        return self._chance.uniform(0.0, 1.0)


class LibraryTransport(Transport):  # type: ignore[misc]
    """The library's way out and in; it carries nothing itself."""

    def __init__(self, on_send: Callable[[str, dict[str, Any]], None]) -> None:
        super().__init__(None, None, [])
        self._on_send = on_send

    def send(self, node: Node, message: dict[str, Any]) -> bool:
        self._on_send(str(node.id), message)
        return True

    def deliver(self, node: Node | None, message: dict[str, Any]) -> None:
        self._onMessageReceived(node, message)

    def report(self, node: Node, *, is_up: bool) -> None:
        (self._onNodeConnected if is_up else self._onNodeDisconnected)(node)

    def report_learner(self, node: Node, *, is_up: bool) -> None:
        # The library's read-only nodes: it sends them the log and counts them for nothing.
        if is_up:
            self._onReadonlyNodeConnected(node)
        else:
            self._onReadonlyNodeDisconnected(node)


class JournalView(JournalBase):  # type: ignore[misc]
    """The journal in the library's words: (command, index, term), from slot 1 on.

    Slots that were dropped from the front show as nothing, of term 0: so the library never takes to
    its own snapshots, and `engine.py` sees whom it cannot serve from the log.

    A change of membership that is not committed yet shows as the library's own kind, because the
    library must undo it if the slot is truncated. Once committed it is in force for good and shows
    as bytes without meaning: replaying it at a restart would bring back nodes removed since.
    """

    def __init__(self, journal: Journal, tag: str, *, commit_index: int) -> None:
        self._journal = journal
        self._tag = tag
        # What storage has applied was committed. The rest is learnt anew from the leader.
        self._commit_index = max(journal.base_index, min(commit_index, journal.last_index))
        self._content_of: dict[bytes, bytes] = {}  # engine form -> content, while on its way in
        self._fold()

    @property
    def is_voter(self) -> bool:
        return self._tag in self._voters and self.is_me

    @property
    def is_me(self) -> bool:
        """Whether the configuration means this node by its tag, and not one that was before it."""
        return self.means(self._tag, self._journal.incarnation)

    def means(self, tag: str, incarnation: bytes) -> bool:
        return membership.means(self._members.get(tag), incarnation)

    def voters(self) -> set[str]:
        return set(self._voters)

    def learners(self) -> set[str]:
        return set(self._learners)

    def engine_form(self, content: bytes) -> bytes:
        """What the library is shown for a slot that is not committed."""
        if content[0] != MEMBERSHIP:
            return content
        change = unpack_membership(content)
        moves_voter = change.adds_voter or change.removes_voter
        if change.member.tag == self._tag or not moves_voter:
            return content  # the library never counts itself among the others
        verb = "add" if change.adds_voter else "rem"
        # The content behind the pickle, which ends by itself, tells two changes of one tag apart.
        form = bytes([ENGINE_MEMBERSHIP]) + pickle.dumps([verb, change.member.tag]) + content
        self._content_of[form] = content
        return form

    def forget_engine_forms(self) -> None:
        self._content_of.clear()

    def _fold(self) -> None:
        changes = [unpack_membership(content) for content in self._journal.memberships()]
        self._members = membership.fold(changes)
        self._voters = membership.voters(self._members)
        self._learners = set(self._members) - self._voters

    # -- what the library calls

    def add(self, command: bytes, idx: int, term: int) -> None:
        content = self._content_of[command] if command[0] == ENGINE_MEMBERSHIP else command
        assert content[0] in (NOOP, COMMANDS, MEMBERSHIP)
        self._journal.append(Slot(idx, term, content))
        if content[0] == MEMBERSHIP:
            self._fold()

    def deleteEntriesFrom(self, entryFrom: int) -> None:
        first_dropped = entryFrom + 1
        assert first_dropped > self._commit_index, "what is committed is never truncated"
        had_changes = self._journal.last_membership_index() >= first_dropped
        self._journal.truncate_from(first_dropped)
        if had_changes:
            self._fold()

    def __len__(self) -> int:
        return self._journal.last_index

    def __getitem__(self, item: int | slice) -> Any:
        """Index and term are true; the content is a stand-in, but for a change still open.

        The library looks into a slot only to undo a change of membership. What it sends is read
        from the journal when it is sent.
        """
        if isinstance(item, slice):
            start, stop, _ = item.indices(len(self))
            if item.stop is not None:
                stop = min(stop, start + REPLAY_SLOTS_MAX)  # it only applies them, as nothing
            elif start < self._journal.base_index:
                stop = start + 1  # not here any more: one is enough to see who needs a snapshot
            else:
                stop = self._journal.window_end(start + 1)
            return [self._shown(at + 1) for at in range(start, stop)]
        return self._shown(item + 1 if item >= 0 else len(self) + item + 1)

    def _shown(self, log_index: int) -> tuple[bytes, int, int]:
        content = STAND_IN
        if log_index > self._commit_index and self._journal.is_membership(log_index):
            content = self.engine_form(self._journal.read(log_index).content)
            self._content_of.pop(content, None)
        return (content, log_index, self._journal.term_at(log_index))

    def setRaftCommitIndex(self, raftCommitIndex: int) -> None:
        self._commit_index = max(self._commit_index, raftCommitIndex)

    def getRaftCommitIndex(self) -> int:
        return self._commit_index

    def setCurrentTerm(self, term: int, votedForNodeId: str | None) -> None:
        self._journal.set_term(term, votedForNodeId)

    def getCurrentTerm(self) -> int:
        return self._journal.current_term

    def getVotedForNodeId(self) -> str | None:
        return self._journal.voted_for

    def clear(self) -> None:
        raise Fatal("the engine wants to clear the log, which nothing here asks for")

    def deleteEntriesTo(self, entryTo: int) -> None:
        raise Fatal("the engine wants to trim the log, which nothing here asks for")

    def _destroy(self) -> None:
        return None
