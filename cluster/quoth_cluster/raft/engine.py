"""One Raft node's decisions: it takes messages and ticks, and returns messages.

It does no I/O and owns no thread. pysyncobj decides elections, what is sent to whom and the commit
index; every message passes the rules of `rules.py` on its way in and out. What committed slots mean
is not its business: our slots are of kinds the library does not know, so it applies nothing.
"""

from collections.abc import Callable, Iterable
from typing import Any

from quoth_cluster.clock import Chance, Clock
from quoth_cluster.errors import Fatal
from quoth_cluster.log import Change, MembershipChange
from quoth_cluster.raft import rules
from quoth_cluster.raft.elections import Elections
from quoth_cluster.raft.entry import COMMAND_BYTES_MAX, COMMANDS, MEMBERSHIP, pack_membership
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.reign import Reign
from quoth_cluster.raft.syncobj import Library, Timing

UNDER_WAY_BYTES_MAX = 8 * 1024 * 1024  # to one peer; then it waits for its link to drain


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
        log_keep_slots: int,
    ) -> None:
        self.tag = tag
        self.journal = journal
        self._log_keep_slots = log_keep_slots
        self._timing = timing
        self._clock = clock
        self._queued_bytes = queued_bytes  # how much waits on the link to a peer
        self._outbox: list[tuple[str, dict[str, Any]]] = []
        self._outbox_bytes: dict[str, int] = {}
        self._up: set[str] = set()  # peers whose link is up
        self._reported: set[str] = set()  # ... that the library knows of
        self._reported_learners: set[str] = set()
        self._is_forced = False  # the next election was asked for by the leader
        self._elections = Elections(tag, journal, timing=timing, clock=clock, chance=chance)
        self._acknowledge: tuple[int, int | None] | None = None  # (sequence, proven index)
        self._terms_seen = -1  # the term that the next belongs to
        self._reign = Reign()
        self._sequence = 0
        self._library = Library(
            tag,
            journal,
            commit_index=applied_index,
            contacts=contacts,
            timing=timing,
            clock=clock,
            chance=chance,
            on_send=self._queue,
        )

    # -- what others may know

    @property
    def term(self) -> int:
        return self._library.term

    @property
    def commit_index(self) -> int:
        return min(self._library.commit_index, self.journal.last_index)

    @property
    def is_leader(self) -> bool:
        return self._library.is_leader

    @property
    def leader(self) -> str | None:
        return self._library.leader

    @property
    def is_member(self) -> bool:
        """Whether this node is part of the cluster, voting or not, by its own log."""
        return self._library.is_member

    @property
    def is_voter(self) -> bool:
        """Whether this node votes, by its own log."""
        return self._library.is_voter

    @property
    def others(self) -> set[str]:
        """The other voters, as the log has them at its end."""
        return self._library.others

    @property
    def behind(self) -> list[str]:
        """Who is to be given the state, for the log is no way to it; see `rules.needs_state`."""
        return sorted(self._reign.behind) if self.is_leader else []

    def match_index(self, tag: str) -> int:
        """How much of this leader's log `tag` is known to hold."""
        self._forget_other_terms()
        return self._reign.match.get(tag, 0)

    # -- what drives it

    def receive(self, tag: str, message: dict[str, Any], *, incarnation: bytes = b"") -> None:
        """Handle one message of a peer; whatever it leads to waits in `take_messages`."""
        if not rules.is_well_formed(message) or tag == self.tag:
            return
        if message["type"] in rules.COUNTED_TYPES and not self._library.means(tag, incarnation):
            return
        self._forget_other_terms()
        handlers: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "append_entries": self._on_append,
            "next_node_idx": self._on_acknowledgement,
            "request_vote": self._on_vote_request,
            "response_vote": self._on_vote,
            "timeout_now": self._on_timeout_now,
            "term_notice": self._on_term_notice,
            "pre_vote": self._on_pre_vote,
            "pre_vote_granted": self._on_pre_vote_granted,
        }
        handlers[message["type"]](tag, message)
        self._report_links()

    def tick(self) -> None:
        """Let time pass: elections, heartbeats, and the commit index move here."""
        self._watch_the_leader()
        self._report_links()
        if self.is_voter or self.others or not self._library.voters():
            # Else truncations have left it nobody, and it would elect itself.
            self._library.tick()
        self._forget_other_terms()
        self._greet_those_behind()
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
        is_mine = change.member.tag == self.tag
        assert not (is_mine and change.removes_voter), "a leader hands over before it goes"
        self._report_learner(change.member.tag, is_up=False)  # it comes back as what it is then
        if change.change in (Change.ADD, Change.REMOVE):
            self._reign.forget(change.member.tag)
        log_index = self._append(content[1:], MEMBERSHIP)
        self._report_links()
        return log_index

    def caught_up_by_snapshot(self, tag: str, log_index: int) -> None:
        """`tag` holds durably all up to `log_index`, which a snapshot told it; the log goes on."""
        if not self.is_leader or tag not in self._reign.behind:
            return
        del self._reign.behind[tag]
        self._report_links()
        if tag not in self.others and tag not in self._reported_learners:
            return  # its link is gone: to the library it comes back as a stranger
        self._reign.sent_next[tag] = log_index + 1
        answer = {"next_node_idx": log_index + 1, "reset": True, "success": True}
        self._reign.match[tag] = max(log_index, self._reign.match.get(tag, 0))
        self._library.deliver(tag, {"type": "next_node_idx", **answer})

    def restart_at(self, log_index: int) -> None:
        """A snapshot took the place of the log up to `log_index`, which is committed."""
        assert not self.is_leader, "a leader has what it needs"
        self._library.rebuild(commit_index=log_index)
        self._reported.clear()
        self._reported_learners.clear()
        self._report_links()

    def set_link(self, tag: str, *, is_up: bool) -> None:
        """Note whether messages to `tag` can leave."""
        (self._up.add if is_up else self._up.discard)(tag)
        if not is_up and tag == self.leader and not self.is_leader:
            self._elections.lose_leader()
        self._report_links()

    def elect_now(self) -> None:
        """Stand for election at the next tick; for a node alone, which need not wait for others."""
        self._library.deliver(self.leader, {"type": "timeout_now", "term": self.term})

    def on_progress(self, tag: str) -> None:
        """A long message of `tag` is on its way."""
        if tag == self.leader and not self.is_leader:
            self._elections.hear_progress()

    def hand_over(self, tag: str) -> bool:
        """Ask `tag` to stand for election at once; False if it lacks some of this log yet."""
        has_all = self.is_leader and self.match_index(tag) == self.journal.last_index
        if has_all:
            self._library.transfer_to(tag)
        return has_all

    def close(self) -> None:
        self._library.close()

    # -- messages in

    def _on_append(self, tag: str, message: dict[str, Any]) -> None:
        if message["term"] < self.term:
            self._send(tag, {"type": "term_notice"})
            return
        if message["term"] == self.term and self.is_leader:
            raise Fatal(f"{tag} leads term {self.term}, and so does this node")
        trimmed = rules.skip_what_matches(message, self.journal, commit_index=self.commit_index)
        self._elections.hear_leader()
        self._acknowledge = (message["sequence"], trimmed.acknowledge_index)
        if trimmed.truncate_from is not None:
            # Not left to the library: it sees no more than a window of the log at a time.
            self._library.truncate_from(trimmed.truncate_from)
        self._library.deliver(tag, trimmed.message)
        self._acknowledge = None
        assert trimmed.acknowledge_index is None or (
            self.journal.last_index >= trimmed.acknowledge_index
        ), "what is acknowledged must be in the log"

    def _on_acknowledgement(self, tag: str, message: dict[str, Any]) -> None:
        if message["sender_term"] > self.term:
            self._on_term_notice(tag, message)
            return
        if rules.is_stale(message["sender_term"], self.term) or not self.is_leader:
            return
        if tag not in self.others | self._reported_learners:
            return
        delivered = dict(message)
        if message["reset"]:
            if rules.heeds_reset(message["sequence"], self._reign.reset_floor.get(tag, 0)):
                self._reign.reset_floor[tag] = self._sequence
                target = rules.clamp_reset(message["next_node_idx"], self._reign.match.get(tag, 0))
                delivered["next_node_idx"] = self._reign.sent_next[tag] = target
            else:
                delivered["reset"] = False
        self._library.deliver(tag, delivered)
        matched = message["next_node_idx"] - 1
        if message["success"] and matched > self._reign.match.get(tag, 0):
            assert matched <= self.journal.last_index, f"{tag} has what its leader has not"
            self._reign.match[tag] = matched
            sent_next = self._reign.sent_next.get(tag, 0)
            if sent_next > message["next_node_idx"]:
                # The library sets nextIndex back to what was acknowledged, and would send again
                # all that is under way.
                again = {"next_node_idx": sent_next, "reset": True, "success": False}
                self._library.deliver(tag, {"type": "next_node_idx", **again})

    def _on_vote_request(self, tag: str, message: dict[str, Any]) -> None:
        # From anybody the links let in: a node that is behind may not know yet that the candidate
        # is a member, and its vote may be the one that is needed (Raft dissertation, 4.1).
        if message["term"] < self.term:
            self._send(tag, {"type": "term_notice"})  # else it climbs to this term one by one
            return
        if not self.is_member:
            return  # a node that lost its disk does not know any more what it acknowledged
        if self._elections.is_loyal(leads=self.is_leader) and not message.get("forced"):
            return
        self._library.deliver(tag, message)

    def _on_vote(self, tag: str, message: dict[str, Any]) -> None:
        # The library counts votes, not voters.
        if message["term"] != self.term or tag in self._reign.votes or tag not in self.others:
            return
        self._reign.votes.add(tag)
        self._library.deliver(tag, message)

    def _on_timeout_now(self, tag: str, message: dict[str, Any]) -> None:
        if tag == self.leader and message["term"] == self.term and self.is_voter:
            self._is_forced = True
            self._stand()

    def _on_term_notice(self, tag: str, message: dict[str, Any]) -> None:
        if message["sender_term"] > self.term:
            notice = rules.ungrantable_vote_request(message["sender_term"])
            self._library.deliver(tag, notice)
            assert not self.is_leader, "a higher term ends a reign"

    # -- elections: asked for before they are called

    def _watch_the_leader(self) -> None:
        """The library would call an election if it knew a peer; a follower's knows none."""
        if self.is_leader:
            self._elections.lead()
            return
        if not self.is_voter or not self.others:
            return
        if (question := self._elections.ask(self.term)) is not None:
            for tag in sorted(self.others & self._up):
                self._send(tag, question)

    def _on_pre_vote(self, tag: str, message: dict[str, Any]) -> None:
        if message["term"] <= self.term:
            self._send(tag, {"type": "term_notice"})
        elif self.is_member and self._elections.grants(message, leads=self.is_leader):
            granted = {"type": "pre_vote_granted", "term": message["term"]}
            self._send(tag, {**granted, "round": message["round"]})

    def _on_pre_vote_granted(self, tag: str, message: dict[str, Any]) -> None:
        won = self._elections.is_won(tag, message, term=self.term, others=self.others)
        if won and not self.is_leader:
            self._stand()

    def _stand(self) -> None:
        """Have the library call an election at its next tick."""
        if self.is_voter:
            self._elections.stand()
            self._report_links()
            self._library.deliver(self.leader, {"type": "timeout_now", "term": self.term})

    # -- messages out

    def _queue(self, tag: str, message: dict[str, Any]) -> None:
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
        assert not rules.carries_snapshot(message), "the library sees no log that begins late"
        self._forget_other_terms()
        known = {"match_index": self._reign.match.get(tag, 0), "commit_index": self.commit_index}
        kept = {"base_index": self.journal.base_index, "keep_slots": self._log_keep_slots}
        if rules.needs_state(message["prevLogIdx"], **known, **kept):
            self._reign.behind.setdefault(tag, self._clock.monotonic())
            self._hide(tag)
            return
        self._sequence += 1
        entries = [self.journal.read(log_index) for _, log_index, _ in message["entries"]]
        if entries:
            self._reign.sent_next[tag] = entries[-1].log_index + 1
        packed = [[slot.content, slot.log_index, slot.term] for slot in entries]
        self._send(tag, {**message, "entries": packed, "sequence": self._sequence})
        size = sum(len(slot.content) for slot in entries)
        self._outbox_bytes[tag] = self._outbox_bytes.get(tag, 0) + size
        if self._is_congested(tag):
            self._hide(tag)

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
        before = self.journal.last_index
        self._library.append(bytes([kind]) + rest)
        if self.journal.last_index == before:
            return None
        assert self.journal.last_index == before + 1 and self.journal.last_term == self.term
        return before + 1

    def _hide(self, tag: str) -> None:
        """The library sends all it has at once; a peer that is "away" it lets be."""
        self._report_learner(tag, is_up=False)
        self._reported.discard(tag)
        self._library.report(tag, is_up=False)

    def _greet_those_behind(self) -> None:
        """While a snapshot is on its way its receiver hears that there is a leader."""
        if not self.is_leader:
            self._reign.behind.clear()
            return
        now = self._clock.monotonic()
        for tag, due in self._reign.behind.items():
            if now < due or tag not in self._up:
                continue
            self._reign.behind[tag] = now + self._timing.heartbeat
            self._sequence += 1
            self._send(tag, {**rules.greeting(self.term), "sequence": self._sequence})

    def _is_congested(self, tag: str) -> bool:
        under_way = self._outbox_bytes.get(tag, 0) + self._queued_bytes(tag)
        return under_way > UNDER_WAY_BYTES_MAX

    def _forget_other_terms(self) -> None:
        if self._terms_seen != self.term:
            self._terms_seen = self.term
            self._reign.clear()

    def _report_links(self) -> None:
        """Tell the library which peers are up; a node outside the configuration knows none.

        It stands for election only when it knows somebody, and one that is not a member must not.
        """
        if self.is_voter and self.others != self._library.voters() - {self.tag}:
            # More was truncated than the library could undo. All it knows is in the journal.
            assert not self.is_leader, "a leader truncates nothing"
            self._library.rebuild()
            self._reported.clear()
            self._reported_learners.clear()
        up = {tag for tag in self._up - set(self._reign.behind) if not self._is_congested(tag)}
        knows_peers = self.is_voter and (self.is_leader or self._elections.stands)
        self._report_voters(up & self.others if knows_peers else set())
        learners = up & self._library.learners() if self.is_leader else set()
        for tag in sorted(self._reported_learners - learners):
            self._report_learner(tag, is_up=False)
        for tag in sorted(learners - self._reported_learners):
            self._report_learner(tag, is_up=True)

    def _report_learner(self, tag: str, *, is_up: bool) -> None:
        if is_up == (tag in self._reported_learners):
            return
        self._library.report_learner(tag, is_up=is_up)
        (self._reported_learners.add if is_up else self._reported_learners.discard)(tag)

    def _report_voters(self, up: set[str]) -> None:
        for tag in sorted(self._reported - up):
            self._library.report(tag, is_up=False)
        for tag in sorted(up - self._reported):
            self._library.report(tag, is_up=True)
        self._reported = up
