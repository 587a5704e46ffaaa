"""What a nemesis does to a cluster, and that it undoes it."""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

import pytest

from quoth_node.testing.history import Fault
from quoth_node.testing.leaders import Leaders
from quoth_node.testing.nemesis import Nemesis
from quoth_node.testing.network import CannotFault
from quoth_node.testing.schedule import FAMILIES, Planned, calm, schedule

SHORT = 0.01


class Puppet:
    """A cluster that only remembers what was done to it. A leads."""

    def __init__(self, *, network: bool = True) -> None:
        self.tags = ["A", "B", "C"]
        self.calls: list[str] = []
        self.down: set[str] = set()
        self.paused: set[str] = set()
        self.links: list[str] = []
        self.network = network

    def log_status(self, tag: str) -> dict[str, Any] | None:
        if tag in self.down | self.paused:
            return None
        return {"NodeTag": tag, "Role": "Follower", "Leader": "A", "Term": 3}

    def kill(self, *tags: str) -> None:
        self.calls.append(f"kill {' '.join(tags)}")
        self.down |= set(tags)

    def power_loss(self, *tags: str) -> str:
        self.kill(*tags)
        return "12 bytes lost"

    def restart(self, *tags: str) -> None:
        self.calls.append(f"restart {' '.join(tags)}".strip())
        self.down -= set(tags or self.tags)

    def wait_until_ready(self, *tags: str) -> None:
        self.calls.append("wait_until_ready")

    def pause(self, tag: str) -> None:
        self.calls.append(f"pause {tag}")
        self.paused.add(tag)

    def resume(self, *tags: str) -> None:
        self.calls.append(f"resume {' '.join(tags)}".strip())
        self.paused -= set(tags or self.tags)

    def cut(self, a: str, b: str, *, one_way: bool = False) -> None:
        if not self.network:
            raise CannotFault("there is no network to cut")
        self.calls.append(f"cut {a}{b}")
        self.links.append(f"{a}{b}")

    def delay(self, a: str, b: str, *, milliseconds: float, jitter_milliseconds: float = 0) -> None:
        self.cut(a, b)

    def lose(self, a: str, b: str, *, percent: float) -> None:
        self.cut(a, b)

    def stall(self, a: str, b: str) -> None:
        self.cut(a, b)

    def reset(self, a: str, b: str) -> None:
        self.cut(a, b)

    def heal(self) -> None:
        self.calls.append("heal")
        self.links.clear()

    def add(self, tag: str) -> None:
        assert tag not in self.tags
        self.calls.append(f"add {tag}")
        self.tags = sorted([*self.tags, tag])

    def remove(self, tag: str) -> None:
        self.calls.append(f"remove {tag}")
        self.tags = [one for one in self.tags if one != tag]

    @property
    def is_whole(self) -> bool:
        return self.tags == ["A", "B", "C"] and not (self.down or self.paused or self.links)


def nemesis_of(cluster: Puppet) -> Nemesis:
    ticks = count(1)
    return Nemesis(cluster, Leaders(), lambda: next(ticks))


def play(cluster: Puppet, *plans: Planned) -> Nemesis:
    nemesis = nemesis_of(cluster)

    def and_then_stop() -> Iterator[Planned]:
        yield from plans
        nemesis.stop()
        yield calm(Random(1), (SHORT, SHORT))

    nemesis.play(and_then_stop(), seconds=60)
    return nemesis


def fault(
    family: str, kind: str, *, whom: str = "leader", within: Planned | None = None
) -> Planned:
    return Planned(family=family, kind=kind, whom=whom, lasts_seconds=SHORT, within=within)


def test_a_killed_leader_is_started_again_and_written_down() -> None:
    cluster = Puppet()
    nemesis = play(cluster, fault("kill", "kill"))
    assert cluster.calls == ["kill A", "restart A"]
    (written,) = nemesis.faults
    assert (written.fault, written.on) == ("kill", ("A",))
    assert written.until is not None and written.at < written.until
    assert [(led.leader, led.term) for led in nemesis.leaders.led] == [("A", 3)]


def test_a_node_killed_within_a_cut_starts_when_the_cut_is_healed() -> None:
    cluster = Puppet()
    nemesis = play(cluster, fault("cut", "isolate", within=fault("kill", "kill")))
    assert cluster.calls == ["cut AB", "cut AC", "kill A", "heal", "restart A"]
    assert [(one.fault, one.on) for one in nemesis.faults] == [
        ("isolate", ("A",)),
        ("kill", ("A",)),
    ]


def test_a_replaced_node_comes_back_at_once() -> None:
    cluster = Puppet()
    nemesis = play(cluster, fault("churn", "replace"))
    assert cluster.calls == ["remove A", "add A"]
    assert nemesis.faults[0].fault == "replace"


def test_what_is_lost_with_the_power_is_told() -> None:
    nemesis = play(Puppet(), fault("power", "power-loss", whom="all"))
    assert nemesis.faults[0].told == "12 bytes lost"
    assert nemesis.faults[0].on == ("A", "B", "C")


def test_a_flapping_link_is_cut_more_than_once() -> None:
    cluster = Puppet()
    flapping = Planned(family="cut", kind="flapping", whom="leader", lasts_seconds=2.0)
    nemesis = nemesis_of(cluster)
    nemesis.play(iter([flapping, calm(Random(1), (1, 1))]), seconds=2.0)
    assert cluster.calls.count("cut AB") > 1
    assert cluster.calls[-1] == "heal"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_fault_has_its_undoing(family: str) -> None:
    for seed in range(3):
        cluster = Puppet()
        plans = schedule(Random(seed), [family])
        # As they come, but fast.
        quick = [next(plans) for _ in range(40)]
        for planned in quick:
            if planned.kind not in ("calm", "flapping"):
                play(cluster, fault(planned.family, planned.kind, whom=planned.whom))
                assert cluster.is_whole, planned


def test_a_fault_that_this_cluster_cannot_do_is_counted_and_not_written_down() -> None:
    cluster = Puppet(network=False)
    nemesis = play(cluster, fault("cut", "isolate"), fault("kill", "kill"))
    assert nemesis.cannot == {"there is no network to cut": 1}
    assert [one.fault for one in nemesis.faults] == ["kill"]


def test_recovery_ends_what_a_failed_undoing_left(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Puppet()
    whole = cluster.restart

    def fail(*tags: str) -> None:
        raise TimeoutError("B is not back")

    monkeypatch.setattr(cluster, "restart", fail)
    nemesis = nemesis_of(cluster)
    broken = fault("cut", "isolate", within=fault("kill", "kill", whom="one"))
    with pytest.raises(TimeoutError, match="B is not back"):
        nemesis.play(iter([broken]), seconds=60)
    monkeypatch.setattr(cluster, "restart", whole)
    nemesis.recover()
    assert cluster.is_whole
    assert [one.fault for one in nemesis.faults] == ["isolate", "kill"]
    assert all(isinstance(one, Fault) and one.until is not None for one in nemesis.faults)


def test_recovery_waits_for_nodes_that_run_and_are_not_well() -> None:
    puppet = Puppet()
    nemesis = Nemesis(puppet, Leaders(), lambda: 0)
    nemesis.recover()
    assert puppet.calls[-1] == "wait_until_ready", "one that runs may be cut off from its log"
