"""The one file that knows pysyncobj: an engine that takes messages and ticks, and returns messages.

It does no I/O and owns no thread. The library is used through what it offers for extension - a
Transport, a Journal, its configuration, `doTick` and `_applyCommand` - and every message passes the
rules of `rules.py` on its way in and out. The library only ever decides: elections, what is sent to
whom, and the commit index. What committed slots mean is not its business: our slots are of kinds it
does not know, so it applies nothing.
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
from quoth_cluster.log import Change, MembershipChange
from quoth_cluster.raft import rules
from quoth_cluster.raft.entry import (
    COMMAND_BYTES_MAX,
    COMMANDS,
    MEMBERSHIP,
    NOOP,
    Slot,
    pack_membership,
    unpack_membership,
)
from quoth_cluster.raft.journal import Journal

PYSYNCOBJ_VERSION = "0.3.17"
ENGINE_MEMBERSHIP = 0x02  # the library's own kind for a change of membership
NEVER = 2**62
UNDER_WAY_BYTES_MAX = 8 * 1024 * 1024  # to one peer; then it waits for its link to drain
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


class Engine:
    """One Raft node's decisions. Feed it, tick it, sync the journal, then send what it returns."""

    def __init__(
        self,
        tag: str,
        journal: Journal,
        *,
        applied_index: int,
        contacts: Iterable[str],
        timing: Timing,
        clock: Clock,
        chance: Chance,
        queued_bytes: Callable[[str], int],
    ) -> None:
        if VERSION != PYSYNCOBJ_VERSION:
            raise Fatal(
                f"pysyncobj {VERSION} is installed; the rules that make it safe are written for "
                f"{PYSYNCOBJ_VERSION}: pip install pysyncobj=={PYSYNCOBJ_VERSION}"
            )
        self.tag = tag
        self.journal = journal
        self._timing = timing
        self._clock = clock
        self._dice = Dice(chance)
        self._queued_bytes = queued_bytes  # how much waits on the link to a peer
        self._outbox: list[tuple[str, dict[str, Any]]] = []
        self._outbox_bytes: dict[str, int] = {}
        self._up: set[str] = set()  # peers whose link is up
        self._reported: set[str] = set()  # ... that the library knows of
        self._heard_at: float | None = None  # when a leader of the current term last spoke
        self._is_forced = False  # the next election was asked for by the leader
        self._acknowledge: tuple[int, int | None] | None = None  # (sequence, proven index)
        self._terms_seen = -1  # the term that the next four belong to
        self._votes: set[str] = set()
        self._match: dict[str, int] = {}
        self._sent_next: dict[str, int] = {}
        self._reset_floor: dict[str, int] = {}
        self._sequence = 0
        self._view = JournalView(journal, tag, commit_index=applied_index)
        self._transport = EngineTransport(self)
        self._library = self._make_library(contacts)

    # -- what others may know

    @property
    def term(self) -> int:
        return int(self._library.raftCurrentTerm)

    @property
    def commit_index(self) -> int:
        return min(int(self._library.raftCommitIndex), self.journal.last_index)

    @property
    def is_leader(self) -> bool:
        return bool(self._library._isLeader())

    @property
    def leader(self) -> str | None:
        node = self._library._getLeader()
        return None if node is None else str(node.id)

    @property
    def is_member(self) -> bool:
        return self._view.is_member

    @property
    def others(self) -> set[str]:
        return {node.id for node in self._library.otherNodes}

    def match_index(self, tag: str) -> int:
        """How much of this leader's log `tag` is known to hold."""
        self._forget_other_terms()
        return self._match.get(tag, 0)

    # -- what drives it

    def receive(self, tag: str, message: dict[str, Any]) -> None:
        """Handle one message of a peer; whatever it leads to waits in `take_messages`."""
        if not rules.is_well_formed(message) or tag == self.tag:
            return
        self._lend_time_and_chance()
        self._forget_other_terms()
        handlers: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "append_entries": self._on_append,
            "next_node_idx": self._on_acknowledgement,
            "request_vote": self._on_vote_request,
            "response_vote": self._on_vote,
            "timeout_now": self._on_timeout_now,
            "term_notice": self._on_term_notice,
        }
        handlers[message["type"]](tag, message)
        self._report_links()

    def tick(self) -> None:
        """Let time pass: elections, heartbeats, and the commit index move here."""
        self._lend_time_and_chance()
        self._report_links()
        self._library.doTick(0.0)
        self._report_links()
        self._is_forced = False

    def take_messages(self) -> list[tuple[str, dict[str, Any]]]:
        """What to send; only once the journal is synced."""
        assert not self.journal.is_dirty, "what a message rests on is durable before it leaves"
        messages, self._outbox = self._outbox, []
        self._outbox_bytes.clear()
        return messages

    def propose(self, content: bytes) -> int | None:
        """Put a commands slot into the log; its index, or None if this is not the leader."""
        assert content[0] == COMMANDS and len(content) <= COMMAND_BYTES_MAX
        return self._append(content[1:], COMMANDS)

    def propose_membership(self, change: MembershipChange) -> int | None:
        """Put a checked change into the log; its index, or None if the engine will not now."""
        content = pack_membership(change)
        if change.member.tag == self.tag:
            assert change.change is Change.ADD, "a leader hands over before it is removed"
            return self._append(content[1:], MEMBERSHIP)
        encoded = self._view.engine_form(content)
        log_index = self._append(encoded[1:], ENGINE_MEMBERSHIP)
        self._view.forget_engine_form()
        self._report_links()
        return log_index

    def set_link(self, tag: str, *, is_up: bool) -> None:
        """Note whether messages to `tag` can leave."""
        (self._up.add if is_up else self._up.discard)(tag)
        self._report_links()

    def elect_now(self) -> None:
        """Stand for election at the next tick; for a node alone, which need not wait for others."""
        node = self._library._getLeader()
        self._transport.deliver(node, {"type": "timeout_now", "term": self.term})

    def hand_over(self, tag: str) -> None:
        """Ask `tag`, if it is caught up, to stand for election at once."""
        self._library.transferLeadership(Node(tag))

    def close(self) -> None:
        self._library.destroy()

    # -- messages in

    def _on_append(self, tag: str, message: dict[str, Any]) -> None:
        if message["term"] < self.term:
            self._send(tag, {"type": "term_notice"})
            return
        if message["term"] == self.term and self.is_leader:
            raise Fatal(f"{tag} leads term {self.term}, and so does this node")
        trimmed = rules.skip_what_matches(message, self.journal, commit_index=self.commit_index)
        delivered = trimmed.message
        delivered["entries"] = [
            (self._view.engine_form(content), log_index, term)
            for content, log_index, term in delivered["entries"]
        ]
        self._heard_at = self._clock.monotonic()
        self._acknowledge = (message["sequence"], trimmed.acknowledge_index)
        self._transport.deliver(Node(tag), delivered)
        self._acknowledge = None
        self._view.forget_engine_form()
        assert trimmed.acknowledge_index is None or (
            self.journal.last_index >= trimmed.acknowledge_index
        ), "what is acknowledged must be in the log"

    def _on_acknowledgement(self, tag: str, message: dict[str, Any]) -> None:
        if message["sender_term"] > self.term:
            self._on_term_notice(tag, message)
            return
        if rules.is_stale(message["sender_term"], self.term) or not self.is_leader:
            return
        if tag not in self.others:
            return
        delivered = dict(message)
        if message["reset"]:
            if rules.heeds_reset(message["sequence"], self._reset_floor.get(tag, 0)):
                self._reset_floor[tag] = self._sequence
                target = rules.clamp_reset(message["next_node_idx"], self._match.get(tag, 0))
                delivered["next_node_idx"] = self._sent_next[tag] = target
            else:
                delivered["reset"] = False
        self._transport.deliver(Node(tag), delivered)
        matched = message["next_node_idx"] - 1
        if message["success"] and matched > self._match.get(tag, 0):
            assert matched <= self.journal.last_index, f"{tag} has what its leader has not"
            self._match[tag] = matched
            sent_next = self._sent_next.get(tag, 0)
            if sent_next > message["next_node_idx"]:
                # The library sets nextIndex back to what was acknowledged, and would send again
                # all that is under way.
                again = {"next_node_idx": sent_next, "reset": True, "success": False}
                self._transport.deliver(Node(tag), {"type": "next_node_idx", **again})

    def _on_vote_request(self, tag: str, message: dict[str, Any]) -> None:
        # From anybody the links let in: a node that is behind may not know yet that the candidate
        # is a member, and its vote may be the one that is needed (Raft dissertation, 4.1).
        now, heard_at = self._clock.monotonic(), self._heard_at
        if self.is_leader and not message.get("forced"):
            heard_at = now  # this node is the leader that is heard
        if rules.ignores_vote_request(
            heard_seconds_ago=None if heard_at is None else now - heard_at,
            election_timeout_min_seconds=self._timing.election_timeout_min,
            is_forced=bool(message.get("forced")),
        ):
            return
        self._transport.deliver(Node(tag), message)

    def _on_vote(self, tag: str, message: dict[str, Any]) -> None:
        # The library counts votes, not voters.
        if message["term"] != self.term or tag in self._votes or tag not in self.others:
            return
        self._votes.add(tag)
        self._transport.deliver(Node(tag), message)

    def _on_timeout_now(self, tag: str, message: dict[str, Any]) -> None:
        if tag == self.leader and message["term"] == self.term and self.is_member:
            self._is_forced = True
            self._transport.deliver(Node(tag), message)

    def _on_term_notice(self, tag: str, message: dict[str, Any]) -> None:
        if message["sender_term"] > self.term:
            notice = rules.ungrantable_vote_request(message["sender_term"])
            self._transport.deliver(Node(tag), notice)
            assert not self.is_leader, "a higher term ends a reign"

    # -- messages out

    def queue(self, tag: str, message: dict[str, Any]) -> None:
        """Take a message of the library on its way out."""
        kind = message["type"]
        if kind == "append_entries":
            self._queue_append(tag, message)
        elif kind == "next_node_idx":
            self._queue_acknowledgement(tag, message)
        elif kind == "request_vote":
            self._send(tag, {**message, "forced": self._is_forced})
        elif kind in ("response_vote", "timeout_now"):
            self._send(tag, message)
        else:
            # Proposals travel by `proposals.py`; only a leader hands one to the library.
            raise Fatal(f"the engine wants to send {kind}, which nobody asked for")

    def _queue_append(self, tag: str, message: dict[str, Any]) -> None:
        assert not rules.carries_snapshot(message), "nothing is trimmed, so nothing is a snapshot"
        self._forget_other_terms()
        self._sequence += 1
        entries = [self.journal.read(log_index) for _, log_index, _ in message["entries"]]
        if entries:
            self._sent_next[tag] = entries[-1].log_index + 1
        packed = [[slot.content, slot.log_index, slot.term] for slot in entries]
        self._send(tag, {**message, "entries": packed, "sequence": self._sequence})
        size = sum(len(slot.content) for slot in entries)
        self._outbox_bytes[tag] = self._outbox_bytes.get(tag, 0) + size
        if self._is_congested(tag):
            # The library sends all it has at once; a peer that is "away" it lets be.
            self._reported.discard(tag)
            self._transport.report(Node(tag), is_up=False)

    def _queue_acknowledgement(self, tag: str, message: dict[str, Any]) -> None:
        assert self._acknowledge is not None, "an acknowledgement answers an append"
        sequence, proven = self._acknowledge
        answer: dict[str, Any] = {"type": "next_node_idx", "sequence": sequence}
        if proven is None:
            hint = rules.hint_for_leader(self.commit_index)
            answer |= {"next_node_idx": hint, "reset": True, "success": False}
        else:
            answer |= {"next_node_idx": proven + 1, "reset": False, "success": True}
        self._send(tag, answer)

    def _send(self, tag: str, message: dict[str, Any]) -> None:
        self._outbox.append((tag, {**message, "sender_term": self.term}))

    # -- inside

    def _append(self, rest: bytes, kind: int) -> int | None:
        if not self.is_leader:
            return None
        self._lend_time_and_chance()
        before = self.journal.last_index
        self._library._applyCommand(rest, None, kind)
        self._library._checkCommandsToApply()
        if self.journal.last_index == before:
            return None
        assert self.journal.last_index == before + 1 and self.journal.last_term == self.term
        return before + 1

    def _is_congested(self, tag: str) -> bool:
        under_way = self._outbox_bytes.get(tag, 0) + self._queued_bytes(tag)
        return under_way > UNDER_WAY_BYTES_MAX

    def _lend_time_and_chance(self) -> None:
        """The library reads both from its module; each engine brings its own."""
        pysyncobj.syncobj.monotonicTime = self._clock.monotonic
        pysyncobj.syncobj.random = self._dice

    def _forget_other_terms(self) -> None:
        if self._terms_seen != self.term:
            self._terms_seen = self.term
            self._votes.clear()
            self._match.clear()
            self._sent_next.clear()
            self._reset_floor.clear()

    def _report_links(self) -> None:
        """Tell the library which peers are up; a node outside the configuration knows none.

        It stands for election only when it knows somebody, and one that is not a member must not.
        """
        if self.is_member and self.others != self._view.members() - {self.tag}:
            # More was truncated than the library could undo. All it knows is in the journal.
            assert not self.is_leader, "a leader truncates nothing"
            self._library.destroy()
            self._library = self._make_library(())
            self._reported = set()
        up = self._up & self.others if self.is_member else set()
        up = {tag for tag in up if not self._is_congested(tag)}
        for tag in sorted(self._reported - up):
            self._transport.report(Node(tag), is_up=False)
        for tag in sorted(up - self._reported):
            self._transport.report(Node(tag), is_up=True)
        self._reported = up

    def _make_library(self, contacts: Iterable[str]) -> Any:
        others = self._view.members() - {self.tag}
        if not self.is_member:
            others |= set(contacts) - {self.tag}
            assert others or self.journal.last_index <= 1, "a lost node knows whom to ask"
        self._lend_time_and_chance()
        original = pysyncobj.syncobj.createJournal
        pysyncobj.syncobj.createJournal = lambda _file: self._view  # it has no other way in
        try:
            return pysyncobj.SyncObj(
                Node(self.tag),
                [Node(tag) for tag in sorted(others)],
                conf=_configuration(self._timing),
                nodeClass=Node,
                transport=self._transport,
            )
        finally:
            pysyncobj.syncobj.createJournal = original


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


