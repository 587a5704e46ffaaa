"""How long nobody could write, out of a history."""

from quoth_node.testing.failover import (
    Gap,
    available_seconds,
    failovers,
    healings,
    percentile,
    without_majority,
)
from quoth_node.testing.history import Fault, History, Led, Operation

SECOND = 1_000_000


def wrote(call: float, returned: float, *, f: str = "put", ok: bool = True) -> Operation:
    at, until = int(call * SECOND), int(returned * SECOND)
    return Operation(client=1, key="k", f=f, call=at, returned=until, ok=ok)


def fault(kind: str, on: str, at: float, until: float | None) -> Fault:
    ended = None if until is None else int(until * SECOND)
    return Fault(fault=kind, on=tuple(on), at=int(at * SECOND), until=ended)


def history(faults: list[Fault], *operations: Operation) -> History:
    leaders = [Led(leader="A", term=1, at=0), Led(leader="B", term=2, at=int(5.5 * SECOND))]
    return History(operations=list(operations), faults=faults, leaders=leaders)


def test_a_failover_ends_with_the_first_acknowledged_write_that_was_called_after_it() -> None:
    seen = history(
        [fault("kill", "A", 5, 7)],
        wrote(4.9, 5.2),  # called before: the old leader may have done it
        wrote(5.1, 5.3, f="read"),
        wrote(5.1, 5.4, ok=False),
        wrote(5.2, 6.2),
        wrote(5.3, 6.1),
    )
    assert failovers(seen, nodes=3) == [Gap("kill", 5 * SECOND, int(6.1 * SECOND))]
    assert failovers(seen, nodes=3)[0].seconds == 1.1


def test_a_failover_without_a_write_has_no_end() -> None:
    assert failovers(history([fault("isolate", "A", 5, 7)]), nodes=3) == [
        Gap("isolate", 5 * SECOND, None)
    ]


def test_only_the_loss_of_a_leader_is_a_failover() -> None:
    others = [
        fault("kill", "B", 5, 6),  # a follower
        fault("kill", "A", 6, 7),  # a former leader
        fault("kill", "BC", 8, 9),  # nobody is left to take over
        fault("pause", "B", 10, 10.5),  # nobody missed it
        fault("delay", "AB", 11, 12),
    ]
    assert failovers(history(others, wrote(20, 21)), nodes=3) == []
    longer = [fault("pause", "B", 10, 15), fault("power-loss", "B", 16, 17)]
    assert len(failovers(history(longer, wrote(20, 21)), nodes=3)) == 2


def test_healing_counts_from_when_a_majority_is_no_longer_kept_away() -> None:
    seen = history([fault("kill", "AB", 5, 7)], wrote(6, 7.5), wrote(7.1, 8.5))
    assert healings(seen, nodes=3) == [Gap("healing", 7 * SECOND, int(8.5 * SECOND))]
    assert healings(history([fault("kill", "A", 5, 7)], wrote(8, 9)), nodes=3) == []
    asked = history([fault("kill", "AB", 5, 7)], wrote(6, 7.5), wrote(40, 41, ok=False))
    assert healings(asked, nodes=3) == [Gap("healing", 7 * SECOND, None, seen_until=40 * SECOND)]
    assert healings(history([fault("pause", "ABC", 5, None)]), nodes=3) == []


def test_two_minorities_at_once_are_no_majority() -> None:
    faults = [fault("isolate", "A", 1, 6), fault("kill", "B", 3, 8)]
    assert without_majority(faults, nodes=3) == [(3 * SECOND, 6 * SECOND)]
    assert without_majority(faults, nodes=5) == []


def test_a_majority_that_stays_away_has_no_end() -> None:
    assert without_majority([fault("kill", "ABC", 1, None)], nodes=3) == [(SECOND, None)]


def test_times_without_a_majority_and_five_seconds_after_ask_for_nothing() -> None:
    def free(*faults: Fault) -> float:
        return available_seconds(faults, nodes=3, start=10 * SECOND, end=40 * SECOND)

    assert free() == 30
    assert free(fault("kill", "A", 15, 20)) == 30
    assert free(fault("kill", "AB", 15, 20)) == 20
    assert free(fault("kill", "AB", 15, 20), fault("pause", "ABC", 22, 23)) == 17
    assert free(fault("kill", "AB", 15, None)) == 5
    assert free(fault("kill", "AB", 2, 8)) == 27
    assert free(fault("kill", "AB", 38, 39)) == 28
    assert free(fault("kill", "AB", 41, 42)) == 30


def test_percentiles_are_of_what_was_seen() -> None:
    assert percentile([3.0], 0.5) == 3.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0
    assert percentile([float(n) for n in range(1, 201)], 0.99) == 198.0
