"""The checker of sessions sees every guarantee that a history breaks, and nothing else."""

import pytest

from tests.cluster.session_guarantees import Did, Guarantee, Kind, broken_guarantees


def history(*told: str) -> list[Did]:
    """`a writes x1`, one by one; `x0` is nothing, `maybe` a write of unknown outcome."""
    done = []
    for moment, line in enumerate(told):
        session, doing, what = line.split()
        done.append(
            Did(
                session=session,
                kind=Kind.READ if doing == "reads" else Kind.WRITE,
                key=what[0],
                version=int(what[1:]),
                value=what,
                asked_at=moment,
                told_at=moment + 0.5,
                certain=doing != "maybe",
            )
        )
    return done


@pytest.mark.parametrize(
    ("told", "guarantee"),
    [
        (("a writes x1", "a reads x0"), Guarantee.READ_YOUR_WRITES),
        (("b writes x1", "a reads x1", "a reads x0"), Guarantee.MONOTONIC_READS),
        (("a writes x1", "a writes y1", "b reads y1", "b reads x0"), Guarantee.MONOTONIC_WRITES),
        (("a writes x2", "a writes x1"), Guarantee.READ_YOUR_WRITES),
        (
            ("c writes x1", "a reads x1", "a writes y1", "b reads y1", "b reads x0"),
            Guarantee.WRITES_FOLLOW_READS,
        ),
        (
            ("a writes x1", "a writes y1", "b reads y1", "b writes z1", "c reads z1", "c reads x0"),
            Guarantee.WRITES_FOLLOW_READS,
        ),
        (("a maybe x1", "a reads x1", "a reads x0"), Guarantee.MONOTONIC_READS),
        (("a writes x1", "a maybe y1", "b reads y1", "b reads x0"), Guarantee.MONOTONIC_WRITES),
    ],
    ids=lambda given: given.value if isinstance(given, Guarantee) else ", ".join(given),
)
def test_a_broken_guarantee_is_seen(told: tuple[str, ...], guarantee: Guarantee) -> None:
    [broken] = broken_guarantees(history(*told))
    assert broken.known.why is guarantee
    assert str(broken).startswith(f"{guarantee.value}: {told[-1].split()[0]} did ")


@pytest.mark.parametrize(
    "told",
    [
        ("a writes x1", "b reads x0", "b reads x1", "a reads x1"),
        ("a maybe x1", "a reads x0", "a writes x1", "a reads x1"),
        ("a writes x1", "a writes y1", "b reads x0", "b reads y1", "b reads x1"),
        ("a writes x1", "b reads y0", "a writes y1", "b reads x1", "b reads y0"),
        ("a writes x1", "b writes x2", "a reads x2", "b reads x2"),
        ("a writes y1", "a maybe x1", "b reads x0", "b reads y0"),
    ],
    ids=", ".join,
)
def test_what_sessions_may_see_is_let_be(told: tuple[str, ...]) -> None:
    assert broken_guarantees(history(*told)) == []


def test_a_write_is_read_before_its_writer_is_told() -> None:
    [write, read, late] = history("a writes x1", "b reads x1", "b reads x0")
    slow = Did(session="a", kind=Kind.WRITE, key="x", version=1, value="x1", asked_at=0, told_at=9)
    assert write.told_at < slow.told_at
    assert broken_guarantees([slow, read]) == []
    assert len(broken_guarantees([late, slow, read])) == 1
