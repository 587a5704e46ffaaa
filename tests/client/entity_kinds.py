"""One order and its lines, as every kind of class an application may have them."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NotRequired, TypedDict

import attrs
import msgspec
import pydantic
from pydantic.alias_generators import to_camel


@dataclass
class Line:
    product: str = ""
    price: Decimal | None = None
    since: datetime | None = None


@dataclass
class Order:
    name: str = "-"
    count: int = 0
    placed: datetime | None = None
    lines: list[Line] = field(default_factory=list)
    by_key: dict[str, Line] = field(default_factory=dict)
    first: Line | None = None
    Id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenLine:
    product: str = ""
    price: Decimal | None = None
    since: datetime | None = None


@dataclass(slots=True, kw_only=True)
class SlottedOrder:
    name: str = "-"
    count: int = 0
    placed: datetime | None = None
    lines: list[FrozenLine] = field(default_factory=list)
    by_key: dict[str, FrozenLine] = field(default_factory=dict)
    first: FrozenLine | None = None
    Id: str | None = None


@attrs.define
class AttrsLine:
    product: str = ""
    price: Decimal | None = None
    since: datetime | None = None


@attrs.define
class AttrsOrder:
    name: str = "-"
    count: int = attrs.field(default=0, converter=int)
    placed: datetime | None = None
    lines: list[AttrsLine] = attrs.Factory(list)
    by_key: dict[str, AttrsLine] = attrs.Factory(dict)
    first: AttrsLine | None = None
    Id: str | None = None


@attrs.frozen
class FrozenAttrsLine:
    product: str = ""
    price: Decimal | None = None
    since: datetime | None = None


@attrs.define
class AttrsOrderOfFrozen:
    name: str = "-"
    count: int = 0
    placed: datetime | None = None
    lines: list[FrozenAttrsLine] = attrs.Factory(list)
    by_key: dict[str, FrozenAttrsLine] = attrs.Factory(dict)
    first: FrozenAttrsLine | None = None
    Id: str | None = None


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(alias_generator=to_camel, populate_by_name=True)


class LineModel(Model):
    product: str = ""
    price: Decimal | None = None
    since: datetime | None = None


class OrderModel(Model):
    name: str = "-"
    count: int = 0
    placed: datetime | None = None
    lines: list[LineModel] = []
    by_key: dict[str, LineModel] = {}
    first: LineModel | None = None
    Id: str | None = None


class OpenLineModel(LineModel):
    model_config = pydantic.ConfigDict(extra="allow", frozen=True)


class OpenOrderModel(Model):
    model_config = pydantic.ConfigDict(extra="allow")

    name: str = "-"
    count: int = 0
    placed: datetime | None = None
    lines: list[OpenLineModel] = []
    by_key: dict[str, OpenLineModel] = {}
    first: OpenLineModel | None = None
    Id: str | None = None


class LineStruct(msgspec.Struct, rename="camel"):
    product: str = ""
    price: Decimal | None = None
    since: datetime | None = None


class OrderStruct(msgspec.Struct, rename="camel"):
    name: str = "-"
    count: int = 0
    placed: datetime | None = None
    lines: list[LineStruct] = []
    by_key: dict[str, LineStruct] = {}
    first: LineStruct | None = None
    Id: str | None = None


class FrozenLineStruct(msgspec.Struct, frozen=True):
    product: str = ""
    price: Decimal | None = None
    since: datetime | None = None


class OrderStructOfFrozen(msgspec.Struct):
    name: str = "-"
    count: int = 0
    placed: datetime | None = None
    lines: list[FrozenLineStruct] = []
    by_key: dict[str, FrozenLineStruct] = {}
    first: FrozenLineStruct | None = None
    Id: str | None = None


class PlainLine:
    def __init__(
        self, product: str = "", price: Decimal | None = None, since: datetime | None = None
    ) -> None:
        self.product = product
        self.price = price
        self.since = since


class PlainOrder:
    placed: datetime | None = None
    by_key: dict[str, PlainLine]
    first: PlainLine | None

    def __init__(self, name: str = "-", count: int = 0, lines: "list[PlainLine] | None" = None):
        self.name = name
        self.count = count
        self.lines = [] if lines is None else lines
        self.by_key = {}
        self.first = None
        self.Id: str | None = None


class LineDict(TypedDict, total=False):
    product: str
    price: Decimal | None
    since: datetime | None


class OrderDict(TypedDict):
    name: NotRequired[str]
    count: NotRequired[int]
    placed: NotRequired[datetime | None]
    lines: NotRequired[list[LineDict]]
    by_key: NotRequired[dict[str, LineDict]]
    first: NotRequired[LineDict | None]


def _assigned(owner: Any, attribute: str, value: Any) -> Any:
    setattr(owner, attribute, value)
    return owner


def _put(owner: Any, key: str, value: Any) -> Any:
    owner[key] = value
    return owner


Change = Callable[[Any, str, Any], Any]


@dataclass(frozen=True)
class Kind:
    """How an order of one kind is made and changed."""

    order: Any
    line: Any
    change_line: Change = _assigned  # answers the line that is to stand in its place
    change: Change = _assigned
    get: Callable[[Any, str], Any] = getattr
    by_key: str = "by_key"  # how documents have it


KINDS = {
    "dataclass": Kind(Order, Line),
    "slots": Kind(SlottedOrder, FrozenLine, lambda o, a, v: dataclasses.replace(o, **{a: v})),
    "attrs": Kind(AttrsOrder, AttrsLine),
    "attrs frozen": Kind(
        AttrsOrderOfFrozen, FrozenAttrsLine, lambda o, a, v: attrs.evolve(o, **{a: v})
    ),
    "pydantic": Kind(OrderModel, LineModel, by_key="byKey"),
    "pydantic open": Kind(
        OpenOrderModel,
        OpenLineModel,
        lambda o, a, v: o.model_copy(update={a: v}),
        by_key="byKey",
    ),
    "msgspec": Kind(OrderStruct, LineStruct, by_key="byKey"),
    "msgspec frozen": Kind(
        OrderStructOfFrozen, FrozenLineStruct, lambda o, a, v: msgspec.structs.replace(o, **{a: v})
    ),
    "plain": Kind(PlainOrder, PlainLine),
    "typed dict": Kind(OrderDict, LineDict, _put, _put, lambda o, a: o[a]),
}
