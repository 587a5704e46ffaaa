"""A save that waited for replication is on as many nodes as it waited for. Pure.

"save" of [value, replicas] on a key: when it is done, `replicas` nodes besides its own (`node`;
empty if nobody knows which it was) had applied it. "local": what one node (`node`) has of the key,
-1 or none for nothing, read when the nodes named in its input were dead. Who had applied a save has
it later, too.

With m other nodes and r of them promised, at most m - r of them may ever be seen without it: with k
of the others dead that leaves r - k survivors, at least, that have it.
"""

from collections.abc import Iterator, Sequence

from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import ABSENT, Operation, by_key


def check(operations: Sequence[Operation], *, nodes: int | None = None) -> list[Violation]:
    """`nodes` are all that hold the database, dead or not; without it all of whom there is a word.

    broken-promise: too many nodes are without a save; lost-by-writer: its own node is; phantom:
    nobody had saved it; failed-save-present.
    """
    if nodes is None:
        asked = {one.node for one in operations if one.node}
        nodes = len(asked.union(*(_killed(one) for one in operations if one.f == "local")))
    return [
        violation
        for key, part in by_key(operations).items()
        for violation in _of_key(key, part, nodes)
    ]


def _of_key(key: str, operations: Sequence[Operation], nodes: int) -> Iterator[Violation]:
    saves = [one for one in operations if one.f == "save"]
    looks = [one for one in operations if one.f == "local" and one.ok]
    for look in looks:
        yield from _is_saved(key, look, saves)
    for save in saves:
        if save.ok:
            yield from _is_kept(key, save, looks, saves, nodes)


def _is_saved(key: str, look: Operation, saves: Sequence[Operation]) -> Iterator[Violation]:
    assert look.returned is not None, "it is done"
    if _value(look) == ABSENT:
        return
    made = [one for one in saves if one.input[0] == look.output and one.call <= look.returned]
    if not made:
        told = f"{look.node} has {look.output}, and nobody had saved it"
        yield Violation(anomaly="phantom", key=key, told=told, evidence=(look,))
    elif all(one.ok is False for one in made):
        told = f"{look.node} has {look.output}, and its save failed"
        yield Violation(anomaly="failed-save-present", key=key, told=told, evidence=(made[0], look))


def _is_kept(
    key: str,
    save: Operation,
    looks: Sequence[Operation],
    saves: Sequence[Operation],
    nodes: int,
) -> Iterator[Violation]:
    assert save.returned is not None, "it is done"
    older = {ABSENT, *(one.input[0] for one in saves if _is_before(one, save))}
    older.discard(save.input[0])
    without: dict[str, Operation] = {}  # tag -> the first look at a node without it
    for look in looks:
        if look.call > save.returned and _value(look) in older:
            without.setdefault(look.node, look)
    value, replicas = save.input
    own = without.pop(save.node, None)
    if own is not None:
        told = f"{save.node} acknowledged {value}, and has {own.output}"
        yield Violation(anomaly="lost-by-writer", key=key, told=told, evidence=(save, own))
    # If nobody knows its own node, one of those that have it was that.
    others = nodes - 1 if save.node else nodes
    promised = replicas if save.node else replicas + 1
    if len(without) > others - promised:
        killed = sorted({tag for look in without.values() for tag in _killed(look)})
        dead = f" when {', '.join(killed)} were dead" if killed else ""
        told = (
            f"{value} was promised to {promised} of {others} nodes, and"
            f" {', '.join(sorted(without))} did not have it{dead}"
        )
        evidence = (save, *without.values())
        yield Violation(anomaly="broken-promise", key=key, told=told, evidence=evidence)


def _is_before(one: Operation, save: Operation) -> bool:
    """Whether a save was surely over before another was called."""
    return one.returned is not None and one.returned < save.call


def _killed(look: Operation) -> list[str]:
    """Who was dead at a look."""
    named = look.input[0] if look.input and not isinstance(look.input[0], str) else look.input
    return list(named)


def _value(look: Operation) -> object:
    return ABSENT if look.output is None else look.output
