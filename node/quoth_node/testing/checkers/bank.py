"""Money that only moves: whether every reader saw all of a transfer or none of it. Pure.

"transfer" of [from, to, amount]; "read" gives a balance for each account: {account: balance}. Who
carries the index of the log is also replayed in the order of the log, to the last coin: transfers
whose outcome nobody told may have happened at any time after they were called, or never.
"""

from collections.abc import Iterator, Mapping, Sequence

from quoth_node.testing.checkers.index_witness import given_twice, out_of_order
from quoth_node.testing.checkers.verdict import UNDECIDED, Violation
from quoth_node.testing.history import Operation

EXPLANATIONS_MAX = 10_000  # of one read, by transfers that may have happened


def check(operations: Sequence[Operation], *, initial: Mapping[str, int]) -> list[Violation]:
    """`initial` are the balances before all. One violation of a kind for each read.

    wrong-accounts, wrong-total, negative-balance; index-given-twice, index-order, wrong-balances.
    """
    reads = [one for one in operations if one.f == "read" and one.ok]
    violations = [violation for read in reads for violation in _of_read(read, initial)]
    transfers = [one for one in operations if one.f == "transfer" and one.ok is not False]
    placed = [one for one in (*transfers, *reads) if one.index is not None]
    key = operations[0].key if operations else ""
    for wrong in (given_twice(key, placed), out_of_order(key, placed)):
        violations += [] if wrong is None else [wrong]
    if not violations and all(one.index is not None for one in transfers if one.ok):
        violations += _replayed(key, placed, [one for one in transfers if not one.ok], initial)
    return violations


def _of_read(read: Operation, initial: Mapping[str, int]) -> Iterator[Violation]:
    balances: dict[str, int] = read.output
    total = sum(initial.values())
    if set(balances) != set(initial):
        strange = sorted(set(balances) ^ set(initial))
        yield _said("wrong-accounts", read, f"{', '.join(strange)} too much or missing")
    elif sum(balances.values()) != total:
        yield _said("wrong-total", read, f"{sum(balances.values())} in all, and there are {total}")
    for account in sorted(name for name, balance in balances.items() if balance < 0):
        yield _said("negative-balance", read, f"{account} has {balances[account]}")


def _said(anomaly: str, read: Operation, told: str, *before: Operation) -> Violation:
    return Violation(anomaly=anomaly, key=read.key, told=told, evidence=(*before, read))


def _replayed(
    key: str,
    placed: Sequence[Operation],
    unknown: Sequence[Operation],
    initial: Mapping[str, int],
) -> Iterator[Violation]:
    """Stops at the first read that no choice of unknown transfers explains."""
    balances = dict(initial)
    happened: set[int] = {0}  # every choice of unknown transfers that explains all reads so far
    last: Operation | None = None
    for one in sorted(placed, key=lambda each: (each.index, each.f == "read")):
        if one.f == "transfer":
            _move(balances, one)
            last = one
            continue
        assert one.returned is not None, "it is done"
        possible = [n for n, other in enumerate(unknown) if other.call <= one.returned]
        found: set[int] = set()
        for choice in happened:
            found |= _explanations(balances, one.output, unknown, possible, choice)
            if len(found) > EXPLANATIONS_MAX:
                told = f"more than {EXPLANATIONS_MAX} choices of unknown transfers explain a read"
                yield Violation(anomaly=UNDECIDED, key=key, told=told, evidence=(one,))
                return
        if not found:
            wrong = sorted(name for name in balances if balances[name] != one.output[name])
            told = f"{', '.join(wrong)} do not have what transfers until index {one.index} left"
            yield _said("wrong-balances", one, told, *([] if last is None else [last]))
            return
        happened = _least(found)


def _move(balances: dict[str, int], one: Operation, sign: int = 1) -> None:
    source, target, amount = one.input
    balances[source] -= sign * amount
    balances[target] += sign * amount


def _explanations(
    balances: Mapping[str, int],
    seen: Mapping[str, int],
    unknown: Sequence[Operation],
    possible: Sequence[int],
    choice: int,
) -> set[int]:
    """The choices that hold this one and give what was seen. Each step mends one account."""
    left = {name: seen[name] - balance for name, balance in balances.items()}
    for number, one in enumerate(unknown):
        if choice >> number & 1:
            _move(left, one, -1)
    found: set[int] = set()
    tried: set[int] = set()
    waiting = [(choice, left)]
    while waiting and len(tried) <= EXPLANATIONS_MAX:
        chosen, left = waiting.pop()
        if chosen in tried:
            continue
        tried.add(chosen)
        wrong = next((name for name, amount in left.items() if amount), None)
        if wrong is None:
            found.add(chosen)
            continue
        for number in possible:
            one = unknown[number]
            if not chosen >> number & 1 and wrong in one.input[:2]:
                rest = dict(left)
                _move(rest, one, -1)
                waiting.append((chosen | 1 << number, rest))
    return found if len(tried) <= EXPLANATIONS_MAX else set(range(EXPLANATIONS_MAX + 1))


def _least(choices: set[int]) -> set[int]:
    """Without those that hold another: what did not happen yet may still happen."""
    least: list[int] = []
    for choice in sorted(choices, key=int.bit_count):
        if not any(choice & other == other for other in least):
            least.append(choice)
    return set(least)
