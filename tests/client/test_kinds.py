"""What is special about each kind of class an entity may be of."""

from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    NamedTuple,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
)

import attrs
import msgspec
import pydantic
import pytest

from quoth.errors import Misuse, WrongType
from quoth.serialization import (
    become,
    from_document,
    identity_property_of,
    is_instance,
    to_document,
)

T = TypeVar("T")


def stored(entity: object) -> dict[str, Any]:
    return to_document(entity, identity_property=identity_property_of(type(entity)))


def read(document: dict[str, Any], kind: type[T]) -> T:
    identity_property = identity_property_of(kind)
    return from_document(document, kind, document_id="x/1", identity_property=identity_property)


# Dataclasses.


@dataclass
class Base:
    kind: ClassVar[str] = "base"
    name: str = ""


@dataclass(kw_only=True)
class Derived(Base):
    price: int
    rate: InitVar[int] = 2
    total: int = field(init=False)
    never: int = field(init=False, repr=False)

    def __post_init__(self, rate: int) -> None:
        if self.price < 0:
            raise ValueError("a price is not negative")
        self.total = self.price * rate


def test_dataclasses_inherit_and_have_fields_that_init_does_not_take() -> None:
    entity = Derived(name="a", price=3)
    assert stored(entity) == {"name": "a", "price": 3, "total": 6}
    found = read({"name": "a", "price": 3, "total": 7, "rate": 5, "kind": "x"}, Derived)
    assert (found.name, found.price, found.total, found.kind) == ("a", 3, 7, "base")
    assert read({"price": 3, "rate": 5}, Derived).total == 15


def test_what_a_class_refuses_is_named() -> None:
    with pytest.raises(WrongType, match="document x/1: Derived refuses it: a price is not neg"):
        read({"price": -1}, Derived)


@dataclass(frozen=True, slots=True)
class Frozen:
    name: str
    Id: str | None = None


def test_frozen_dataclasses_are_made_with_their_id() -> None:
    assert read({"name": "a"}, Frozen) == Frozen("a", "x/1")


@dataclass
class Page(Generic[T]):
    items: list[T]
    first: T | None = None


@dataclass
class DatedPage(Page[datetime]):
    note: str = ""


def test_generic_dataclasses_are_read_by_their_arguments() -> None:
    wire = {"items": [{"name": "a"}], "first": {"name": "b"}}
    page: Page[Frozen] = read(wire, Page[Frozen])
    assert page == Page([Frozen("a")], Frozen("b"))
    assert is_instance(page, Page[Frozen])
    assert read({"items": ["2026-01-02"]}, DatedPage).items == [datetime(2026, 1, 2)]
    with pytest.raises(WrongType, match=r"items\[0\]"):
        read({"items": [1]}, Page[str])


# attrs.


@attrs.frozen
class AttrsFrozen:
    name: str
    _secret: int = attrs.field(default=1)
    size: int = attrs.field(default=0, converter=int, validator=attrs.validators.ge(0))
    Id: str | None = None


def test_attrs_classes_are_stored_by_attribute_and_made_by_alias() -> None:
    entity = AttrsFrozen("a", secret=5, size="7")
    assert stored(entity) == {"name": "a", "_secret": 5, "size": 7}
    assert read({"name": "a", "_secret": 5, "size": "7"}, AttrsFrozen) == attrs.evolve(
        entity, Id="x/1"
    )
    with pytest.raises(WrongType, match="AttrsFrozen refuses it"):
        read({"name": "a", "size": -1}, AttrsFrozen)
    with pytest.raises(WrongType, match="no field 'name'"):
        read({}, AttrsFrozen)


# pydantic.


