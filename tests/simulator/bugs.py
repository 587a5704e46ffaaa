"""Planted bugs: what the engine would be without one of its rules. The simulator must find each.

A simulator that finds nothing proves nothing. Each bug is a handful of replaced attributes, in
force for one run only.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from quoth_cluster import dispatch, numbered, reservations, round
from quoth_cluster.raft import group, membership, rules, syncobj
from quoth_cluster.raft.applier import Applier
from quoth_cluster.raft.cycle import Cycle
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.group import RaftGroup
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.neighbours import Neighbours
from quoth_cluster.raft.proposals import Proposals
from quoth_cluster.raft.questions import Questions
from quoth_cluster.raft.read_index import ReadIndex
from quoth_cluster.raft.reconfiguration import Reconfiguration
from quoth_cluster.raft.segment import Segment
from quoth_cluster.raft.snapshot_store import SnapshotStore
from tests.simulator import links, mutations, network, registers


@dataclass(frozen=True, slots=True)
class Bug:
    """One way to be wrong: which attributes are replaced by what."""

    name: str
    story: str
    patches: tuple[tuple[Any, str, Any], ...]
    nodes: int = 3
    churns: bool = False  # it only shows when the membership changes
    plot: str = ""  # the one fault that shows it, if chance alone takes too long
    takes: bool = False  # it only shows when numbers of sequences are taken


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


def _bug(
    name: str,
    story: str,
    *patches: tuple[Any, str, Any],
    nodes: int = 3,
    churns: bool = False,
    plot: str = "",
    takes: bool = False,
) -> Bug:
    return Bug(name, story, patches, nodes, churns, plot, takes)


BUGS: tuple[Bug, ...] = (
    _bug(
        "window-truncates",
        "c: a window that is sent twice cuts off what came after it",
        (rules, "skip_what_matches", mutations.skip_nothing),
    ),
    _bug(
        "ack-beyond-proof",
        "c: the acknowledgement names the end of the log, not what the message proved",
        (rules, "skip_what_matches", mutations.acknowledge_all),
    ),
    _bug(
        "commit-beyond-proof",
        "c, s1: a follower takes the leader's commit index as it comes",
        (rules, "clamp_commit", mutations.same),
        nodes=5,
        plot="deposed tail",
    ),
    _bug(
        "stale-ack",
        "b: an acknowledgement of an earlier reign is counted",
        (rules, "is_stale", mutations.no),
        nodes=5,
        plot="late acks",
    ),
    _bug(
        "not-sticky",
        "e: a vote is given although a leader is heard",
        (rules, "ignores_vote_request", mutations.no),
    ),
    _bug(
        "one-step-back",
        "l0: one step back for each rejection, and every rejected window resets again",
        (rules, "heeds_reset", mutations.yes),
        (rules, "clamp_reset", mutations.same),
        (Engine, "_on_append", mutations.on_append_noting),
        (Engine, "_queue_acknowledgement", mutations.one_step_back),
    ),
    _bug("no-reset", "l0: no rejection is heeded", (rules, "heeds_reset", mutations.no)),
    _bug(
        "older-leader",
        "a deposed leader's slots are taken",
        (Engine, "_on_append", mutations.take_older_leaders),
    ),
    _bug(
        "vote-counted-twice",
        "votes are counted, not voters",
        (Engine, "_on_vote", mutations.count_twice),
        nodes=5,
    ),
    _bug(
        "reigns-mixed",
        "what a leader knew of its followers outlives its reign",
        (Engine, "_forget_other_terms", mutations.forget_nothing),
        nodes=5,
        plot="old matches",
    ),
    _bug(
        "vote-not-stored",
        "d: a node votes, forgets it in a crash and votes again",
        (syncobj.JournalView, "setCurrentTerm", mutations.forget_vote),
        nodes=5,
        plot="hasty voters",
    ),
    _bug(
        "term-not-stored",
        "d: the term is not stored",
        (syncobj.JournalView, "setCurrentTerm", mutations.forget_term),
    ),
    _bug("no-fsync", "a: nothing is ever synced", (Segment, "sync", mutations.write_only)),
    _bug(
        "no-fsync-at-open",
        "what a killed process wrote is believed without a sync",
        (Journal, "_make_replayed_durable", lambda self: None),
        plot="believed early",
    ),
    _bug(
        "release-first", "messages leave before the sync", (Cycle, "run", mutations.release_first)
    ),
    _bug(
        "own-unsynced-counted",
        "a leader counts its own log before it is synced, and applies",
        (Cycle, "run", mutations.count_unsynced),
    ),
    _bug(
        "handed-on-unsynced",
        "what is committed is applied before it is synced here",
        (Cycle, "_hand_on", mutations.hand_on_unsynced),
    ),
    _bug(
        "all-committed-at-start",
        "d: all that is in the log after a restart counts as committed",
        (syncobj.JournalView, "__init__", mutations.commit_all_at_start),
    ),
    _bug(
        "truncation-lost",
        "a truncation is not written down",
        (Journal, "truncate_from", mutations.truncate_in_memory),
    ),
    _bug(
        "torn-tail-kept",
        "a torn tail is kept",
        (Segment, "_cut_torn_tail", mutations.leave_torn_tail),
    ),
    _bug(
        "no-quorum-round",
        "f: a leader answers reads without asking whether it still leads",
        (ReadIndex, "_confirm_leadership", mutations.believe_oneself),
    ),
    _bug(
        "read-before-own-term",
        "f: a new leader answers reads before it knows what is committed",
        (ReadIndex, "_confirm_leadership", mutations.before_own_term),
    ),
    _bug(
        "read-does-not-wait",
        "f: a read does not wait until its slot is applied",
        (RaftGroup, "current", mutations.do_not_wait),
    ),
    _bug("local-reads", "f: reads ask nobody", (RaftGroup, "current", mutations.read_locally)),
    _bug(
        "proposal-of-any-term",
        "k: a leader takes proposals that were made for an earlier term",
        (RaftGroup, "_on_propose", mutations.take_any_term),
        nodes=5,
        plot="late acks",
    ),
    _bug(
        "timeout-is-definite",
        "k: a proposal that timed out is told not proposed",
        (Proposals, "withdraw", mutations.withdraw_all),
    ),
    _bug(
        "unknown-is-done",
        "k: an unknown outcome is told applied",
        (RaftGroup, "_propose_once", mutations.unknown_is_done),
    ),
    _bug(
        "settled-early",
        "k2: a new leader's first slot settles what is proposed to itself",
        (Applier, "_announce", mutations.settle_early),
    ),
    _bug(
        "proposed-twice",
        "a proposal enters two slots",
        (Proposals, "next_batch", mutations.take_twice),
    ),
    _bug(
        "replicas-not-counted",
        "a replica counts before it has applied",
        (Questions, "_applied", mutations.applied_at_once),
    ),
    _bug(
        "session-not-waited",
        "a session does not wait for its own writes",
        (RaftGroup, "wait_for_command", mutations.waited_at_once),
    ),
    _bug(
        "two-changes-at-once",
        "h: a change of membership does not wait for the one before",
        (Reconfiguration, "_propose", mutations.propose_any_change),
        churns=True,
    ),
    _bug(
        "removed-still-heard",
        "a removed node is not refused",
        (Neighbours, "refuses", mutations.refuse_nobody),
        churns=True,
    ),
    _bug(
        "forgotten-counted",
        "h: a node that lost its disk counts as what it was",
        (membership, "means", mutations.yes),
        plot="lost disk",
    ),
    _bug(
        "older-snapshot",
        "s2: a snapshot replaces newer state",
        (rules, "accepts_snapshot", mutations.yes),
        plot="late end",
    ),
    _bug(
        "snapshot-unverified",
        "s3, s4: what has arrived is taken for whole",
        (SnapshotStore, "verify", mutations.nothing_wrong),
        plot="left behind",
    ),
    _bug(
        "snapshot-not-synced",
        "s3: what has arrived is whole, and only the kernel has it",
        (SnapshotStore, "verify", mutations.verify_unsynced),
        plot="left behind",
    ),
    _bug(
        "snapshot-names-not-synced",
        "s3: the files that have arrived are synced, their folders are not",
        (SnapshotStore, "verify", mutations.verify_without_names),
        plot="left behind",
    ),
    _bug(
        "installing-not-durable",
        "s5: that an install began is noted, and may be gone or torn when it is read",
        (SnapshotStore, "start_installing", mutations.start_installing_unsynced),
        plot="left behind",
    ),
    _bug(
        "rename-not-synced",
        "s5: a manifest is renamed into its place, and the folder is not synced",
        (SnapshotStore, "_write_durably", mutations.rename_only),
        plot="left behind",
    ),
    _bug(
        "installed-too-early",
        "s5: an install counts as finished before the log goes on behind it",
        (RaftGroup, "_install", mutations.installed_first),
        plot="left behind",
    ),
    _bug(
        "log-not-adopted",
        "s5: a snapshot is installed, and the log stays as it was",
        (group, "adopt", lambda journal, manifest: None),
    ),
    _bug(
        "reset-not-durable",
        "s5: the log that goes on behind a snapshot is not synced",
        (Journal, "reset", mutations.reset_in_memory),
    ),
    _bug(
        "trimmed-too-far",
        "s5: the log is trimmed to what is applied, though it is not stored yet",
        (Applier, "_apply_window", mutations.trim_applied),
    ),
    _bug(
        "applied-twice",
        "a restart applies again what the state has already",
        (registers, "Registers", mutations.Twice),
    ),
    _bug(
        "older-connection-heard",
        "n: bytes of an older connection are handled after those of a newer",
        (links.SimLinks, "admit", mutations.keep_any),
        (network.Network, "_deliver", mutations.deliver_any),
    ),
    _bug(
        "number-taken-in-vain",
        "a batch is refused, and its number is taken all the same",
        (dispatch, "_may_stop_midway", mutations.no),
        (numbered, "_take_all", mutations.take_at_once),
        takes=True,
    ),
    _bug(
        "resend-takes-anew",
        "a request that is sent again takes another number",
        (round, "answered", mutations.forget_answers),
        takes=True,
    ),
    _bug(
        "number-from-memory",
        "a number is the next that this process remembers, not the next of the state",
        (numbered, "_take_all", mutations.take_from_memory),
        takes=True,
    ),
    _bug(
        "number-given-back-twice",
        "a released number is given back although a later one was taken",
        (reservations, "_release", mutations.give_back_any),
        takes=True,
    ),
)

BY_NAME: dict[str, Bug] = {bug.name: bug for bug in BUGS}

# The seed that found each last: where a test looks first. It only saves time: another version of
# the code draws other faults for a seed, and then all seeds are tried.
FOUND_BY: dict[str, int] = {
    "window-truncates": 1,
    "ack-beyond-proof": 25,
    "commit-beyond-proof": 0,
    "handed-on-unsynced": 4,
    "stale-ack": 0,
    "not-sticky": 8,
    "one-step-back": 25,
    "no-reset": 0,
    "older-leader": 6,
    "vote-counted-twice": 16,
    "reigns-mixed": 0,
    "vote-not-stored": 0,
    "term-not-stored": 1,
    "no-fsync": 0,
    "no-fsync-at-open": 31,
    "release-first": 0,
    "own-unsynced-counted": 1,
    "all-committed-at-start": 0,
    "truncation-lost": 31,
    "torn-tail-kept": 54,
    "no-quorum-round": 2,
    "read-before-own-term": 1,
    "read-does-not-wait": 0,
    "local-reads": 0,
    "proposal-of-any-term": 0,
    "timeout-is-definite": 0,
    "unknown-is-done": 0,
    "settled-early": 0,
    "proposed-twice": 0,
    "replicas-not-counted": 1,
    "session-not-waited": 0,
    "two-changes-at-once": 0,
    "removed-still-heard": 0,
    "forgotten-counted": 16,
    "older-snapshot": 0,
    "snapshot-unverified": 0,
    "snapshot-not-synced": 0,
    "snapshot-names-not-synced": 0,
    "installing-not-durable": 7,
    "rename-not-synced": 78,
    "installed-too-early": 2,
    "log-not-adopted": 0,
    "reset-not-durable": 41,
    "trimmed-too-far": 12,
    "applied-twice": 0,
    "older-connection-heard": 9,
    "number-taken-in-vain": 0,
    "resend-takes-anew": 0,
    "number-from-memory": 0,
    "number-given-back-twice": 2,
}
