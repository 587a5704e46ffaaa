"""Whatever befalls a cluster, the numbers of a sequence are 1 to n, each with one holder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quoth_cluster import sequences
from quoth_cluster.commands import encode
from quoth_cluster.outcomes import BatchSaved, NumberedSaved, Outcome, Refused
from quoth_cluster.sequence_outcomes import Taken
from quoth_cluster.store import keys
from tests.simulator.rows import MapTxn, Rows, stepped
from tests.simulator.takers import (
    Request,
    answers_complaint,
    numbered,
    order_complaint,
    stored_complaint,
)
from tests.simulator.world import World

ROOT = Path(__file__).parents[2]
FIRST_SEED = int(os.environ.get("QUOTH_FIRST_SEED", "0"))
SEEDS = int(os.environ.get("QUOTH_SEEDS", "100"))
IN_A_TEST = 20


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + SEEDS, IN_A_TEST))
def test_numbers_have_no_gap_whatever_happens(first: int) -> None:
    for seed in range(first, min(first + IN_A_TEST, FIRST_SEED + SEEDS)):
        size = 5 if seed % 5 == 4 else 3
        report = World(seed, size=size, takes=True).run()
        assert report.violation is None, (
            f"seed {seed}: {report.violation}\n"
            f"replay: scripts/simulate {seed} --nodes {size} --takes --trace"
        )


def test_numbers_are_taken_refused_and_sent_again() -> None:
    answers: set[str] = set()
    sends = 0
    for seed in range(8):
        world = World(seed, size=3, takes=True)
        assert world.run().violation is None
        assert world.takers is not None
        answers |= {type(one.answer).__name__ for one in world.takers._requests}
        sends = max(sends, *(one.sent for one in world.takers._requests))
    assert answers >= {"NumberedSaved", "Refused", "NoneType"}
    assert answers >= {"NumbersReserved", "NumbersReleased", "NumbersConfirmed", "SequencesTended"}
    assert sends == 5


def test_the_same_seed_is_the_same_run() -> None:
    seeds = (3, 8)
    hashes = [World(seed, size=3, takes=True).run().trace_hash for seed in seeds]
    assert hashes == [World(seed, size=3, takes=True).run().trace_hash for seed in seeds]
    code = "import sys; from tests.simulator.world import World; print(*(World(int(s), size=3,"
    code += " takes=True).run().trace_hash for s in sys.argv[1:]))"
    elsewhere = subprocess.run(
        [sys.executable, "-c", code, *map(str, seeds)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONHASHSEED": "5",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.split() == hashes


# -- the judges are judged


def saved(count: int) -> Rows:
    """A database in which so many documents have numbers of `s`."""
    rows: Rows = {}
    for number in range(count):
        command = encode(numbered(f"r{number}", "s", f"d/{number}", False, number % 2 == 1))
        rows, outcome = stepped(rows, command, number + 2, None)
        assert isinstance(outcome, NumberedSaved)
    return rows


def request(
    number: int, when: tuple[float, float], answer: Outcome | None, *, is_refusable: bool = False
) -> Request:
    called_at, returned_at = when
    document_id = f"d/{number}"
    return Request(
        *(f"r{number}", "s", b"", document_id, is_refusable, 1, called_at),
        returned_at=returned_at,
        answer=answer,
    )


def told(ordinal: int) -> NumberedSaved:
    return NumberedSaved(BatchSaved((), 1), (Taken("s", ordinal, 1, 1, None),))


def test_what_is_right_is_no_complaint() -> None:
    rows = saved(3)
    assert stored_complaint(rows) is None
    requests = [request(0, (0, 1), told(1)), request(1, (0, 9), told(3)), request(2, (2, 3), None)]
    assert answers_complaint(requests, rows) is None


def test_a_number_without_a_holder_is_seen() -> None:
    rows = saved(3)
    sequence = sequences.get(MapTxn(rows, None), "s")
    assert sequence is not None
    for ordinal in (1, 2, 3):
        less = dict(rows)
        del less[keys.of_numbers(keys.NUMBERS, sequence.number, ordinal)]
        assert "no holder" in str(stored_complaint(less))
    without = {key: value for key, value in rows.items() if key != b"dd/0"}
    assert "s 1 is not in d/0" in str(stored_complaint(without))


def test_answers_that_nobody_could_have_given_are_seen() -> None:
    rows = saved(2)
    assert "holds nothing" in str(answers_complaint([request(7, (0, 1), told(1))], rows))
    refused = Refused("invalid", "no")
    assert "was refused" in str(answers_complaint([request(0, (0, 1), refused)], rows))
    vain = request(0, (0, 1), refused, is_refusable=True)
    assert "holds 1 numbers" in str(answers_complaint([vain], rows))


def test_numbers_that_are_told_twice_or_out_of_order_are_seen() -> None:
    twice = [request(0, (0, 1), told(1)), request(1, (0, 1), told(1))]
    assert "told twice" in str(order_complaint(twice))
    backwards = [request(0, (0, 1), told(2)), request(1, (2, 3), told(1))]
    assert "after r0" in str(order_complaint(backwards))
    assert order_complaint([request(0, (0, 3), told(2)), request(1, (2, 3), told(1))]) is None
