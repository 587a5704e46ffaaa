"""Entities become JSON and come back as they were; what does not fit is named."""

import math
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NewType, Optional, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypeAliasType

from quoth.errors import WrongType
from quoth.serialization import canonical, from_document, from_json, to_document, to_json
from tests.client.entities import Address, Company, Employee


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


@dataclass
class Everything:
    text: str = ""
    flag: bool = False
    count: int = 0
    ratio: float = 0.0
    moment: datetime | None = None
    day: date | None = None
    span: timedelta | None = None
    key: UUID | None = None
    price: Decimal | None = None
    colour: Colour = Colour.RED
    size: Size = Size.SMALL
    kind: Literal["a", "b"] = "a"
    pair: tuple[int, str] = (0, "")
    names: set[str] = field(default_factory=set)
    by_name: dict[str, Address] = field(default_factory=dict)
    inner: "Everything | None" = None
    free: Any = None


def stored(entity: object) -> dict[str, Any]:
    return to_document(entity, identity_property="Id")


def read(document: dict[str, Any], kind: type[Any]) -> Any:
    return from_document(document, kind, document_id="companies/1", identity_property="Id")


def test_every_kind_of_value_comes_back_as_it_was() -> None:
    entity = Everything(
        text="ä",
        flag=True,
        count=2**53,
        ratio=1.5,
        moment=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        day=date(2026, 1, 2),
        span=timedelta(days=-1, hours=2, microseconds=3),
        key=UUID(int=5),
        price=Decimal("1.10"),
        colour=Colour.BLUE,
        size=Size.LARGE,
        kind="b",
        pair=(1, "x"),
        names={"b", "a"},
        by_name={"home": Address("Rome")},
        inner=Everything(text="deep"),
        free={"any": [1, None]},
    )
    assert read(stored(entity), Everything) == entity


def test_values_look_like_what_other_clients_write() -> None:
    plain = stored(
        Everything(
            moment=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=1))),
            span=timedelta(days=1, seconds=61),
            price=Decimal("1.10"),
            colour=Colour.BLUE,
            size=Size.LARGE,
            names={"b", "a"},
        )
    )
    assert plain["moment"] == "2026-01-02T02:04:05.0000060Z"
    assert plain["span"] == "1.00:01:01"
    assert plain["price"] == "1.10"
    assert (plain["colour"], plain["size"], plain["names"]) == ("blue", 2, ["a", "b"])


def test_an_id_is_not_part_of_the_document() -> None:
    company = Company("Quoth", Id="companies/1")
    assert "Id" not in stored(company)
    assert read(stored(company), Company) == company


def test_plain_classes_are_made_by_their_init_and_get_every_other_attribute() -> None:
    employee = Employee("Alice")
    employee.salary = 5  # type: ignore[attr-defined]
    assert stored(employee) == {"first_name": "Alice", "salary": 5}
    found = read({"first_name": "Bob", "salary": 6}, Employee)
    assert vars(found) == {"first_name": "Bob", "salary": 6, "Id": "companies/1"}


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"name": 1}, "field 'name': expected a string, found int 1"),
        ({"employees": 1}, "no field 'name', which Company cannot do without"),
        ({"name": "a", "employees": "x"}, "field 'employees': expected an integer"),
        ({"name": "a", "tags": ["b", 2]}, r"field 'tags\[1\]': expected a string, found int 2"),
        ({"name": "a", "address": {"city": 3}}, "field 'address.city': expected a string"),
        ({"name": "a", "address": 3}, "field 'address': expected Address or null"),
        ({"name": "a", "founded": "soon"}, "field 'founded': expected datetime or null"),
    ],
)
def test_a_document_that_does_not_fit_is_named_with_the_place(
    document: dict[str, Any], place: str
) -> None:
    with pytest.raises(WrongType, match="document companies/1.*" + place):
        read(document, Company)


@pytest.mark.parametrize("bad", [object(), {"a": {(1, 2): 2}}, {"a": [int]}, 5])
def test_what_cannot_be_json_is_refused(bad: object) -> None:
    with pytest.raises(WrongType):
        stored(bad if isinstance(bad, dict | int) else {"a": bad})


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    with pytest.raises(WrongType, match="contain itself"):
        stored(loop)


def test_an_integer_too_big_for_json_is_refused() -> None:
    with pytest.raises(WrongType):
        canonical(stored({"n": 2**64}))


def test_one_true_and_one_point_zero_are_three_values() -> None:
    assert len({canonical([1]), canonical([1.0]), canonical([True])}) == 3


def test_seven_digits_and_offsets_are_read() -> None:
    wire = {"moment": "2026-01-02T03:04:05.1234567Z"}
    assert read(wire, Everything).moment == datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    assert read({"moment": "2026-01-02T03:04:05"}, Everything).moment.tzinfo is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=3).filter(lambda d: "@metadata" not in d))
