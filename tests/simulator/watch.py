"""What must always hold, looked at while it happens.

The first slot of an index that anybody applies becomes history; from then on nobody may apply
another there, cut it off, or lead without it.
"""

from dataclasses import dataclass
from typing import Any

import msgpack

from quoth_cluster.clock import Clock
from quoth_cluster.log import Change, LogEntry, Member, MembershipChange
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.entry import Slot
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.membership import fold
from quoth_cluster.raft.syncobj import Timing
from tests.simulator.history import NEVER, Operation, index_complaint, search_complaint
from tests.simulator.registers import State
from tests.simulator.virtual_time import Violation

Command = tuple[int, str, str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Past:
    """One slot of the history, and the state after it."""

    entry: LogEntry
    digest: int
    command_index: int


class Watch:
    """The judge of one run."""

    def __init__(self) -> None:
        self.violation: str | None = None
        self.past: dict[int, Past] = {}
        self._known_in: dict[int, int] = {}  # log index -> newest term when it was applied first
        self.last_index = 1
        self.commands: dict[int, Command] = {}  # command index -> what it was
        self.committed_at: dict[int, int] = {}  # uid -> slot
        self.never: dict[int, str] = {}  # uid -> what was promised of it
        self.leaders: dict[int, str] = {}  # term -> tag
        self.newest_term = 0
        self.operations: list[Operation] = []
        self.applied_most: dict[str, int] = {}  # tag -> the highest slot it ever applied
        self._refused_changes: dict[str, str] = {}  # url, one for each attempt -> what was told
        # (tag, incarnation, term) -> for whom
        self.votes: dict[tuple[str, bytes, int], str] = {}
        self._slots: dict[tuple[int, int], tuple[int, int]] = {}  # (index, term) -> what it is

    def fail(self, what: str) -> None:
        if self.violation is None:
            self.violation = what
        raise Violation(what)

    # -- logs

    def attend(
        self, tag: str, journal: Journal, engine: Engine, clock: Clock, timing: Timing
    ) -> None:
        """Look at every change of a journal, and at every vote."""
        self._attend_log(tag, journal)
        receive, set_term, set_link = engine.receive, journal.set_term, engine.set_link
        take_messages = engine.take_messages
        heard_at = -NEVER  # when this node last heard a leader of its term
        asked: dict[str, object] = {}  # the message that is being handled

        def watched_receive(peer: str, message: dict[str, Any], *, incarnation: bytes) -> None:
            nonlocal heard_at, asked
            asked = message
            if message["type"] == "append_entries" and message["term"] >= engine.term:
                heard_at = clock.monotonic()
            receive(peer, message, incarnation=incarnation)
            asked = {}

        def watched_set_term(term: int, voted_for: str | None) -> None:
            is_forced = asked.get("type") != "request_vote" or asked.get("forced")
            ago = clock.monotonic() - heard_at
            if not is_forced and voted_for is not None and ago < timing.election_timeout_min:
                self.fail(f"{tag} votes for {voted_for}, {ago:.3f} s after it heard a leader")
            set_term(term, voted_for)

        def watched_set_link(peer: str, *, is_up: bool) -> None:
            nonlocal heard_at
            if not is_up and peer == engine.leader:
                heard_at = -NEVER  # the way to it is gone: it counts as silent at once
            set_link(peer, is_up=is_up)

        def watched_take_messages() -> list[tuple[str, dict[str, Any]]]:
            messages = take_messages()
            for peer, message in messages:
                if message["type"] in ("request_vote", "response_vote"):
                    chosen = tag if message["type"] == "request_vote" else peer
                    self._on_vote(tag, journal.incarnation, message["term"], chosen)
            return messages

        engine.take_messages = watched_take_messages  # type: ignore[method-assign]
        engine.set_link = watched_set_link  # type: ignore[method-assign, assignment]
        engine.receive = watched_receive  # type: ignore[method-assign, assignment]
        journal.set_term = watched_set_term  # type: ignore[method-assign]

    def _on_vote(self, tag: str, incarnation: bytes, term: int, chosen: str) -> None:
        """A vote leaves `tag`: there is one a term, over all its lives on one disk."""
        known = self.votes.setdefault((tag, incarnation, term), chosen)
        if known != chosen:
            self.fail(f"{tag} votes for {known} and for {chosen} in term {term}")

    def _attend_log(self, tag: str, journal: Journal) -> None:
        append, truncate = journal.append, journal.truncate_from

        def watched_append(slot: Slot) -> None:
            self._matches(tag, slot, journal.last_term)
            append(slot)

        def watched_truncate(log_index: int) -> None:
            for at in range(log_index, min(journal.last_index, self.last_index) + 1):
                past = self.past.get(at)
                is_it = past is not None and past.entry.term == journal.term_at(at)
                # In an earlier term its copy did not count, and a leader of that term may cut it.
                if past is not None and is_it and journal.current_term >= self._known_in[at]:
                    self.fail(f"{tag} cuts off slot {at} of term {past.entry.term}: committed")
            truncate(log_index)

        journal.append = watched_append  # type: ignore[method-assign]
        journal.truncate_from = watched_truncate  # type: ignore[method-assign]

    def _matches(self, tag: str, slot: Slot, term_before: int) -> None:
        """Log matching: same index and term, so same content and same slot before."""
        what = (hash_of(slot.content), term_before)
        known = self._slots.setdefault((slot.log_index, slot.term), what)
        if known != what:
            self.fail(f"{tag} holds another slot {slot.log_index} of term {slot.term}")

    def on_leader(self, tag: str, term: int, journal: Journal) -> None:
        """`tag` leads `term`: alone, and with all of history."""
        known = self.leaders.setdefault(term, tag)
        if known != tag:
            self.fail(f"term {term} is led by {known} and by {tag}")
        if term <= self.newest_term:
            return
        self.newest_term = term
        for at in range(journal.base_index + 1, self.last_index + 1):
            past = self.past[at]
            if journal.term_at(at) != past.entry.term:
                self.fail(f"{tag} leads term {term} without committed slot {at}")

    def on_matched(self, leader: Journal, tag: str, peer: Journal, matched: int) -> None:
        """A leader counts `tag` up to slot `matched`: that must be there, durable and the same.

        Unless the peer has moved on to a later term, whose leader may have cut it off.
        """
        if peer.current_term > leader.current_term or matched < leader.base_index:
            return
        if matched > peer.synced_index or peer.term_at(matched) != leader.term_at(matched):
            term = leader.current_term
            self.fail(f"the leader of term {term} counts slot {matched} at {tag}: not there")

    def on_apply(self, tag: str, entry: LogEntry, state: State) -> None:
        """`tag` applied `entry` and came to `state`."""
        at = entry.log_index
        self.applied_most[tag] = max(at, self.applied_most.get(tag, 0))
        past = Past(entry, state.digest, state.position.command_index)
        known = self.past.setdefault(at, past)
        self._known_in.setdefault(at, self.newest_term)
        if known is not past:
            if known != past:
                self.fail(f"{tag} applies {past} where {known} was applied")
            return
        if at != self.last_index + 1:
            self.fail(f"{tag} applies slot {at} after {self.last_index}")
        self.last_index = at
        change = entry.membership
        if change is not None and change.member.url in self._refused_changes:
            told = self._refused_changes[change.member.url]
            self.fail(f"slot {at} is {entry.membership}, which was told {told}")
        first = state.position.command_index - len(entry.commands) + 1
        for number, packed in enumerate(entry.commands, start=first):
            uid, verb, key, *given = msgpack.unpackb(packed)
            self.commands[number] = (uid, verb, key, tuple(given))
            if uid in self.committed_at:
                self.fail(f"command {uid} is in slots {self.committed_at[uid]} and {at}")
            if uid in self.never:
                self.fail(f"command {uid} is in slot {at}, and {self.never[uid]}")
            self.committed_at[uid] = at

    def on_install(self, tag: str, state: State, before: int) -> None:
        """`tag`, which had come to slot `before`, was given a state: newer, and that of history."""
        at = state.position.log_index
        if at <= before:
            self.fail(f"{tag} had come to slot {before}, and installs the state of slot {at}")
        self.applied_most[tag] = max(at, self.applied_most.get(tag, 0))
        past = self.past.get(at)
        if past is None or (past.digest, past.command_index) != (
            state.digest,
            state.position.command_index,
        ):
            self.fail(f"{tag} installs {state} at slot {at}, where history came to {past}")

    def members(self) -> dict[str, Member]:
        """Who takes part, by what is committed."""
        entries = (self.past[at].entry for at in range(2, self.last_index + 1))
        return fold(entry.membership for entry in entries if entry.membership is not None)

    def removed_at(self, tag: str, incarnation: bytes, until: int) -> int:
        """The slot that removed this incarnation of `tag`, if one up to slot `until` did."""
        changes = ((at, self.past[at].entry.membership) for at in range(2, until + 1))
        for at, one in changes:
            is_it = one and (one.member.tag, one.member.incarnation) == (tag, incarnation)
            if one and is_it and one.change is Change.REMOVE:
                return at
        return 0

    def on_found(self, tag: str, state: State) -> None:
        """`tag` starts with a state: it must be what history came to there."""
        at = state.position.log_index  # also by an install that a crash interrupted
        self.applied_most[tag] = max(at, self.applied_most.get(tag, 0))
        past = self.past.get(at)
        if past is not None and past.digest != state.digest:
            self.fail(f"{tag} starts with {state}, where history came to {past}")

    # -- answers

    def on_not_proposed(self, uid: int, told: str) -> None:
        """Somebody was told that `uid` is in no log and never will be."""
        if uid in self.committed_at:
            self.fail(f"command {uid} is in slot {self.committed_at[uid]}, and {told}")
        self.never[uid] = told

    def on_applied(self, operation: Operation, log_index: int) -> None:
        """Somebody was told that a command was applied in slot `log_index`."""
        if self.committed_at.get(operation.uid) != log_index:
            self.fail(f"{operation} was told applied in slot {log_index}, and is not there")

    def on_change_told(self, change: MembershipChange, told: str) -> None:
        """Somebody was told what became of adding a node."""
        url = change.member.url
        changes = [past.entry.membership for past in self.past.values() if past.entry.membership]
        is_there = any(known.member.url == url for known in changes)
        if told == "done" and not is_there:
            self.fail(f"{change} was told done, and is not")
        if told.startswith("not done"):
            if is_there:
                self.fail(f"{change} is done, and was told {told}")
            self._refused_changes[url] = told

    def check_answers(self) -> None:
        """At the end: the clients' history as a whole."""
        complaint = index_complaint(self.operations, self.commands)
        if complaint is not None:
            self.fail(f"index witness: {complaint}")
        keys: dict[str, list[Operation]] = {}
        for operation in self.operations:
            if operation.ok or (operation.ok is None and operation.uid in self.committed_at):
                keys.setdefault(operation.key, []).append(operation)
        for key in sorted(keys):
            complaint = search_complaint(keys[key])
            if complaint is not None:
                self.fail(f"not linearizable: {complaint}")


def hash_of(content: bytes) -> int:
    """Equal for equal bytes, within one run."""
    return hash(content)
