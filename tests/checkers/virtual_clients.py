"""Clients of one thing in virtual time: histories that are right by construction.

One seed makes one history. `spoiled` makes one wrong.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from random import Random
from typing import Any, TypeVar

from quoth_node.testing.history import Operation

T = TypeVar("T")
Ask = tuple[str, str, tuple[Any, ...]]  # key, f, input
Answer = tuple[bool, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """How often things go wrong, and how long they take."""

    unknown: float = 0.05
    failed: float = 0.05
    took_max: int = 200
    late_max: int = 2_000  # how late an unknown one may take effect


TROUBLE = Trouble()


def histories(
    seed: int,
    *,
    clients: int,
    count: int,
    ask: Callable[[Random, int], Ask],
    act: Callable[[Ask], Answer],
    trouble: Trouble = TROUBLE,
) -> list[Operation]:
    """`ask` gives what a client does next; `act` does it, at one moment, and gives the answer.

    What changes the thing is counted, and the count is the index that its answer carries.
    """
    chance = Random(f"virtual clients {seed}")
    waiting: list[tuple[int, int, int, Ask | None, Any]] = []  # time, tie, client, ask, call
    for client in range(clients):
        heappush(waiting, (chance.randint(0, 50), client, client, None, None))
    done: list[Operation] = []
    begun = index = 0
    tie = clients
    while waiting:
        time, _, client, asked, effect = heappop(waiting)
        tie += 1
        if asked is None:
            if begun == count:
                continue
            begun += 1
            asked = ask(chance, client)
            key, f, given = asked
            end = time + chance.randint(1, trouble.took_max)
            fate = chance.random()
            heappush(waiting, (end + chance.randint(1, 20), tie, client, None, None))
            plain = Operation(client=client, key=key, f=f, input=given, call=time)
            if fate < trouble.unknown:
                done.append(plain)
                if chance.random() < 0.5:
                    at = time + chance.randint(0, trouble.late_max)
                    heappush(waiting, (at, -tie, client, asked, None))
            elif fate < trouble.unknown + trouble.failed and f not in ("read", "cas"):
                done.append(replace(plain, returned=end, ok=False))
            else:
                at = chance.randint(time, end)
                heappush(waiting, (at, -tie, client, asked, replace(plain, returned=end, ok=True)))
            continue
        ok, output = act(asked)
        index += asked[1] != "read"
        if effect is not None:
            done.append(replace(effect, ok=ok, output=output, index=index))
    return sorted(done, key=lambda one: one.call)


def spoiled(history: Iterable[Operation], one: Operation, **changes: Any) -> list[Operation]:
    """With one operation changed."""
    return [replace(each, **changes) if each is one else each for each in history]


def some(chance: Random, found: Iterable[T]) -> T:
    """One of these; there must be one."""
    return chance.choice(list(found))