def test_dictionaries_pass_unchanged(body: dict[str, Any]) -> None:
    assert read(stored(body), dict) == body


# Values of every annotation, there and back.


class Mood(StrEnum):
    GOOD = "good"


class Rights(IntFlag):
    READ = 1
    WRITE = 2


class Span(Enum):
    SHORT = timedelta(seconds=1)
    LONG = timedelta(days=1)


class Names(list[str]):
    """A list with a name."""


UserId = NewType("UserId", str)
Number = TypeVar("Number", int, str)


@dataclass
class Tree:
    name: str
    children: "list[Tree]" = field(default_factory=list)


@dataclass
class Cat:
    name: str
    lives: int = 9


@dataclass
class Dog:
    name: str
    tricks: list[str] = field(default_factory=list)


@dataclass
class Kitten(Cat):
    age: int = 0


ONE = UUID(int=1)
MORNING = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VALUES: list[tuple[Any, Any, Any]] = [
    (time, time(3, 4, 5, 6), "03:04:05.0000060"),
    (time, time(3, 4, tzinfo=UTC), "03:04:00+00:00"),
    (datetime, datetime(1, 1, 1), "0001-01-01T00:00:00.0000000"),
    (timedelta, timedelta(days=-2, hours=1), "-1.23:00:00"),
    (bytes, b"\x00\xff", "AP8="),
    (bytearray, bytearray(b"a"), "YQ=="),
    (Path, Path("a/b"), "a/b"),
    (Decimal, Decimal("1.10"), "1.10"),
    (Mood, Mood.GOOD, "good"),
    (Rights, Rights.READ | Rights.WRITE, 3),
    (Span, Span.LONG, "1.00:00:00"),
    (Literal["a", 1, True], True, True),
    (Literal[Mood.GOOD], Mood.GOOD, "good"),
    (UserId, "users/1", "users/1"),
    (Annotated[int, "unit", []], 7, 7),
    (Final[date], date(2026, 1, 2), "2026-01-02"),
    (Optional[UUID], ONE, str(ONE)),  # noqa: UP045 - older code says it so
    (Sequence[date], [date(2026, 1, 2)], ["2026-01-02"]),
    (tuple[date, ...], (date(2026, 1, 2),), ["2026-01-02"]),
    (tuple[()], (), []),
    (frozenset[UUID], frozenset({ONE}), [str(ONE)]),
    (deque[int], deque([1, 2]), [1, 2]),
    (defaultdict[str, list[int]], defaultdict(list, a=[1]), {"a": [1]}),
    (OrderedDict[str, int], OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (Counter[str], Counter("aab"), {"a": 2, "b": 1}),
    (Names, Names(["a"]), ["a"]),
    (IPv4Address, IPv4Address("10.0.0.1"), "10.0.0.1"),
    (Mapping[str, date], {"a": date(2026, 1, 2)}, {"a": "2026-01-02"}),
    (dict[int, str], {-1: "a", 20: "b"}, {"-1": "a", "20": "b"}),
    (dict[UUID, int], {ONE: 1}, {str(ONE): 1}),
    (dict[Colour, int], {Colour.RED: 1}, {"red": 1}),
    (dict[Size, int], {Size.SMALL: 1}, {"1": 1}),
    (dict[date, int], {date(2026, 1, 2): 1}, {"2026-01-02": 1}),
    (Number, "a", "a"),
    (Tree, Tree("a", [Tree("b", [Tree("c")])]), None),
    # Of several members of a union, the one that is written as that again.
    (int | float, 7, 7),
    (int | float, 7.0, 7.0),
    (float | Decimal, Decimal("7.50"), "7.50"),
    (date | datetime, MORNING, "2026-01-02T03:04:05.0000000Z"),
    (datetime | date, date(2026, 1, 2), "2026-01-02"),
    (str | UUID, ONE, str(ONE)),
    (str | UUID, str(ONE).replace("-", ""), str(ONE).replace("-", "")),
    (int | bool, True, True),
    (Cat | Dog | None, Dog("Rex", ["sit"]), {"name": "Rex", "tricks": ["sit"]}),
    (Dog | Cat | None, Cat("Tom", 3), {"name": "Tom", "lives": 3}),
    (Cat | Kitten, Kitten("Tom", 9, 1), {"name": "Tom", "lives": 9, "age": 1}),
    (list[Cat | str], [Cat("Tom"), "x"], [{"name": "Tom", "lives": 9}, "x"]),
]


@pytest.mark.parametrize(("hint", "value", "wire"), VALUES, ids=lambda each: str(each)[:40])
def test_a_value_is_written_and_read_by_its_annotation(hint: Any, value: Any, wire: Any) -> None:
    written = to_json(value)
    if wire is not None:
        assert canonical(written) == canonical(wire)
        assert list(written) == list(wire) if isinstance(wire, dict) else True
    found = from_json(written, hint, name="it")
    assert (type(found), found) == (type(value), value)


def test_the_best_fit_of_a_union_does_not_depend_on_what_was_read_before() -> None:
    wire = {"name": "x"}
    orders: list[Any] = [(Cat, Dog, Cat), (Dog, Cat, Dog), (Cat, Dog, Cat)]
    for first, second, expected in orders:
        either: Any = first | second
        each: Any = list[either]
        assert type(from_json(wire, either, name="it")) is expected
        assert type(from_json([wire], each, name="it")[0]) is expected
    either = Dog | Cat
    assert type(from_json({"name": "x", "lives": 1, "other": 1}, either, name="it")) is Cat


@pytest.mark.parametrize(
    ("hint", "wire", "why"),
    [
        (datetime, "20260102", "expected a date and time"),
        (date, "2026-01-02x", "expected a date"),
        (time, "7", "expected a time of day"),
        (timedelta, "9999999999.00:00:00", "expected a time span"),
        (bytes, "?", "expected bytes in base64"),
        (UUID, "x", "expected a UUID"),
        (Decimal, "NaN", "expected a decimal number"),
        (Path, 1, "expected a path"),
        (int, True, "expected an integer"),
        (Rights, "1", "expected a value of Rights"),
        (Colour, [], "expected a value of Colour"),
        (Literal[1], True, "expected one of 1"),
        (dict[int, int], {"07": 1}, "field '07': expected a key that is a int"),
        (dict[int, int], {"--5": 1}, "field '--5': expected a key"),
        (dict[int, int], {"9" * 5000: 1}, "expected a key"),
        (tuple[int, int], [1], "expected an array of 2"),
        (set[Any], [{}], "unhashable"),
        (Cat | Dog, {"name": 1}, "field 'name': expected a string"),
        (Tree, {"name": "a", "children": [{"name": 1}]}, r"field 'children\[0\].name'"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_what_does_not_fit_an_annotation_is_named(hint: Any, wire: Any, why: str) -> None:
    with pytest.raises(WrongType, match=why):
        from_json(wire, hint, name="it")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (math.nan, "field 'a': nan is no number of JSON"),
        ([1.0, -math.inf], r"field 'a\[1\]': -inf is no number"),
        (Decimal("Infinity"), "field 'a': Infinity is no number"),
        (
            {"b": {"c": 2**64}},
            r"field 'a.b.c': .*an integer of 65 bits",
        ),
        ([0, 10**5000], r"field 'a\[1\]': .*store it as a string"),
        ("\ud800", "field 'a': .*surrogates"),
        ({True: 1}, "a key of a JSON object"),
        ({1: "a", "1": "b"}, "two keys are both written as '1'"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))), "out of range in UTC"),
        (object, "a type cannot be written"),
        (print, "cannot be written"),
    ],
)
def test_what_json_cannot_say_is_refused_by_name(value: object, why: str) -> None:
    with pytest.raises(WrongType, match=why):
        canonical(stored({"a": value}))


