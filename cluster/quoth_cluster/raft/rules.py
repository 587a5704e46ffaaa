"""What makes the engine safe: pure functions over a message and a view of the journal.

Stock pysyncobj 0.3.17 loses acknowledged writes, some without any fault. Each rule here answers one
finding of that audit, named by its letter; none reads time, chance or a disk, and none changes what
it is given. `syncobj.py` applies them to every message before it is handled and before it is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from quoth_cluster.errors import Fatal
from quoth_cluster.raft.entry import COMMAND_BYTES_MAX, KINDS

Message = Mapping[str, Any]

# What may come from a peer and be handed to the engine or answered here.
RAFT_TYPES = frozenset(
    {
        "append_entries",
        "next_node_idx",
        "request_vote",
        "response_vote",
        "timeout_now",
        "term_notice",
        "pre_vote",
        "pre_vote_granted",
    }
)

# ... of these, what a leader or a candidate counts, by tag, for a majority.
COUNTED_TYPES = frozenset({"next_node_idx", "response_vote", "pre_vote_granted"})

FIRST_INDEX = 1  # where every log begins, with the same nothing, so two logs share a place


class LogView(Protocol):
    """What a rule may ask of the journal."""

    @property
    def base_index(self) -> int:
        """The slot before the first that is kept; it and all before it are committed."""

    @property
    def last_index(self) -> int:
        """The index of the newest slot."""

    def term_at(self, log_index: int) -> int:
        """The term of a slot; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Trimmed:
    """An append, reduced to what is new here."""

    message: dict[str, Any]
    acknowledge_index: int | None  # proven equal to the leader's log up to here; None: not at all
    truncate_from: int | None = None  # from here on this log is of another history


def skip_what_matches(message: Message, log: LogView, *, commit_index: int) -> Trimmed:
    """Finding c: the engine truncates after prevLogIdx and re-adds, even what it has already.

    A window that is sent twice, or an old heartbeat, would take back slots this node has
    acknowledged. So slots that match are skipped, only a true conflict truncates, and the
    acknowledgement names what this message proved, not the end of the log (Raft, 5.3).

    Raises Fatal if the conflict lies within what is committed: then two histories exist.
    """
    prev_index, prev_term = message["prevLogIdx"], message["prevLogTerm"]
    entries = message["entries"]
    is_kept = prev_index >= log.base_index
    if prev_index > log.last_index or (is_kept and log.term_at(prev_index) != prev_term):
        if prev_index <= min(commit_index, log.last_index):
            raise Fatal(f"slot {prev_index} is committed here, and another at the leader")
        return Trimmed(dict(message), None)
    matching = 0
    for _, log_index, term in entries:
        is_kept = log_index >= log.base_index
        if log_index > log.last_index or (is_kept and log.term_at(log_index) != term):
            break
        matching += 1
    fresh = entries[matching:]
    proven = entries[-1][1] if entries else prev_index
    if fresh and fresh[0][1] <= commit_index:
        raise Fatal(f"slot {fresh[0][1]} is committed here, and another at the leader")
    # Nothing new: pretend the message ends where this log does, so that nothing is cut off.
    base = (fresh[0][1] - 1) if fresh else log.last_index
    trimmed = dict(message)
    trimmed.update(
        prevLogIdx=base,
        prevLogTerm=log.term_at(base),
        entries=fresh,
        commit_index=clamp_commit(message["commit_index"], proven),
    )
    conflict = fresh[0][1] if fresh and fresh[0][1] <= log.last_index else None
    return Trimmed(trimmed, proven, conflict)


def clamp_commit(leader_commit_index: int, proven_index: int) -> int:
    """Findings c and s1: commit no further than this message proves the logs equal."""
    return min(leader_commit_index, proven_index)


def carries_snapshot(message: Message) -> bool:
    """Findings s1 to s4: the engine's own snapshot path checks nothing, so nothing takes it.

    It would take the commit index unchecked, install older state over newer, and acknowledge what
    it failed to load.
    """
    return "serialized" in message or "transmission" in message


def is_stale(sender_term: int, current_term: int) -> bool:
    """Finding b: an acknowledgement has no term, and one from an earlier reign would be counted."""
    return sender_term != current_term


def ungrantable_vote_request(term: int) -> dict[str, Any]:
    """Findings b and e: how the engine hears of a higher term; no log is older, so no vote goes."""
    return {"type": "request_vote", "term": term, "last_log_index": -1, "last_log_term": -1}


