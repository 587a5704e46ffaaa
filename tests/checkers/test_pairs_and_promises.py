"""Names that are written together are read together; a save is where it was promised to be."""

import pytest

from quoth_node.testing.checkers import pairs, promise
from quoth_node.testing.history import ABSENT, Operation


def one(
    f: str, *given: object, out: object = None, call: int, ok: bool | None = True, node: str = ""
) -> Operation:
    returned = None if ok is None else call + 1
    return Operation(
        client=call,
        key="k",
        f=f,
        input=given,
        output=out,
        call=call,
        returned=returned,
        ok=ok,
        node=node,
    )


def both(x: int, y: int, call: int) -> Operation:
    return one("read", out={"x": x, "y": y}, call=call)


PAIRS = {
    "together": ([one("write", 1, call=0), both(1, 1, 5)], []),
    "nothing yet": ([both(ABSENT, ABSENT, 0), one("write", 1, call=2)], []),
    "unknown": ([one("write", 1, call=0, ok=None), both(1, 1, 5)], []),
    "half": ([one("write", 1, call=0), both(1, ABSENT, 5)], ["fractured-read"]),
    "half of an unknown one": (
        [one("write", 1, call=0, ok=None), both(1, ABSENT, 5)],
        ["fractured-read"],
    ),
    "two at once": (
        [one("write", 1, call=0), one("write", 2, call=0), both(1, 2, 5)],
        ["fractured-read"],
    ),
    "failed": ([one("write", 1, call=0, ok=False), both(1, 1, 5)], ["G1a"]),
    "of nobody": ([both(3, 3, 5)], ["phantom"]),
    "from the future": ([both(1, 1, 0), one("write", 1, call=5)], ["phantom"]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_are_read_as_they_were_written(name: str) -> None:
    history, anomalies = PAIRS[name]
    assert [each.anomaly for each in pairs.check(history)] == anomalies


def save(
    value: int, replicas: int, call: int = 0, *, ok: bool | None = True, node: str = "A"
) -> Operation:
    return one("save", value, replicas, call=call, ok=ok, node=node)


def look(node: str, value: int | None, *, killed: list[str], call: int = 10) -> Operation:
    return one("local", killed, out=value, call=call, node=node)


PROMISES = {
    "kept": ([save(1, 1), look("B", 1, killed=["A"]), look("C", None, killed=["A"])], []),
    "kept by the dead": ([save(1, 1), look("C", -1, killed=["A", "B"])], []),
    "broken": (
        [save(1, 1), look("B", None, killed=["A"]), look("C", -1, killed=["A"])],
        ["broken-promise"],
    ),
    "two promised, one has it": (
        [save(1, 2), look("B", 1, killed=["A"]), look("C", None, killed=["A"])],
        ["broken-promise"],
    ),
    "two promised, one left": (
        [save(1, 2), look("C", None, killed=["A", "B"])],
        ["broken-promise"],
    ),
    "own node lost it": ([save(1, 1), look("A", None, killed=["C"])], ["lost-by-writer"]),
    "nobody knows its node": ([save(1, 1, node=""), look("C", None, killed=["A", "B"])], []),
    "nobody knows its node, two are without": (
        [save(1, 1, node=""), look("C", None, killed=["A"]), look("B", None, killed=["A"])],
        ["broken-promise"],
    ),
    "unknown promises nothing": ([save(1, 2, ok=None), look("C", None, killed=["A", "B"])], []),
    "failed": ([save(1, 2, ok=False), look("C", 1, killed=["A", "B"])], ["failed-save-present"]),
    "of nobody": ([look("C", 1, killed=["A", "B"])], ["phantom"]),
    "newer": ([save(1, 2), save(2, 1, 5), look("C", 2, killed=["A", "B"])], []),
    "older": ([save(1, 2), save(2, 2, 5), look("C", 1, killed=["A", "B"])], ["broken-promise"]),
    "too early to ask": ([save(1, 2, 20), look("C", None, killed=["A", "B"])], []),
}


@pytest.mark.parametrize("name", PROMISES)
def test_promises_are_kept_or_told(name: str) -> None:
    history, anomalies = PROMISES[name]
    assert [each.anomaly for each in promise.check(history, nodes=3)] == anomalies


def test_without_a_number_all_nodes_count_of_which_there_is_a_word() -> None:
    history, anomalies = PROMISES["two promised, one left"]
    assert [each.anomaly for each in promise.check(history)] == anomalies
