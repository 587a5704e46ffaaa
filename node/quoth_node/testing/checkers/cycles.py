"""Who had to come before whom, and where that goes round in a circle. Pure.

The names are of Adya (Weak consistency, 1999) and of Elle (Kingsbury and Alvaro, 2020):

    G0         writes over writes (ww) only
    G1c        ... and reads of what was written (wr)
    G-single   ... and one read of what was written over later (rw)
    G2-item    more than one of those
    -realtime  is added if the circle needs that one was over before another was called
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import IntFlag
from heapq import heapify, heappop, heappush


class Edge(IntFlag):
    """Why one comes before another."""

    NONE = 0
    WW = 1
    WR = 2
    RW = 4
    REALTIME = 8


NAMES = ("G0", "G1c", "G-single", "G2-item")
SUFFIX = "-realtime"
TRIED_MAX = 100  # edges for which the shortest circle is looked for, if all of them have one


@dataclass(slots=True)
class Graph:
    """Numbers and the edges between them."""

    out: list[dict[int, Edge]] = field(default_factory=list)

    def grow(self, count: int) -> None:
        """Have numbers below `count`."""
        self.out += [{} for _ in range(count - len(self.out))]

    def add(self, before: int, after: int, kind: Edge) -> None:
        """One comes before another; nobody comes before himself."""
        if before != after:
            out = self.out[before]
            out[after] = out.get(after, Edge.NONE) | kind


@dataclass(frozen=True, slots=True)
class Circle:
    """Each comes before the next one, and the last before the first; `why` is what follows each."""

    name: str
    numbers: tuple[int, ...]
    why: tuple[Edge, ...]


def circles(graph: Graph, forbidden: Collection[str]) -> Iterator[Circle]:
    """One circle, of the first forbidden kind there is, for each knot of the graph.

    Those that need real time are looked for last, and not where there is another one already.
    """
    shown: set[int] = set()
    for clock in (Edge.NONE, Edge.REALTIME):
        suffix = SUFFIX if clock else ""
        names = [name for name in NAMES if name + suffix in forbidden]
        if not names:
            continue
        for knot in knots(graph, Edge.WW | Edge.WR | Edge.RW | clock):
            if shown.isdisjoint(knot) and (found := _in_knot(graph, knot, names, clock)):
                shown.update(found)
                yield _named(graph, found, clock)


def _in_knot(
    graph: Graph, knot: list[int], names: Collection[str], clock: Edge
) -> list[int] | None:
    inside = set(knot)
    if "G0" in names and (found := _closed(graph, inside, Edge.WW, Edge.WW | clock)):
        return found
    reads = Edge.WW | Edge.WR | clock
    if "G1c" in names and (found := _closed(graph, inside, Edge.WR, reads)):
        return found
    if "G-single" in names and (found := _single(graph, inside, reads)):
        return found
    if "G2-item" in names:
        return _closed(graph, inside, Edge.RW, reads | Edge.RW)
    return None


def _named(graph: Graph, numbers: list[int], clock: Edge) -> Circle:
    """Of each edge the kind that proves most."""
    kinds = (Edge.WW, Edge.WR, Edge.RW, Edge.REALTIME)
    why = tuple(
        next(kind for kind in kinds if graph.out[one][after] & kind)
        for one, after in zip(numbers, [*numbers[1:], numbers[0]], strict=True)
    )
    anti = why.count(Edge.RW)
    name = NAMES[1 + min(anti, 2)] if anti else NAMES[Edge.WR in why]
    return Circle(name + (SUFFIX if Edge.REALTIME in why else ""), tuple(numbers), why)


def _closed(graph: Graph, inside: set[int], kind: Edge, mask: Edge) -> list[int] | None:
    """A short circle by such edges (`mask`), one of which is of a kind."""
    best: list[int] | None = None
    tried = 0
    for knot in knots(graph, mask, inside):
        part = set(knot)
        for before in knot:
            for after, why in graph.out[before].items():
                if why & kind and after in part and tried < TRIED_MAX:
                    tried += 1
                    path = _path(graph, after, before, mask, part)
                    if path is not None and (best is None or len(path) < len(best)):
                        best = path
    return best


def _single(graph: Graph, inside: set[int], mask: Edge) -> list[int] | None:
    """A short circle of one read that was written over; the rest (`mask`) has no circle itself.

    Whoever wrote over it comes before the reader, so only edges against an order of the rest count.
    """
    place = _ordered(graph, inside, mask)
    back = [
        (place[before] - place[after], before, after)
        for before in inside
        for after, why in graph.out[before].items()
        if why & Edge.RW and after in inside and place[after] < place[before]
    ]
    for _, before, after in sorted(back):
        part = {one for one in inside if place[after] <= place[one] <= place[before]}
        if path := _path(graph, after, before, mask, part):
            return path
    return None


def _ordered(graph: Graph, inside: set[int], mask: Edge) -> dict[int, int]:
    """An order that agrees with edges (Kahn), smaller numbers first where it may choose.

    Where edges go in a circle, all of it has one place, and it is not looked into.
    """
    left = dict.fromkeys(inside, 0)
    for before in inside:
        for after, why in graph.out[before].items():
            if why & mask and after in left:
                left[after] += 1
    ready = [one for one in inside if not left[one]]
    heapify(ready)
    place: dict[int, int] = {}
    while ready:
        one = heappop(ready)
        place[one] = len(place)
        for after, why in graph.out[one].items():
            if why & mask and after in left:
                left[after] -= 1
                if not left[after]:
                    heappush(ready, after)
    return {one: place.get(one, len(inside)) for one in inside}


def _path(graph: Graph, start: int, goal: int, mask: Edge, inside: set[int]) -> list[int] | None:
    """The shortest way, both ends included."""
    came: dict[int, int] = {start: start}
    waiting = deque([start])
    while waiting:
        one = waiting.popleft()
        if one == goal:
            path = [goal]
            while path[-1] != start:
                path.append(came[path[-1]])
            return path[::-1]
        for after, why in graph.out[one].items():
            if why & mask and after in inside and after not in came:
                came[after] = one
                waiting.append(after)
    return None


def knots(graph: Graph, mask: Edge, inside: Collection[int] | None = None) -> list[list[int]]:
    """Numbers that all come before each other (Tarjan's strongly connected components, 1972)."""
    within = range(len(graph.out)) if inside is None else inside
    found: list[list[int]] = []
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    for root in within:
        if root in number:
            continue
        number[root] = low[root] = len(number)
        path.append(root)
        on_path.add(root)
        work = [(root, iter(graph.out[root].items()))]
        while work:
            one, edges = work[-1]
            for after, why in edges:
                if not why & mask or after not in within:
                    continue
                if after not in number:
                    number[after] = low[after] = len(number)
                    path.append(after)
                    on_path.add(after)
                    work.append((after, iter(graph.out[after].items())))
                    break
                if after in on_path:
                    low[one] = min(low[one], number[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[one])
                if low[one] == number[one]:
                    knot = [path.pop()]
                    while knot[-1] != one:
                        knot.append(path.pop())
                    on_path.difference_update(knot)
                    if len(knot) > 1:
                        found.append(sorted(knot))
    return found