class EngineTransport(Transport):  # type: ignore[misc]
    """The library's way out and in; it carries nothing itself."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(None, None, [])
        self._engine = engine

    def send(self, node: Node, message: dict[str, Any]) -> bool:
        self._engine.queue(str(node.id), message)
        return True

    def deliver(self, node: Node | None, message: dict[str, Any]) -> None:
        self._onMessageReceived(node, message)

    def report(self, node: Node, *, is_up: bool) -> None:
        (self._onNodeConnected if is_up else self._onNodeDisconnected)(node)


class JournalView(JournalBase):  # type: ignore[misc]
    """The journal in the library's words: (command, index, term), counted from the first slot.

    A change of membership that is not committed yet shows as the library's own kind, because the
    library must undo it if the slot is truncated. Once committed it is in force for good and shows
    as bytes without meaning: replaying it at a restart would bring back nodes removed since.
    """

    def __init__(self, journal: Journal, tag: str, *, commit_index: int) -> None:
        self._journal = journal
        self._tag = tag
        # What storage has applied was committed. The rest is learnt anew from the leader.
        self._commit_index = max(1, min(commit_index, journal.last_index))
        self._content_of: dict[bytes, bytes] = {}  # engine form -> content, while on its way in
        self._fold()

    @property
    def is_member(self) -> bool:
        return self._tag in self._members

    def members(self) -> set[str]:
        return set(self._members)

    def engine_form(self, content: bytes) -> bytes:
        """What the library is shown for a slot that is not committed."""
        if content[0] != MEMBERSHIP:
            return content
        change = unpack_membership(content)
        if change.member.tag == self._tag:
            return content  # the library never counts itself among the others
        verb = "add" if change.change is Change.ADD else "rem"
        form = bytes([ENGINE_MEMBERSHIP]) + pickle.dumps([verb, change.member.tag])
        self._content_of[form] = content
        return form

    def forget_engine_form(self) -> None:
        self._content_of.clear()

    def _fold(self) -> None:
        self._members: set[str] = set()
        for content in self._journal.memberships():
            change = unpack_membership(content)
            is_added = change.change is Change.ADD
            (self._members.add if is_added else self._members.discard)(change.member.tag)

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
            if stop < len(self):
                stop = min(stop, start + REPLAY_SLOTS_MAX)  # it only applies them, as nothing
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
