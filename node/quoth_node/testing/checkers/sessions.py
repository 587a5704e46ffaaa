"""What a session may rely on, whichever nodes answer it, and where a history breaks it. Pure.

Every version of a key is written once, and versions of one key are numbered in their order. A
session does one thing after another. What it read or wrote it knows; whoever reads a version also
knows what its writer knew. Nobody may then read a key older than they know it (Terry et al.,
Session guarantees for weakly consistent replicated data, 1994):

    read your writes       known by a write of one's own
    monotonic reads        ... by a read of one's own
    monotonic writes       ... by an earlier write of the writer of something that was read
    writes follow reads    ... by an earlier read of that writer

Operations: "read" gives [version, value], [0, None] if nothing is there; "write" is of
[version, value]. A client is a session.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import inf

from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation


class Kind(Enum):
    READ = "read"
    WRITE = "write"


class Guarantee(Enum):
    READ_YOUR_WRITES = "read your writes"
    MONOTONIC_READS = "monotonic reads"
    MONOTONIC_WRITES = "monotonic writes"
    WRITES_FOLLOW_READS = "writes follow reads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """One thing a session did with one key; several at once share their times."""

    session: str
    kind: Kind
    key: str
    version: int  # 0: there was nothing
    value: str  # tells apart two who both tried to write this version
    asked_at: float
    told_at: float
    certain: bool = True  # False: a write whose outcome nobody told


@dataclass(frozen=True, slots=True)
class Known:
    """A version that a session has to see, and why."""

    version: int
    why: Guarantee
    by: Did  # who read or wrote it


@dataclass(frozen=True, slots=True)
class Broken:
    """What a session did although it knew better."""

    did: Did
    known: Known

    def __str__(self) -> str:
        did, known = self.did, self.known
        return (
            f"{known.why.value}: {did.session} did {did.kind.value} version {did.version} "
            f"of {did.key}, and knew version {known.version}"
        )


Knowledge = dict[str, Known]
FROM_WRITER = {
    Guarantee.READ_YOUR_WRITES: Guarantee.MONOTONIC_WRITES,
    Guarantee.MONOTONIC_READS: Guarantee.WRITES_FOLLOW_READS,
    Guarantee.MONOTONIC_WRITES: Guarantee.WRITES_FOLLOW_READS,
    Guarantee.WRITES_FOLLOW_READS: Guarantee.WRITES_FOLLOW_READS,
}


def check(operations: Sequence[Operation]) -> list[Violation]:
    """Every broken guarantee, with what the session knew and what it did."""
    done = [(told, one) for one in operations if (told := _did(one)) is not None]
    asked = {id(told): one for told, one in done}
    return [
        Violation(
            anomaly=broken.known.why.value.replace(" ", "-"),
            key=broken.did.key,
            told=str(broken),
            evidence=(asked[id(broken.known.by)], asked[id(broken.did)]),
        )
        for broken in broken_guarantees(told for told, _ in done)
    ]


def _did(one: Operation) -> Did | None:
    """What an operation means for sessions; None for one that failed, or a read nobody told."""
    if one.ok is False or (one.ok is None and one.f == Kind.READ.value):
        return None
    version, value = one.output if one.f == Kind.READ.value else one.input
    return Did(
        session=str(one.client),
        kind=Kind(one.f),
        key=one.key,
        version=version,
        value=str(value),
        asked_at=one.call,
        told_at=inf if one.returned is None else one.returned,
        certain=one.ok is True,
    )


def broken_guarantees(history: Iterable[Did]) -> list[Broken]:
    """Everything in a history that a session may not see, in the order of time."""
    broken: list[Broken] = []
    sessions: dict[str, Knowledge] = {}
    writers: dict[tuple[str, str], Knowledge] = {}  # what the writer of a value of a key knew
    for did in sorted(history, key=_moment):
        knowledge = sessions.setdefault(did.session, {})
        known = knowledge.get(did.key)
        if known is not None and _is_too_old(did, known):
            broken.append(Broken(did, known))
        if did.kind is Kind.WRITE:
            writers[did.key, did.value] = dict(knowledge)
            if did.certain:
                _learn(knowledge, did.key, Known(did.version, Guarantee.READ_YOUR_WRITES, did))
            continue
        _learn(knowledge, did.key, Known(did.version, Guarantee.MONOTONIC_READS, did))
        for key, learned in writers.get((did.key, did.value), {}).items():
            _learn(knowledge, key, replace(learned, why=FROM_WRITER[learned.why]))
    return broken


def _moment(did: Did) -> tuple[float, bool]:
    """A write may be read by others as soon as it was asked for; a read is done when it is told."""
    return (did.asked_at, False) if did.kind is Kind.WRITE else (did.told_at, True)


def _is_too_old(did: Did, known: Known) -> bool:
    if did.kind is Kind.READ:
        return did.version < known.version
    return did.certain and did.version <= known.version


def _learn(knowledge: Knowledge, key: str, learned: Known) -> None:
    known = knowledge.get(key)
    if known is None or learned.version > known.version:
        knowledge[key] = learned
