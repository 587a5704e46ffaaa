"""What a codec reads is what its classes say, however often it has read such before."""

from dataclasses import dataclass

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quoth_cluster.codec import VALUE_EXTENSION, Codec
from quoth_cluster.errors import MalformedValue, NewerFormat
from tests.unit.state.story import STEADY


@dataclass(frozen=True, slots=True)
class Leaf:
    name: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    leaves: tuple[Leaf | str, ...]
    is_old: bool = False
    rings: tuple[tuple[int, ...], ...] | None = None
    raw: bytes = b""


CODEC = Codec({1: Leaf, 2: Tree})
CLASSES = (Leaf, Tree)
LEAVES = st.builds(Leaf, st.text(), st.none() | st.integers(-(2**63), 2**64 - 1))
TREES = st.builds(
    Tree,
    st.lists(LEAVES | st.text()).map(tuple),
    st.booleans(),
    st.none() | st.lists(st.lists(st.integers(0, 9)).map(tuple)).map(tuple),
    st.binary(),
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=8,
)


def written(*parts: object) -> bytes:
    """The bytes of a value that may be none."""
    return bytes(msgpack.packb(msgpack.ExtType(VALUE_EXTENSION, msgpack.packb(parts))))


def leaf(*fields: object) -> msgpack.ExtType:
    return msgpack.ExtType(VALUE_EXTENSION, msgpack.packb([1, *fields]))


@STEADY
@given(TREES | LEAVES)
def test_what_is_written_is_read(value: Tree | Leaf) -> None:
    assert CODEC.decode(CODEC.encode(value), CLASSES) == value


@STEADY
@given(st.lists(PLAIN, max_size=5))
def test_what_is_read_is_as_annotated(fields: list[object]) -> None:
    try:
        found = CODEC.decode(written(2, *fields), Tree)
    except (MalformedValue, NewerFormat):
        return
    assert all(type(one) in (Leaf, str) for one in found.leaves)
    assert type(found.is_old) is bool and type(found.raw) is bytes
    assert found.rings is None or all(type(one) is tuple for one in found.rings)
    assert all(type(one) is int for ring in found.rings or () for one in ring)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param((["a", 1], True, [[1]], b"r"), id="a number among leaves"),
        pytest.param((["a", None], True, [[1]], b"r"), id="nothing among leaves"),
        pytest.param((["a", b"a"], True, [[1]], b"r"), id="bytes among leaves"),
        pytest.param((["a"], True, [[1], 2], b"r"), id="a number among rings"),
        pytest.param((["a"], True, [[1], ["2"]], b"r"), id="a text within a ring"),
        pytest.param((["a"], True, [[1, True]], b"r"), id="a truth within a ring"),
        pytest.param((["a"], 1, [[1]], b"r"), id="a number for a truth"),
        pytest.param((["a"], True, [[1]], "r"), id="a text for bytes"),
        pytest.param(({"a": 1}, True, [[1]], b"r"), id="a map for leaves"),
        pytest.param((), id="nothing at all"),
    ],
)
def test_what_is_good_once_lets_nothing_wrong_through(wrong: tuple[object, ...]) -> None:
    """Types that were good before are not looked at anew; what is within tuples is."""
    codec = Codec({1: Leaf, 2: Tree})
    for fields in ((["a", "b"], True, [[1, 2], []], b"r"), ([leaf("x", 3)], False, None, b"")):
        for _ in range(2):
            codec.decode(written(2, *fields), Tree)
    for _ in range(2):
        with pytest.raises(MalformedValue, match="Tree"):
            codec.decode(written(2, *wrong), Tree)


def test_fields_with_defaults_may_lack_and_others_not() -> None:
    assert CODEC.decode(written(1, "x"), Leaf) == Leaf("x")
    with pytest.raises(MalformedValue, match="lacks fields"):
        CODEC.decode(written(1), Leaf)


def test_more_than_is_known_is_of_a_newer_writer() -> None:
    for parts in ((1, "x", 3, "new"), (3, "x")):
        with pytest.raises(NewerFormat):
            CODEC.decode(written(*parts), CLASSES)


@pytest.mark.parametrize("number", [True, 1.0, "1", None, {"a": 1}, [1]])
def test_a_number_that_is_none_names_no_class(number: object) -> None:
    with pytest.raises(MalformedValue, match="number"):
        CODEC.decode(written(number, "x"), CLASSES)


def test_what_is_no_value_is_told() -> None:
    for data in (b"", b"\xc1", msgpack.packb("x"), msgpack.packb(msgpack.ExtType(2, b""))):
        with pytest.raises(MalformedValue):
            CODEC.decode(data, CLASSES)
    with pytest.raises(MalformedValue, match="expected"):
        CODEC.decode(CODEC.encode(Leaf("x")), Tree)
    with pytest.raises(TypeError, match="not in this codec"):
        CODEC.encode(object())


def test_few_combinations_are_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quoth_cluster.codec.SEEN_MAX", 2)
    codec = Codec({1: Leaf, 2: Tree})
    for fields in ((["a"],), (["a"], True), (["a"], True, None), (["a"], True, [[1]])) * 2:
        codec.decode(written(2, *fields), Tree)
    assert len(codec._kinds[2].seen) == 2
