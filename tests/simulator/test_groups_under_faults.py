"""Whatever befalls a cluster, it keeps what it promised; and the simulator would notice if not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulator.bugs import BUGS, FOUND_BY, Bug, found_by, planted
from tests.simulator.history import ADD, CAS, PUT, READ, Operation, index_complaint
from tests.simulator.history import search_complaint as search
from tests.simulator.world import World

ROOT = Path(__file__).parents[2]
FIRST_SEED = int(os.environ.get("QUOTH_FIRST_SEED", "0"))
SEEDS = int(os.environ.get("QUOTH_SEEDS", "300"))
SEEDS_FOR_A_BUG = 200
IN_A_TEST = 20
# Seeds that found the last bugs of RELIABILITY.md, as long as the code draws the same faults.
ONCE_FAILED = (
    *((21515, 5), (23457, 3), (26468, 5), (40123, 3), (43363, 3), (44737, 3), (60784, 3)),
    *((80601, 5), (80764, 5), (80809, 3), (121508, 3), (202538, 3), (302011, 5), (302080, 5)),
)


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + SEEDS, IN_A_TEST))
def test_promises_hold_whatever_happens(first: int) -> None:
    for seed in range(first, min(first + IN_A_TEST, FIRST_SEED + SEEDS)):
        size = 5 if seed % 5 == 4 else 3
        report = World(seed, size=size).run()
        assert report.violation is None, (
            f"seed {seed}: {report.violation}\n"
            f"replay: scripts/simulate {seed} --nodes {size} --trace"
        )


@pytest.mark.parametrize(("seed", "size"), ONCE_FAILED)
def test_what_once_failed_holds(seed: int, size: int) -> None:
    # As it was then: without the clients that take numbers, which use the network, too.
    assert World(seed, size=size, takes=False).run().violation is None


def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    seeds = (3, 4, 11)
    here = [World(seed, size=3).run().trace_hash for seed in seeds]
    again = [World(seed, size=3).run().trace_hash for seed in seeds]
    assert here == again
    code = "import sys; from tests.simulator.world import World; print(*(World(int(s), size=3)"
    code += ".run().trace_hash for s in sys.argv[1:]))"
    for hash_seed in ("1", "2"):
        elsewhere = subprocess.run(
            [sys.executable, "-c", code, *map(str, seeds)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": _python_path()},
            capture_output=True,
            text=True,
            check=True,
        )
        assert elsewhere.stdout.split() == here


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    found = found_by(bug, violation, [FOUND_BY[bug.name], *range(SEEDS_FOR_A_BUG)])
    assert found is not None, f"{bug.story}: not found within {SEEDS_FOR_A_BUG} seeds"


def test_every_planted_bug_takes_the_place_of_something() -> None:
    for bug in BUGS:
        with planted(bug):
            assert all(getattr(target, name) is value for target, name, value in bug.patches)


def violation(seed: int, bug: Bug) -> str | None:
    return World(seed, size=bug.nodes, bug=bug).run().violation


def _python_path() -> str:
    return os.pathsep.join(path for path in sys.path if path)


# -- the judges are judged


def operation(
    verb: str,
    given: tuple[int, ...],
    when: tuple[float, float],
    before: int,
    *,
    done: bool = True,
    index: int = 0,
) -> Operation:
    called_at, returned_at = when
    return Operation(
        uid=int(called_at * 10),
        client=0,
        key="k",
        verb=verb,
        given=given,
        called_at=called_at,
        returned_at=returned_at,
        ok=True,
        answer=(done, before),
        command_index=index,
    )


def unknown(verb: str, given: tuple[int, ...], called_at: float) -> Operation:
    return Operation(int(called_at * 10), 0, "k", verb, given, called_at)


def test_the_search_takes_what_is_linearizable() -> None:
    assert search([]) is None
    assert search([operation(PUT, (1,), (0, 1), 0), operation(READ, (), (2, 3), 1)]) is None
    overlapping = [
        operation(PUT, (1,), (0, 9), 2),
        operation(PUT, (2,), (1, 8), 0),
        operation(READ, (), (2, 7), 2),
        operation(CAS, (2, 5), (3, 20), 1, done=False),
        operation(ADD, (1,), (10, 11), 1),
        operation(READ, (), (12, 13), 2),
    ]
    assert search(overlapping) is None
    late = [unknown(PUT, (7,), 0.0), operation(READ, (), (1, 2), 0), operation(READ, (), (3, 4), 7)]
    assert search(late) is None


@pytest.mark.parametrize(
    "history",
    [
        [operation(PUT, (1,), (0, 1), 0), operation(READ, (), (2, 3), 0)],  # a stale read
        [operation(READ, (), (0, 1), 7)],  # from nowhere
        [operation(PUT, (1,), (0, 1), 0), operation(PUT, (2,), (2, 3), 0)],  # a lost write
        [operation(CAS, (0, 1), (0, 9), 0), operation(CAS, (0, 2), (1, 8), 0)],  # two winners
        [  # back in time
            operation(PUT, (1,), (0, 9), 0),
            operation(READ, (), (1, 2), 1),
            operation(READ, (), (3, 4), 0),
        ],
        [unknown(PUT, (7,), 5.0), operation(READ, (), (1, 2), 7)],  # before it was asked for
        [operation(ADD, (1,), (0, 1), 0), operation(READ, (), (2, 3), 2)],  # applied twice
    ],
)
def test_the_search_refuses_what_is_not(history: list[Operation]) -> None:
    assert search(history) is not None


def test_the_indexes_must_tell_the_same_story() -> None:
    put = operation(PUT, (1,), (1, 2), 0, index=1)
    commands = {1: (put.uid, PUT, "k", (1,))}
    read = operation(READ, (), (3, 4), 1, index=1)
    assert index_complaint([put, read], commands) is None
    stale = operation(READ, (), (3, 4), 0, index=0)
    assert "comes before" in str(index_complaint([put, stale], commands))
    wrong = operation(READ, (), (3, 4), 5, index=1)
    assert "should have seen" in str(index_complaint([put, wrong], commands))
    assert "no such command" in str(index_complaint([put], {}))
    other = {1: (99, PUT, "k", (1,))}
    assert "was answered for" in str(index_complaint([put], other))