def test_the_largest_integers_of_64_bits_are_stored() -> None:
    assert stored({"a": [2**64 - 1, -(2**63)]}) == {"a": [2**64 - 1, -(2**63)]}


def test_a_class_inside_a_function_can_speak_of_itself() -> None:
    @dataclass
    class Node:
        name: str
        next: "Node | None" = None

    assert read({"name": "a", "next": {"name": "b"}}, Node) == Node("a", Node("b"))


def test_aliases_of_types_are_read_as_what_they_stand_for() -> None:
    alias: Any = TypeAliasType
    items: Any = list[tuple[Number, date]]  # type: ignore[valid-type]
    pairs = alias("Pairs", items, type_params=(Number,))
    assert from_json([["a", "2026-01-02"]], pairs[str], name="it") == [("a", date(2026, 1, 2))]
    with pytest.raises(WrongType, match=r"field '\[0\]\[0\]': expected a string"):
        from_json([[1, "2026-01-02"]], pairs[str], name="it")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` statements came with 3.12")
def test_aliases_of_types_may_refer_to_themselves() -> None:
    names: dict[str, Any] = {"date": date}
    exec("type Deep = list[Deep] | date", names)
    read_deep = from_json([["2026-01-02"]], names["Deep"], name="it")
    assert read_deep == [[date(2026, 1, 2)]]


def test_a_document_nested_too_deep_is_refused() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(WrongType, match="nested too deep to be read"):
        read(deep, dict)
    tree: Any = {"name": "leaf"}
    for _ in range(5000):
        tree = {"name": "a", "children": [tree]}
    with pytest.raises(WrongType, match="nested too deep to be read"):
        read(tree, Tree)
