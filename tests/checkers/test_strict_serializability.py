"""The checker of serial orders knows what has none."""

from math import inf

import pytest

from quoth_node.testing.checkers.strict_serializability import Saw, Transaction, is_explained


def seen(name: str, value: str | None = None) -> Saw:
    return Saw("document", (name,), "", {} if value is None else {name: value})


def wrote(name: str, value: str | None) -> dict[tuple[str, str], str | None]:
    return {("document", name): value}


def nothing_began(name: str) -> Saw:
    return Saw("document", None, name, {})


@pytest.mark.parametrize(
    "history",
    [
        [  # Write skew: each saw that the other was not there.
            Transaction("x", 0, 3, [seen("a"), seen("b")], wrote("a", "1")),
            Transaction("y", 0, 3, [seen("a"), seen("b")], wrote("b", "2")),
        ],
        [  # A phantom: both saw none.
            Transaction("x", 0, 3, [nothing_began("a")], wrote("a1", "1")),
            Transaction("y", 0, 3, [nothing_began("a")], wrote("a2", "2")),
        ],
        [  # Two states at once.
            Transaction("x", 0, 9, [], {**wrote("a", "1"), **wrote("b", "1")}),
            Transaction("y", 0, 9, [seen("a"), seen("b", "1")]),
        ],
        [  # What was over is not seen.
            Transaction("x", 0, 1, [], wrote("a", "1")),
            Transaction("y", 2, 3, [seen("a")]),
        ],
        [  # Two took the same step.
            Transaction("x", 0, 3, [seen("a")], wrote("a", "1")),
            Transaction("y", 0, 3, [seen("a")], wrote("a", "2")),
        ],
        [  # Seen, and then again not.
            Transaction("x", 0, inf, [], wrote("a", "1")),
            Transaction("y", 1, 2, [seen("a", "1")]),
            Transaction("y", 3, 4, [seen("a")]),
        ],
    ],
    ids=["write-skew", "phantom", "fractured-read", "stale-read", "lost-update", "comes-and-goes"],
)
def test_the_checker_knows_what_is_not_serializable(history: list[Transaction]) -> None:
    assert not is_explained(history)
    assert is_explained(history[:-1])


def test_what_may_not_have_happened_may_also_have_happened_late() -> None:
    doubtful = Transaction("x", 0, inf, [], wrote("a", "1"))
    before = Transaction("y", 5, 6, [seen("a")])
    after = Transaction("y", 7, 8, [seen("a", "1")])
    for history in ([doubtful, before], [doubtful, before, after], [doubtful, after]):
        assert is_explained(history)
    assert not is_explained([before, after])
