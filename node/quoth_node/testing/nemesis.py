"""Does to a cluster what a schedule says, and writes down what it did.

    nemesis = Nemesis(cluster, leaders=leaders, now=clock)
    nemesis.play(schedule(Random(1), ("kill", "cut")), seconds=60)   # in a thread of its own
    nemesis.recover()

Each fault is undone before the next begins, but for a kill or a pause within a fault of the
network. `Fault.at` is when it was done, `Fault.until` when its undoing began: what it takes a
process to start belongs to the time after it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from threading import Event
from typing import Any, Protocol

from quoth_node.testing.clock import monotonic
from quoth_node.testing.history import Fault
from quoth_node.testing.leaders import Leaders, leading
from quoth_node.testing.network import CannotFault
from quoth_node.testing.schedule import CALM, LEADER, ONE, Planned
from quoth_node.testing.targets import Link, cut_off, picked, severed

FLAP_SECONDS = (0.1, 0.8)
BEFORE_WITHIN_SHARE = 0.3  # of a fault, before what is begun within it
NODES_MIN_TO_REMOVE = 3
TAGS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Victim(Protocol):
    """What a nemesis needs of a `Cluster`."""

    @property
    def tags(self) -> list[str]: ...
    def log_status(self, tag: str) -> dict[str, Any] | None: ...
    def kill(self, *tags: str) -> None: ...
    def pause(self, tag: str) -> None: ...
    def resume(self, *tags: str) -> None: ...
    def cut(self, a: str, b: str, *, one_way: bool = False) -> None: ...
    def delay(
        self, a: str, b: str, *, milliseconds: float, jitter_milliseconds: float = 0
    ) -> None: ...
    def lose(self, a: str, b: str, *, percent: float) -> None: ...
    def stall(self, a: str, b: str) -> None: ...
    def reset(self, a: str, b: str) -> None: ...
    def heal(self) -> None: ...
    def power_loss(self, *tags: str) -> object: ...
    def restart(self, *tags: str) -> None: ...
    def wait_until_ready(self, *tags: str) -> None: ...
    def add(self, tag: str) -> object: ...
    def remove(self, tag: str) -> object: ...


def _nothing() -> None:
    """Undo what needs no undoing."""


@dataclass(slots=True)
class Begun:
    """A fault under way, and how to end it."""

    fault: Fault
    undo: Callable[[], None] = _nothing
    hold: Callable[[float], None] | None = None  # what to do meanwhile; None: wait


@dataclass(slots=True)
class Nemesis:
    """One for a run. All but `stop` are called by one thread."""

    cluster: Victim
    leaders: Leaders
    now: Callable[[], int]  # whole microseconds since the run began
    say: Callable[[str], None] = lambda told: None  # progress, for a person
    faults: list[Fault] = field(default_factory=list)  # ended ones, and those open
    cannot: Counter[str] = field(default_factory=Counter)  # sentences on what is not possible here
    _stopped: Event = field(default_factory=Event)
    _open: list[Begun] = field(default_factory=list)

    def stop(self) -> None:
        """Let `play` undo what is open, and return."""
        self._stopped.set()

    def play(self, plans: Iterator[Planned], *, seconds: float) -> None:
        """Do what comes out of `plans` for so long; at the end nothing is left undone.

        Raises what the cluster raises when it cannot do or undo a fault: TimeoutError if a node
        does not come back. What is open then, `recover` ends.
        """
        deadline = monotonic() + seconds
        while not self._stopped.is_set() and (left := deadline - monotonic()) > 0:
            planned = next(plans)
            planned = replace(planned, lasts_seconds=min(planned.lasts_seconds, left))
            if planned.family == CALM:
                self._stopped.wait(planned.lasts_seconds)
            else:
                self._suffer(planned)

    def recover(self) -> None:
        """End every fault, also of a `play` that failed; start what is down, until all are well.

        Raises TimeoutError if a node does not get well.
        """
        for begun in self._open:
            self._close(begun)
        self._open.clear()
        self.cluster.heal()
        self.cluster.resume()
        self.cluster.restart()
        self.cluster.wait_until_ready()  # also one that runs, and is no member any more

    def _suffer(self, planned: Planned) -> None:
        if not self._begin(planned):
            return
        seconds = planned.lasts_seconds
        if planned.within is None:
            self._hold(seconds)
        else:
            self._hold(seconds * BEFORE_WITHIN_SHARE)
            self._begin(planned.within)
            self._hold(seconds * (1 - BEFORE_WITHIN_SHARE))
        # The first first: a node that starts waits for a leader, which a cut may keep away.
        while self._open:
            self._close(self._open[0])
            self._open.pop(0).undo()

    def _begin(self, planned: Planned) -> bool:
        chance = Random(planned.draw)
        tags = list(self.cluster.tags)
        leader = self._leader(tags)
        begin = BEGINNINGS.get(planned.kind, Nemesis._network)
        try:
            begun = begin(self, planned, tags, leader, chance)
        except CannotFault as error:
            self.cannot[str(error)] += 1
            self.cluster.heal()  # of several links, some may be cut
            return False
        self._open.append(begun)
        fault = begun.fault
        self.say(f"{fault.fault} {' '.join(fault.on)} {fault.told}".strip())
        return True

    def _hold(self, seconds: float) -> None:
        hold = self._open[0].hold or self._stopped.wait
        hold(seconds)

    def _close(self, begun: Begun) -> None:
        self.faults.append(replace(begun.fault, until=max(self.now(), begun.fault.at)))

    def _leader(self, tags: list[str]) -> str | None:
        statuses = [self.cluster.log_status(tag) for tag in tags]
        self.leaders.hear(statuses, at=self.now())
        found = leading(statuses)
        return found[0] if found else None

    def _fault(self, planned: Planned, on: tuple[str, ...], told: str = "") -> Fault:
        return Fault(fault=planned.kind, on=on, at=self.now(), told=told)

    def _kill(self, planned: Planned, tags: list[str], leader: str | None, chance: Random) -> Begun:
        meant = picked(planned.whom, tags, leader, chance)
        self.cluster.kill(*meant)
        return Begun(self._fault(planned, meant), lambda: self.cluster.restart(*meant))

    def _pause(
        self, planned: Planned, tags: list[str], leader: str | None, chance: Random
    ) -> Begun:
        meant = picked(planned.whom, tags, leader, chance)
        for tag in meant:
            self.cluster.pause(tag)
        return Begun(self._fault(planned, meant), lambda: self.cluster.resume(*meant))

    def _power_loss(
        self, planned: Planned, tags: list[str], leader: str | None, chance: Random
    ) -> Begun:
        meant = picked(planned.whom, tags, leader, chance)
        fault = self._fault(planned, meant)  # before: what is lost is settled after the kill
        lost = self.cluster.power_loss(*meant)
        return Begun(replace(fault, told=str(lost)), lambda: self.cluster.restart(*meant))

    def _add(self, planned: Planned, tags: list[str], leader: str | None, chance: Random) -> Begun:
        tag = next(letter for letter in TAGS if letter not in tags)
        fault = self._fault(planned, (tag,))
        self.cluster.add(tag)

        def take_away() -> None:
            self.cluster.remove(tag)

        return Begun(fault, take_away)

    def _remove(
        self, planned: Planned, tags: list[str], leader: str | None, chance: Random
    ) -> Begun:
        if len(tags) < NODES_MIN_TO_REMOVE:
            raise CannotFault(f"of {len(tags)} nodes none is removed")
        (tag,) = picked(LEADER if planned.whom == LEADER else ONE, tags, leader, chance)
        fault = self._fault(planned, (tag,))
        self.cluster.remove(tag)

        def bring_in() -> None:
            self.cluster.add(tag)  # anew, without its disk

        return Begun(fault, bring_in)

    def _replace(
        self, planned: Planned, tags: list[str], leader: str | None, chance: Random
    ) -> Begun:
        begun = self._remove(planned, tags, leader, chance)
        begun.undo()
        return Begun(begun.fault)

    def _network(
        self, planned: Planned, tags: list[str], leader: str | None, chance: Random
    ) -> Begun:
        links = severed(planned, tags, leader, chance)
        if not links:
            raise CannotFault("one node has no links")
        self._act_on(links, planned)
        told = ", ".join(f"{link.a}{'>' if link.one_way else '-'}{link.b}" for link in links)
        if planned.kind == "delay":
            told += f" by {planned.milliseconds} ms"
        if planned.kind == "loss":
            told += f" of {planned.percent} %"
        touched = tuple(sorted({tag for link in links for tag in (link.a, link.b)}))
        on = cut_off(links, tags) if planned.family == "cut" else touched
        hold = (lambda s: self._flap(links, planned, s)) if planned.kind == "flapping" else None
        return Begun(self._fault(planned, on or touched, told), self.cluster.heal, hold)

    def _act_on(self, links: tuple[Link, ...], planned: Planned) -> None:
        for link in links:
            match planned.kind:
                case "delay":
                    milliseconds = planned.milliseconds
                    self.cluster.delay(
                        link.a,
                        link.b,
                        milliseconds=milliseconds,
                        jitter_milliseconds=milliseconds // 4,
                    )
                case "loss":
                    self.cluster.lose(link.a, link.b, percent=planned.percent)
                case "stall":
                    self.cluster.stall(link.a, link.b)
                case "reset":
                    self.cluster.reset(link.a, link.b)
                case _:
                    self.cluster.cut(link.a, link.b, one_way=link.one_way)

    def _flap(self, links: tuple[Link, ...], planned: Planned, seconds: float) -> None:
        """Cut and healed again and again, ending cut."""
        chance = Random(planned.draw)
        deadline = monotonic() + seconds
        while not self._stopped.is_set() and (left := deadline - monotonic()) > 0:
            self._stopped.wait(min(left, chance.uniform(*FLAP_SECONDS)))
            self.cluster.heal()
            self._stopped.wait(max(0.0, min(deadline - monotonic(), chance.uniform(*FLAP_SECONDS))))
            self._act_on(links, planned)


BEGINNINGS = {
    "kill": Nemesis._kill,
    "pause": Nemesis._pause,
    "power-loss": Nemesis._power_loss,
    "add": Nemesis._add,
    "remove": Nemesis._remove,
    "replace": Nemesis._replace,
}
