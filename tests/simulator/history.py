"""What clients saw, and whether one register each could have answered so.

Two judges. The index witness trusts the command indexes that came with the answers: sorted by them,
every answer must be what a plain replay gives, and no operation may come before one that had
returned when it was called. The search (Wing, Gong, Lowe; with a memo) trusts only the clients.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

READ, PUT, CAS, ADD = "read", "put", "cas", "add"
STATES_MAX = 200_000  # of one search; beyond it the key counts as not judged
NEVER = float("inf")


@dataclass(slots=True)
class Operation:
    """One call of a client. `ok`: True done, False surely without effect, None unknown."""

    uid: int
    client: int
    key: str
    verb: str
    given: tuple[int, ...]
    called_at: float
    returned_at: float = NEVER
    ok: bool | None = None
    answer: tuple[bool, int] | None = None  # (was it done, what the register held)
    command_index: int = 0

    def to_json(self) -> str:
        """One line for any checker."""
        returned = None if self.returned_at == NEVER else int(self.returned_at * 1_000_000)
        line: dict[str, Any] = {"client": self.client, "key": self.key, "f": self.verb}
        line |= {"in": list(self.given), "out": self.answer and self.answer[1], "ok": self.ok}
        line |= {"call": int(self.called_at * 1_000_000), "return": returned}
        return json.dumps(line | {"index": self.command_index})


def stepped(verb: str, given: Sequence[int], value: int) -> tuple[int, tuple[bool, int]]:
    """What a register holds after an operation, and what it answers."""
    if verb == PUT:
        return given[0], (True, value)
    if verb == CAS:
        return (given[1], (True, value)) if value == given[0] else (value, (False, value))
    if verb == ADD:
        return value + given[0], (True, value)
    return value, (True, value)


def index_complaint(
    operations: Iterable[Operation], commands: Mapping[int, tuple[int, str, str, tuple[int, ...]]]
) -> str | None:
    """What is wrong with the indexes. `commands`: command index -> (uid, verb, key, given)."""
    done = [operation for operation in operations if operation.ok]
    reads: dict[int, list[Operation]] = {}
    writes: dict[int, Operation] = {}
    for operation in done:
        if operation.verb == READ:
            reads.setdefault(operation.command_index, []).append(operation)
        else:
            writes[operation.command_index] = operation
    registers: dict[str, int] = {}
    for at in range(0, max([0, *commands, *reads]) + 1):
        if at in commands:
            uid, verb, key, given = commands[at]
            registers[key], answer = stepped(verb, given, registers.get(key, 0))
            write = writes.pop(at, None)
            if write is not None and (write.uid, write.answer) != (uid, answer):
                return f"{write} was answered for command {at}, which is {uid}: {answer}"
        for read in reads.get(at, ()):
            if read.answer != (True, registers.get(read.key, 0)):
                return f"{read} should have seen {registers.get(read.key, 0)}"
    if writes:
        return f"{next(iter(writes.values()))} is answered, and there is no such command"
    return _order_complaint(done)


def _order_complaint(done: Sequence[Operation]) -> str | None:
    calls = sorted(done, key=lambda operation: operation.called_at)
    returns = sorted(done, key=lambda operation: operation.returned_at)
    newest: Operation | None = None
    at = 0
    for operation in calls:
        while at < len(returns) and returns[at].returned_at < operation.called_at:
            if newest is None or returns[at].command_index > newest.command_index:
                newest = returns[at]
            at += 1
        if newest is None:
            continue
        least = newest.command_index + (0 if operation.verb == READ else 1)
        if operation.command_index < least:
            return f"{operation} comes before {newest}, which had returned"
    return None


def search_complaint(operations: Sequence[Operation]) -> str | None:
    """Whether no order of one key's operations explains the answers; None if one does."""
    certain = [operation for operation in operations if operation.ok]
    unknown = [op for op in operations if op.ok is None and op.verb != READ]
    found = _search(certain, unknown)
    if found is False:
        return "no order explains " + "; ".join(map(str, sorted(certain, key=_called_at)))
    return None


def _called_at(operation: Operation) -> float:
    return operation.called_at


def _search(certain: list[Operation], unknown: list[Operation]) -> bool | None:
    """Depth first, over (which are done, what the register holds)."""
    operations = sorted(certain, key=_called_at) + sorted(unknown, key=_called_at)
    needed = (1 << len(certain)) - 1
    seen: set[tuple[int, int]] = set()
    stack = [(0, 0)]
    while stack:
        done, value = stack.pop()
        if done & needed == needed:
            return True
        if (done, value) in seen:
            continue
        seen.add((done, value))
        if len(seen) > STATES_MAX:
            return None
        horizon = NEVER
        for at, operation in enumerate(operations[: len(certain)]):
            if operation.called_at > horizon:
                break
            if not done >> at & 1:
                horizon = min(horizon, operation.returned_at)
        for at, operation in enumerate(operations):
            if done >> at & 1 or operation.called_at > horizon:
                continue
            after, answer = stepped(operation.verb, operation.given, value)
            if operation.ok and answer != operation.answer:
                continue
            if operation.ok is None and after == value:
                continue
            stack.append((done | 1 << at, after))
    return False
