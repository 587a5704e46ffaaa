"""Whether some serial order explains a history, one that keeps real time. Pure and exact.

Every value is written once. A transaction takes effect at one moment between its first request and
its last answer, all of it at once; one whose outcome nobody told may take effect at any later time,
or never. Orders are tried until one gives every answer that was given (Wing and Gong, Testing and
verifying concurrent objects, 1993), and no state is tried twice (Lowe, 2017).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

Key = tuple[str, str]  # ("document", id) or ("value", key)
State = frozenset[tuple[Key, str]]


@dataclass(frozen=True, slots=True)
class Saw:
    """What was there of some keys: all named `names`, or all of a kind that begin with `prefix`."""

    kind: str
    names: tuple[str, ...] | None
    prefix: str
    found: Mapping[str, str]

    def fits(self, state: State) -> bool:
        """Whether one who looks at this state sees just that."""
        there = {
            name: value for (kind, name), value in state if kind == self.kind and self.asks(name)
        }
        return there == dict(self.found)

    def asks(self, name: str) -> bool:
        """Whether this is one of the keys it looked at."""
        return name in self.names if self.names is not None else name.startswith(self.prefix)


@dataclass(slots=True)
class Transaction:
    """What one saw and wrote, None for deleted, and when it was under way."""

    who: str
    asked_at: float
    told_at: float = inf
    saw: list[Saw] = field(default_factory=list)
    wrote: dict[Key, str | None] = field(default_factory=dict)

    @property
    def is_certain(self) -> bool:
        """Whether it is known to have happened."""
        return self.told_at < inf

    def after(self, state: State) -> State:
        """What it leaves of a state."""
        kept = {(key, value) for key, value in state if key not in self.wrote}
        return frozenset(kept | {(k, v) for k, v in self.wrote.items() if v is not None})


def is_explained(history: Sequence[Transaction]) -> bool:
    """Whether a serial order that is true to real time gives every answer, from nothing on."""
    told = _worth_trying(history)
    certain = sum(1 << n for n, one in enumerate(told) if one.is_certain)
    tried: set[tuple[int, State]] = set()
    waiting: list[tuple[int, State]] = [(0, frozenset())]
    while waiting:
        done, state = _with_all_readers(told, *waiting.pop())
        if done & certain == certain:
            return True
        if (done, state) in tried:
            continue
        tried.add((done, state))
        waiting += [
            (done | 1 << n, told[n].after(state)) for n in reversed(list(_next(told, done, state)))
        ]
    return False


def _worth_trying(history: Sequence[Transaction]) -> list[Transaction]:
    """Without those that may not have happened, and that nobody has seen if they did."""
    seen = {value for one in history for saw in one.saw for value in saw.found.values()}
    return sorted(
        (
            one
            for one in history
            if one.is_certain or any(v is None or v in seen for v in one.wrote.values())
        ),
        key=lambda one: one.asked_at,
    )


def _next(told: Sequence[Transaction], done: int, state: State) -> Iterator[int]:
    """Who may be the next one: who had begun before anybody of the rest was told, and fits."""
    rest = [n for n in range(len(told)) if not done >> n & 1]
    first_told = min((told[n].told_at for n in rest), default=inf)
    for n in rest:
        if told[n].asked_at <= first_told and all(saw.fits(state) for saw in told[n].saw):
            yield n


def _with_all_readers(told: Sequence[Transaction], done: int, state: State) -> tuple[int, State]:
    """Who only reads, and may be next, can as well be next: that keeps nobody from anything."""
    while readers := [n for n in _next(told, done, state) if not told[n].wrote]:
        done |= sum(1 << n for n in readers)
    return done, state
