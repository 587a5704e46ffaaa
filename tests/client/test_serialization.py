"""Entities become JSON and come back as they were; what does not fit is named."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quoth.errors import WrongType
from quoth.serialization import canonical, from_document, to_document
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