class Money(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    amount: int


class Invoice(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    customer: str = pydantic.Field(alias="customerName", min_length=1)
    money: Money = Money(amount=0)
    takes: timedelta = timedelta(seconds=90)
    data: bytes = b"x"
    hidden: int = pydantic.Field(default=0, exclude=True)
    code: Annotated[int, pydantic.PlainSerializer(hex)] = 255
    id: str | None = None

    @pydantic.computed_field
    def double(self) -> int:
        return self.money.amount * 2

    @pydantic.field_validator("customer")
    @classmethod
    def no_spaces(cls, name: str) -> str:
        return name.strip()

    @pydantic.field_validator("code", mode="before")
    @classmethod
    def from_hex(cls, code: object) -> object:
        return int(code, 16) if isinstance(code, str) else code


def test_models_are_stored_as_they_dump_themselves() -> None:
    entity = Invoice(customerName=" Ann ", money=Money(amount=3))
    assert stored(entity) == {
        "customerName": "Ann",
        "money": {"amount": 3},
        "takes": "PT1M30S",
        "data": "x",
        "code": "0xff",
        "double": 6,
    }
    found = read(stored(entity), Invoice)
    assert found == entity.model_copy(update={"id": "x/1"})


def test_models_check_themselves() -> None:
    with pytest.raises(WrongType, match="document x/1: field 'customerName': String should have"):
        read({"customerName": ""}, Invoice)
    with pytest.raises(WrongType, match="field 'other': Extra inputs are not permitted"):
        read({"customerName": "a", "other": 1}, Invoice)
    with pytest.raises(WrongType, match=r"field 'money\.amount'"):
        read({"customerName": "a", "money": {"amount": "x"}}, Invoice)


@pydantic.dataclasses.dataclass
class Weighed:
    weight: int = pydantic.Field(gt=0, default=1)


def test_dataclasses_of_pydantic_are_checked_dataclasses() -> None:
    assert stored(read({"weight": 3}, Weighed)) == {"weight": 3}
    with pytest.raises(WrongType, match="field 'weight': Weighed refuses it: Input should be gr"):
        read({"weight": -3}, Weighed)


class Prices(pydantic.RootModel[list[Money]]):
    pass


class Shop(pydantic.BaseModel):
    prices: Prices


class Account(pydantic.BaseModel):
    password: pydantic.SecretStr


def test_root_models_are_their_root() -> None:
    assert stored(Shop(prices=Prices([Money(amount=1)]))) == {"prices": [{"amount": 1}]}


def test_secrets_are_not_stored_as_stars() -> None:
    with pytest.raises(WrongType, match="'password' of Account is a secret"):
        stored(Account(password=pydantic.SecretStr("x")))


# msgspec.


class Circle(msgspec.Struct, tag="circle", rename="camel"):
    line_width: int
    radius: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    colour: str | msgspec.UnsetType = msgspec.UNSET


class Square(msgspec.Struct, tag="square", forbid_unknown_fields=True, omit_defaults=True):
    side: int = 1
    Id: str | None = None


@dataclass
class Drawing:
    shapes: list[Circle | Square]


def test_structs_have_their_names_and_tags() -> None:
    drawing = Drawing([Circle(2), Square(), Square(3)])
    wire = {
        "shapes": [
            {"type": "circle", "lineWidth": 2, "radius": 1.0},
            {"type": "square"},
            {"type": "square", "side": 3},
        ]
    }
    assert stored(drawing) == wire
    assert read(wire, Drawing) == drawing


def test_structs_keep_their_limits() -> None:
    with pytest.raises(WrongType, match="Square forbids the field 'other'"):
        read({"other": 1}, Square)
    with pytest.raises(WrongType, match=r"field 'radius': Expected `float` > 0\.0"):
        read({"lineWidth": 1, "radius": -1.0}, Circle)
    with pytest.raises(WrongType, match="field 'type': expected 'circle'"):
        read({"lineWidth": 1, "type": "square"}, Circle)
    assert read({"type": "square"}, Square).Id == "x/1"


# Plain classes.


class Person:
    country: str = "de"
    born: datetime

    def __init__(self, name: str, nick: str = None, *, age: int = 0):  # type: ignore # noqa: RUF013
        self.name = name
        self.nick = nick
        self._age = age

    @property
    def age(self) -> int:
        return self._age

    @age.setter
    def age(self, age: int) -> None:
        self._age = age

    @property
    def shout(self) -> str:
        return self.name.upper()

    def rename(self, name: str) -> None:
        self.name = name


class Worker(Person):
    __slots__ = ("job",)
    job: str


def test_plain_classes_are_stored_as_their_attributes() -> None:
    worker = Worker("Ann", age=5)
    worker.job = "baker"
    assert stored(worker) == {"job": "baker", "name": "Ann", "nick": None, "_age": 5}
    found = read({**stored(worker), "born": "2026-01-02", "other": [1]}, Worker)
    assert (found.name, found.age, found.job) == ("Ann", 5, "baker")
    assert vars(found)["nick"] is None
    assert found.born == datetime(2026, 1, 2)
    assert vars(found)["other"] == [1]


def test_data_never_covers_what_a_class_can_do() -> None:
    wire = {"name": "a", "rename": 1, "shout": "x", "__class__": "x", "__init__": 1, "age": 9}
    person = read(wire, Person)
    person.rename("b")
    assert (person.name, person.shout, person.age) == ("b", "B", 9)
    assert set(vars(person)) == {"name", "nick", "_age"}


class Temperature:
    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    @classmethod
    def from_json(cls, wire: dict[str, Any]) -> "Temperature":
        return cls(float(wire["text"].removesuffix(" C")))

    def to_json(self) -> dict[str, Any]:
        return {"text": f"{self.degrees} C"}


def test_a_class_may_convert_itself() -> None:
    assert stored(Temperature(7.5)) == {"text": "7.5 C"}
    assert read({"text": "7.5 C"}, Temperature).degrees == 7.5
    assert stored(Page([Temperature(1)])) == {"items": [{"text": "1 C"}], "first": None}
    with pytest.raises(WrongType, match="from_json refuses it: could not convert string"):
        read({"text": "warm"}, Temperature)


# Typed dictionaries and named tuples.


class Point(NamedTuple):
    x: int
    y: datetime
    label: str = ""


class Options(TypedDict):
    since: datetime
    point: Point


def test_typed_dicts_are_read_by_their_annotations() -> None:
    wire = {"since": "2026-01-02", "point": [1, "2026-01-03"], "other": "2026-01-02"}
    found = read(wire, Options)
    assert found["since"] == datetime(2026, 1, 2)
    assert found["point"] == Point(1, datetime(2026, 1, 3))
    assert dict(found)["other"] == "2026-01-02"
    assert is_instance(found, Options)
    with pytest.raises(WrongType, match="no field 'since'"):
        read({"point": []}, Options)


# What `from __future__ import annotations` makes of every annotation.
class AsText(TypedDict):
    what: "str"
    note: "NotRequired[str]"
    tagged: "Annotated[NotRequired[int], 'a tag']"
    unknown: "NotRequired[NowhereToBeFound]"  # type: ignore[name-defined] # noqa: F821


class Loose(AsText, total=False):
    more: "str"
    needed: "Required[int]"


def test_what_a_typed_dict_says_in_text_is_optional_is_optional() -> None:
    assert read({"what": "made"}, AsText) == {"what": "made"}
    with pytest.raises(WrongType, match="no field 'what'"):
        read({"note": "n"}, AsText)
    assert read({"what": "made", "needed": 1}, Loose) == {"what": "made", "needed": 1}
    with pytest.raises(WrongType, match="no field 'needed'"):
        read({"what": "made"}, Loose)


# Identity.


@dataclass
class Lower:
    name: str
    id: str | None = None


@dataclass
class Numbered:
    id: int


@dataclass
class Both:
    id: str = ""
    Id: str | None = None


def test_a_class_with_a_lower_case_id_has_its_identity_there() -> None:
    assert stored(Lower("a", "x/1")) == {"name": "a"}
    assert read({"name": "a"}, Lower) == Lower("a", "x/1")
    assert stored(Numbered(7)) == {"id": 7}
    assert read({"id": 7}, Numbered) == Numbered(7)
    assert stored(Both("mine", "x/1")) == {"id": "mine"}
    assert read({"id": "mine"}, Both) == Both("mine", "x/1")


class Span(pydantic.BaseModel):
    """Halfway between two valid spans it would not be one."""

    model_config = pydantic.ConfigDict(validate_assignment=True)
    low: int
    high: int

    @pydantic.model_validator(mode="after")
    def ordered(self) -> "Span":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def test_a_model_becomes_another_at_once() -> None:
    span = Span(low=1, high=2)
    become(span, Span(low=5, high=9))
    assert span == Span(low=5, high=9)


class Fussy:
    """It takes no price above 9, though it can be made with one."""

    def __init__(self, name: str, price: int) -> None:
        self.__dict__.update(name=name, price=price)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "price" and isinstance(value, int) and value > 9:
            raise RuntimeError("too dear")
        super().__setattr__(name, value)


class FussySlots:
    __slots__ = ("name", "price")

    def __init__(self, name: str, price: int) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "price", price)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "price":
            raise RuntimeError("too dear")
        object.__setattr__(self, name, value)


@pytest.mark.parametrize("kind", [Fussy, FussySlots])
def test_what_cannot_become_another_stays_as_it_was(kind: Any) -> None:
    entity = kind("tea", 7)
    with pytest.raises(Misuse, match="too dear"):
        become(entity, kind("gold", 10))
    assert (entity.name, entity.price) == ("tea", 7)