def needs_state(
    prev_index: int, *, match_index: int, base_index: int, commit_index: int, keep_slots: int
) -> bool:
    """Whether the log is no way to a peer that is to be sent what comes after `prev_index`.

    It is not, where it begins later. Nor is it for one that has nothing at all, if that is more
    slots than are kept for those a little behind: a log that begins at the beginning is at least
    as long as the state it comes to, and to apply it takes a new node far longer. What else is
    still there, for its files end late, is taken: a state may be large, and what is missing little.
    """
    has_nothing = max(prev_index, match_index) <= FIRST_INDEX
    return prev_index < base_index or (has_nothing and commit_index - prev_index > keep_slots)


def greeting(term: int) -> dict[str, Any]:
    """What tells a peer that there is a leader, and nothing else.

    Every log agrees at its very beginning, so it proves nothing and takes nothing.
    """
    start = {"prevLogIdx": FIRST_INDEX, "prevLogTerm": 0, "entries": []}
    return {"type": "append_entries", "term": term, "commit_index": 0, **start}


def hint_for_leader(commit_index: int) -> int:
    """Finding l0: where to go on after a mismatch: behind the committed part, in one step."""
    return max(commit_index, FIRST_INDEX) + 1


def heeds_reset(sequence: int, floor: int) -> bool:
    """Finding l0: of all the windows in flight that fail, only the first moves nextIndex back.

    `floor` is the last sequence sent when a reset was last heeded: answers to older messages tell
    nothing new.
    """
    return sequence > floor


def clamp_reset(next_index: int, match_index: int) -> int:
    """Finding l0: never resend what the follower is known to have."""
    return max(next_index, match_index + 1, FIRST_INDEX + 1)


def ignores_vote_request(
    *, heard_seconds_ago: float | None, election_timeout_min_seconds: float, is_forced: bool
) -> bool:
    """Finding e: while a leader is heard, nobody helps to depose it (Raft dissertation, 4.2.3)."""
    if is_forced or heard_seconds_ago is None:
        return False
    return heard_seconds_ago < election_timeout_min_seconds


def is_up_to_date(
    last_log_term: int, last_log_index: int, *, own_term: int, own_index: int
) -> bool:
    """Whether a candidate's log holds at least what this one does (Raft, 5.4.1)."""
    return (last_log_term, last_log_index) >= (own_term, own_index)


def is_majority(count: int, others: int) -> bool:
    """Whether `count` of this node and `others` are a quorum."""
    return count > (others + 1) / 2


def is_well_formed(message: object) -> bool:
    """Findings g and t1: only messages of known shape and slots of known kind reach the engine."""
    if not isinstance(message, dict) or message.get("type") not in RAFT_TYPES:
        return False
    numbers = ["sender_term", *_NUMBERS[message["type"]]]
    if not all(type(message.get(name)) is int and -1 <= message[name] < 2**63 for name in numbers):
        return False
    if message["type"] == "append_entries":
        entries = message.get("entries")
        return (
            not carries_snapshot(message)
            and isinstance(entries, list)
            and all(_is_slot(entry) for entry in entries)
            and _is_consecutive(message["prevLogIdx"], entries)
        )
    if message["type"] == "next_node_idx":
        return type(message.get("reset")) is bool and type(message.get("success")) is bool
    return True


_NUMBERS = {
    "append_entries": ("term", "commit_index", "prevLogIdx", "prevLogTerm", "sequence"),
    "next_node_idx": ("next_node_idx", "sequence"),
    "request_vote": ("term", "last_log_index", "last_log_term"),
    "response_vote": ("term",),
    "timeout_now": ("term",),
    "term_notice": (),
    "pre_vote": ("term", "last_log_index", "last_log_term", "round"),
    "pre_vote_granted": ("term", "round"),
}


def _is_slot(entry: object) -> bool:
    match entry:
        case [bytes(content), int(log_index), int(term)]:
            known = 0 < len(content) <= COMMAND_BYTES_MAX and content[0] in KINDS
            return known and log_index > 0 and term >= 0
    return False


def _is_consecutive(prev_index: int, entries: list[Any]) -> bool:
    return all(entry[1] == prev_index + 1 + at for at, entry in enumerate(entries))


def accepts_snapshot(snapshot_index: int, applied_index: int) -> bool:
    """Finding s2: no older state over newer; what was acknowledged would be taken back."""
    return snapshot_index > applied_index


def is_next_chunk(offset: object, have: int) -> bool:
    """Finding s4: a chunk belongs exactly behind what is here, or two files are spliced."""
    return type(offset) is int and offset == have
