"""Whether clients that used a thing at once were told what one after another could have been told.

Every operation takes effect at one moment between its call and its return; an unknown one at any
time after its call, or never. For each key, orders are tried until one gives every answer (Wing and
Gong, Testing and verifying concurrent objects, 1993). An operation is placed only when another one
cannot return before it is, and nothing is tried twice (Lowe, Testing for linearizability, 2017). It
does not trust what nodes say of the order, unlike `index_witness`. Pure.

A search that meets too many states gives up: the violation `undecided`, which is no proof that all
is well. At most 8 clients on a key, and some thousand operations, stay far below that.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from quoth_node.testing.checkers.models import (
    IMPOSSIBLE,
    Doubt,
    Model,
    Never,
    Register,
    changes_nothing,
)
from quoth_node.testing.checkers.verdict import UNDECIDED, Violation
from quoth_node.testing.history import Operation, by_key

STATES_MAX = 200_000  # of one search
NARROWED_MAX = 40  # operations; more are shown as they are
REGISTER = Register()


def check(
    operations: Sequence[Operation], *, model: Model = REGISTER, states_max: int = STATES_MAX
) -> list[Violation]:
    """One violation for each key that nothing explains, or that is `undecided`."""
    found = (
        judge(key, part, model=model, states_max=states_max)
        for key, part in by_key(operations).items()
    )
    return [violation for violation in found if violation is not None]


def judge(
    key: str, operations: Sequence[Operation], *, model: Model, states_max: int = STATES_MAX
) -> Violation | None:
    """The verdict on one thing; None: it is explained."""
    telling = model.worth_trying(operations)
    found = _Search(telling, model, states_max).run([model.initial])
    if found.explained:
        return None
    if found.explained is None:
        told = f"{len(telling)} operations have more than {states_max} states to try"
        return Violation(anomaly=UNDECIDED, key=key, told=told)
    last = found.stuck
    assert last is not None and last.returned is not None, "something could not return"
    prefix = [one for one in telling if one.call <= last.returned]
    evidence = _narrowed(prefix, last, model, states_max) or prefix
    return Violation(
        anomaly="not-linearizable",
        key=key,
        told=f"no order explains what {len(prefix)} operations were told until client"
        f" {last.client} returned from {last.f} at {last.returned}; without it there is one",
        evidence=tuple(sorted(evidence, key=lambda one: one.call)),
    )


def is_explained(
    operations: Sequence[Operation], *, model: Model = REGISTER, states_max: int = STATES_MAX
) -> bool | None:
    """Whether one order of these explains them, all of one thing; None: undecided."""
    telling = model.worth_trying(operations)
    return _Search(telling, model, states_max).run([model.initial]).explained


@dataclass(frozen=True, slots=True)
class _Found:
    """What came out of a search."""

    explained: bool | None
    stuck: Operation | None = None  # the first in order of return that cannot be explained


@dataclass(frozen=True, slots=True)
class _Return:
    """The return of an operation, before which it has to be placed."""

    bit: int
    pending: tuple[tuple[int, Operation], ...]  # called before this, and not yet returned
    unknown: int  # how many of those that never return were called before


@dataclass(frozen=True, slots=True)
class _Node:
    """A point of the search: what has returned, what the state is, who was placed ahead."""

    at: int  # the return that comes next
    state: Hashable
    placed: int  # a bit for each pending operation that is placed
    used: int  # ... for each unknown one that has taken effect
    owed: tuple[Hashable, int] | None = None  # state before an unknown one, still without use


class _Search:
    """Depth first. What returned is forgotten; a bit of it is given to one called later."""

    def __init__(self, operations: Sequence[Operation], model: Model, states_max: int) -> None:
        self.model = model
        self.states_max = states_max
        self.unknown = sorted(
            (one for one in operations if one.returned is None), key=lambda one: one.call
        )
        self.certain = [one for one in operations if one.returned is not None]
        self.before = _alike(self.unknown)
        self.returns = _returns(self.certain, self.unknown)
        self.seen: dict[tuple[int, Hashable, int, object], list[int]] = {}
        self.served: dict[tuple[Hashable, int], bool] = {}
        self.states = 0

    def run(self, initial: Iterable[Hashable]) -> _Found:
        """Whether an order explains all, from one of these states on."""
        furthest = 0
        stack: list[Iterator[_Node]] = [iter([_Node(0, state, 0, 0) for state in initial])]
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
                continue
            node = self._settled(node)
            if node.at == len(self.returns):
                return _Found(True)
            furthest = max(furthest, node.at)
            if self._is_new(node):
                self.states += 1
                if self.states > self.states_max:
                    return _Found(None)
                stack.append(self._next(node))
        bit, pending = self.returns[furthest].bit, self.returns[furthest].pending
        return _Found(False, next(one for known, one in pending if known == bit))

    def _settled(self, node: _Node) -> _Node:
        """With all placed that change nothing, and as far as all that return are placed.

        Placing what changes nothing keeps nobody from anything.
        """
        at, state, placed, owed = node.at, node.state, node.placed, node.owed
        step = self.model.step
        while at < len(self.returns):
            following = self.returns[at]
            for bit, one in following.pending:
                if placed & bit or not changes_nothing(one) or step(state, one) != state:
                    continue
                placed |= bit
                if owed is not None and step(owed[0], one) is IMPOSSIBLE:
                    owed = None
            if not placed & following.bit:
                break
            placed ^= following.bit
            at += 1
        return _Node(at, state, placed, node.used, owed)

    def _is_new(self, node: _Node) -> bool:
        """Whether nothing was tried that could do at least as much."""
        met = self.seen.setdefault((node.at, node.state, node.placed, node.owed), [])
        if any(used & node.used == used for used in met):
            return False
        met.append(node.used)
        return True

    def _next(self, node: _Node) -> Iterator[_Node]:
        """Who may be placed next; first the one that returns first, unknown ones last."""
        following = self.returns[node.at]
        open_ = [(bit, one) for bit, one in following.pending if not node.placed & bit]
        for bit, one in open_:
            after = self.model.step(node.state, one)
            if not isinstance(after, Never) and self._is_use(node, one):
                yield _Node(node.at, after, node.placed | bit, node.used)
        for number in range(following.unknown):
            bit, before = 1 << number, self.before[number]
            if node.used & bit or (before is not None and not node.used >> before & 1):
                continue
            after = self.model.step(node.state, self.unknown[number])
            if isinstance(after, Never) or after == node.state:
                continue
            if self._may_follow(node, number) and self._serves(after, open_, following.unknown):
                yield _Node(node.at, after, node.placed, node.used | bit, self._owed(node, number))

    def _owed(self, node: _Node, number: int) -> tuple[Hashable, int] | None:
        if self.model.doubt is Doubt.ORDERED:
            return None
        return (node.state, number if self.model.doubt is Doubt.COMMUTES else -1)

    def _is_use(self, node: _Node, one: Operation) -> bool:
        """Whether the unknown operation right before was there for this one."""
        return node.owed is None or self.model.step(node.owed[0], one) is IMPOSSIBLE

    def _may_follow(self, node: _Node, number: int) -> bool:
        if node.owed is None:
            return True
        if self.model.doubt is Doubt.COMMUTES:
            return number > node.owed[1]
        return self._is_use(node, self.unknown[number])

    def _serves(self, after: Hashable, open_: Sequence[tuple[int, Operation]], count: int) -> bool:
        """Whether a state that an unknown operation makes leads anywhere."""
        if self.model.doubt is Doubt.ORDERED:
            return True
        if any(self.model.serves(after, one) for _, one in open_):
            return True
        if self.model.doubt is Doubt.COMMUTES:
            return False
        if (served := self.served.get((after, count))) is None:
            served = any(self.model.serves(after, one) for one in self.unknown[:count])
            self.served[after, count] = served
        return served


def _alike(unknown: Sequence[Operation]) -> list[int | None]:
    """For each the one before it that would do the same: that one may as well be first."""
    last: dict[tuple[str, str], int] = {}
    before: list[int | None] = []
    for number, one in enumerate(unknown):
        does = (one.f, repr(one.input))
        before.append(last.get(does))
        last[does] = number
    return before


def _returns(certain: Sequence[Operation], unknown: Sequence[Operation]) -> list[_Return]:
    """The returns in their order; what is called at the time of a return is called before it."""
    calls = sorted(certain, key=lambda one: one.call)
    returns: list[_Return] = []
    pending: dict[int, tuple[int, Operation]] = {}  # id -> bit, operation
    free: list[int] = []
    called = doubtful = bits = 0
    for one in sorted(certain, key=lambda one: (one.returned or 0, one.call)):
        assert one.returned is not None, "it is certain"
        while called < len(calls) and calls[called].call <= one.returned:
            if not free:
                free.append(1 << bits)
                bits += 1
            pending[id(calls[called])] = (free.pop(), calls[called])
            called += 1
        while doubtful < len(unknown) and unknown[doubtful].call <= one.returned:
            doubtful += 1
        first_to_return = sorted(pending.values(), key=lambda each: each[1].returned or 0)
        bit, _ = pending.pop(id(one))
        returns.append(_Return(bit, tuple(first_to_return), doubtful))
        free.append(bit)
    return returns


def _narrowed(
    prefix: Sequence[Operation], last: Operation, model: Model, states_max: int
) -> list[Operation] | None:
    """As few as cannot be explained, whatever the state was before; None if that takes them all."""
    known = _as_of(prefix, last)

    def is_wrong(some: Sequence[Operation]) -> bool:
        states = model.states(some)
        found = None if states is None else _Search(some, model, states_max).run(states)
        return found is not None and found.explained is False

    starts = sorted({one.call for one in known if one.returned is not None})
    low, high = len(starts), len(starts)  # from starts[low] on they cannot be explained
    while low == high or not is_wrong(_since(known, starts[low])):
        if low == 0:
            return None
        low, high = max(0, low - max(4, len(starts) - low)), low
    while high - low > 1:
        middle = (low + high) // 2
        if is_wrong(_since(known, starts[middle])):
            low = middle
        else:
            high = middle
    kept = _since(known, starts[low])
    if len(kept) <= NARROWED_MAX:
        for one in [each for each in kept if each.returned is not None]:
            rest = [*(each for each in kept if each is not one), *_in_doubt(one)]
            if is_wrong(rest):
                kept = rest
    return [one for one in kept if one.returned is not None]


def _as_of(prefix: Sequence[Operation], last: Operation) -> list[Operation]:
    """What was known of operations when `last` returned."""
    assert last.returned is not None, "it has returned"
    known: list[Operation] = []
    for one in prefix:
        is_over = one.returned is None or one.returned <= last.returned
        known += [one] if is_over else _in_doubt(one)
    return known


def _since(known: Sequence[Operation], start: int) -> list[Operation]:
    """Those called since then; what was under way may have happened before, since, or not."""
    since: list[Operation] = []
    for one in known:
        if one.returned is None or one.call >= start:
            since.append(one)
        elif one.returned >= start:
            since += _in_doubt(one)
    return since


def _in_doubt(one: Operation) -> list[Operation]:
    """An operation, if nobody had been told of it; none if it changes nothing."""
    return [] if changes_nothing(one) else [replace(one, returned=None, ok=None)]
