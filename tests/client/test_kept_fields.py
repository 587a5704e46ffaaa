"""A save never drops what a class does not know, and never rewrites what was not changed."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth import AsyncDocumentStore
from quoth.serialization import Origins, canonical, from_document, origins_of, to_document
from tests.client.entity_kinds import KINDS, FrozenLine, Kind, Line, Order, SlottedOrder
from tests.client.wire import Wire, document, put_result

Document = dict[str, Any]


class Loaded:
    """A document in a session, without the session."""

    def __init__(self, stored: Document, kind: type[Any]) -> None:
        self.entity: Any = from_document(
            stored, kind, document_id="orders/1", identity_property="Id"
        )
        self.stored = stored
        self.looked = self._look()
        self.origins: Origins | None = origins_of(
            self.entity, self.looked, stored, identity_property="Id"
        )

    def _look(self) -> Document:
        return to_document(self.entity, identity_property="Id")

    @property
    def is_changed(self) -> bool:
        return canonical(self._look()) != canonical(self.looked)

    def saved(self) -> Document:
        if not self.is_changed:
            return self.stored
        return to_document(self.entity, identity_property="Id", origins=self.origins)


# Documents of an order: any of its fields, in any form that other programs write, and any others.
MOMENTS = st.sampled_from(
    ["2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05", None]
)
PRICES = st.sampled_from([7, 7.5, "7.50", "1E+2", None])
COUNTS = st.sampled_from([0, 7, 7.0, -1])
KNOWN = {"name", "count", "placed", "lines", "by_key", "byKey", "first", "Id", "id"}
KNOWN |= {"product", "price", "since", "@metadata"}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=3)
    | st.just(1.0),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)
NAMES = st.text(st.characters(exclude_characters="_", codec="utf-8"), max_size=3)
OTHERS = st.dictionaries(NAMES.filter(lambda name: name not in KNOWN), JSON, max_size=2)


def objects(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    named = st.fixed_dictionaries({}, optional=known)
    return st.tuples(OTHERS, named).map(lambda both: both[0] | both[1])


def numbered(lines: list[Document]) -> list[Document]:
    return [{**line, "product": f"p{number}"} for number, line in enumerate(lines)]


LINES = objects(product=st.text(max_size=3), price=PRICES, since=MOMENTS)
ORDERS = objects(
    name=st.text(max_size=3),
    count=COUNTS,
    placed=MOMENTS,
    lines=st.lists(LINES, max_size=3).map(numbered),
    by_key=st.dictionaries(NAMES, LINES, max_size=2),
    first=st.none() | LINES,
)
# Ten kinds times this many.
few = settings(max_examples=20, deadline=None)
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def loaded(order: Document, kind: Kind) -> Loaded:
    stored = {kind.by_key if name == "by_key" else name: each for name, each in order.items()}
    return Loaded(stored, kind.order)


@kinds
@few
@given(order=ORDERS)
def test_what_was_not_changed_is_not_saved(kind: Kind, order: Document) -> None:
    assert not loaded(order, kind).is_changed


@kinds
@few
@given(order=ORDERS)
def test_a_changed_field_is_all_that_changes(kind: Kind, order: Document) -> None:
    found = loaded(order, kind)
    kind.change(found.entity, "name", "another name")
    assert canonical(found.saved()) == canonical({**found.stored, "name": "another name"})


@kinds
@few
@given(order=ORDERS.filter(lambda order: order.get("lines")), data=st.data())
def test_a_changed_field_of_an_item_is_all_that_changes(
    kind: Kind, order: Document, data: st.DataObject
) -> None:
    found = loaded(order, kind)
    lines = kind.get(found.entity, "lines")
    place = data.draw(st.integers(0, len(lines) - 1))
    lines[place] = kind.change_line(lines[place], "product", "another")
    expected = [dict(each) for each in order["lines"]]
    expected[place]["product"] = "another"
    assert canonical(found.saved()) == canonical({**found.stored, "lines": expected})


@kinds
@few
@given(order=ORDERS.filter(lambda order: order.get("lines")), data=st.data())
def test_items_that_move_take_their_unknown_fields_along(
    kind: Kind, order: Document, data: st.DataObject
) -> None:
    found = loaded(order, kind)
    lines = kind.get(found.entity, "lines")
    places = data.draw(st.permutations(range(len(lines))))
    left = places[: data.draw(st.integers(0, len(places)))]
    lines[:] = [lines[place] for place in left]
    expected = [order["lines"][place] for place in left]
    assert canonical(found.saved()) == canonical({**found.stored, "lines": expected})


@kinds
@few
@given(order=ORDERS.filter(lambda order: order.get("first") or order.get("by_key")))
def test_objects_in_fields_and_under_keys_keep_theirs(kind: Kind, order: Document) -> None:
    found = loaded(order, kind)
    expected = dict(found.stored)
    if order.get("first"):
        first = kind.change_line(kind.get(found.entity, "first"), "product", "changed")
        kind.change(found.entity, "first", first)
        expected["first"] = {**order["first"], "product": "changed"}
    if order.get("by_key"):
        by_key = kind.get(found.entity, "by_key")
        expected[kind.by_key] = dict(order["by_key"])
        for key, line in order["by_key"].items():
            by_key[key] = kind.change_line(by_key[key], "product", "changed")
            expected[kind.by_key][key] = {**line, "product": "changed"}
    assert canonical(found.saved()) == canonical(expected)


def test_a_new_item_has_no_unknown_fields_of_another() -> None:
    found = Loaded({"lines": [{"product": "a", "vat": 7}, {"product": "b", "vat": 8}]}, Order)
    found.entity.lines.insert(0, Line("new"))
    found.entity.lines[1] = Line("instead of a")
    new, instead, old = found.saved()["lines"]
    assert new == {"product": "new", "price": None, "since": None}
    assert "vat" not in instead
    assert old == {"product": "b", "vat": 8}


def test_a_new_object_in_a_field_has_no_unknown_fields_of_the_old_one() -> None:
    found = Loaded({"first": {"product": "a", "vat": 7}}, Order)
    found.entity.first = Line("b")
    assert "vat" not in found.saved()["first"]


def test_an_object_that_moves_to_another_field_takes_its_fields_along() -> None:
    found = Loaded({"first": {"product": "a", "vat": 7}, "lines": []}, Order)
    found.entity.lines.append(found.entity.first)
    found.entity.first = None
    assert found.saved() == {"first": None, "lines": [{"product": "a", "vat": 7}]}


def test_a_copy_of_a_frozen_item_stands_for_it_only_in_its_place() -> None:
    found = Loaded({"lines": [{"product": "a", "vat": 7}]}, SlottedOrder)
    found.entity.lines.append(FrozenLine(product="b"))
    first, second = found.saved()["lines"]
    assert first == {"product": "a", "vat": 7}
    assert "vat" not in second


@dataclass
class Forms:
    moment: datetime | None = None
    day: date | None = None
    price: Decimal | None = None
    count: int = 0
    ratio: float = 0.0
    moments: list[datetime] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    note: str = ""


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("moment", "2026-01-02T03:04:05.1234567Z"),
        ("moment", "2026-01-02T03:04:05+05:00"),
        ("moment", "2026-01-02"),
        ("day", "2026-01-02T00:00:00.0000000"),
        ("price", 1.5),
        ("count", 7.0),
        ("ratio", 7),
        ("moments", ["2026-01-02T03:04:05.1234567Z", "2026-01-02"]),
        ("names", ["b", "a", "b"]),
    ],
)
def test_the_form_of_what_did_not_change_is_kept(name: str, form: object) -> None:
    found = Loaded({name: form}, Forms)
    assert not found.is_changed
    found.entity.note = "x"
    assert canonical(found.saved()) == canonical({name: form, "note": "x"})


def test_items_that_stay_in_a_changed_list_keep_their_form() -> None:
    one, two = "2026-01-02T03:04:05.1234567Z", "2026-01-03"
    found = Loaded({"moments": [one, two]}, Forms)
    found.entity.moments = [datetime(2026, 1, 1, tzinfo=UTC), *reversed(found.entity.moments)]
    assert found.saved() == {"moments": ["2026-01-01T00:00:00.0000000Z", two, one]}


def test_a_deleted_attribute_and_key_are_deleted() -> None:
    found = Loaded({"by_key": {"a": {"product": "a", "vat": 1}, "b": {"product": "b"}}}, Order)
    del found.entity.by_key["a"]
    assert found.saved() == {"by_key": {"b": {"product": "b"}}}


class Sorted(pydantic.BaseModel):
    names: list[str] = []
    note: str = ""

    @pydantic.field_validator("names")
    @classmethod
    def in_order(cls, names: list[str]) -> list[str]:
        return sorted(names)


class Choosy(pydantic.BaseModel):
    name: str = pydantic.Field(
        "", validation_alias=pydantic.AliasChoices("fullName", "name"), serialization_alias="name"
    )
    note: str = ""


def test_what_a_validator_made_of_a_list_is_not_mixed_with_what_was_stored() -> None:
    found = Loaded({"names": ["b", "a"], "vat": 1}, Sorted)
    found.entity.note = "x"
    assert found.saved() == {"names": ["b", "a"], "vat": 1, "note": "x"}
    found.entity.names.append("c")
    assert found.saved() == {"names": ["a", "b", "c"], "vat": 1, "note": "x"}


def test_a_field_that_was_stored_under_another_name_stays_under_it() -> None:
    found = Loaded({"fullName": "Ann"}, Choosy)
    assert found.entity.name == "Ann"
    found.entity.name = "Bob"
    assert found.saved() == {"fullName": "Bob"}


def test_an_entity_shares_nothing_with_the_document_it_was_read_from() -> None:
    @dataclass
    class Free:
        anything: Any
        note: str = ""

    found = Loaded({"anything": {"list": [1]}, "vat": 1}, Free)
    before = found.entity.anything
    found.entity.anything = {"list": [1]}
    before["list"].append(2)
    found.entity.note = "x"
    assert found.saved() == {"anything": {"list": [1]}, "vat": 1, "note": "x"}


async def test_sessions_keep_the_unknown_fields_of_items_save_after_save(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    lines = [{"product": "a", "vat": 7}, {"product": "b", "vat": 8}]
    wire.loaded(document("orders/1", lines=lines, collection="Orders"))
    wire.saved(put_result("orders/1"))
    wire.saved(put_result("orders/1"))
    async with store.open_session() as session:
        order = await session.load("orders/1", Order)
        assert order is not None
        assert not session.has_changes()
        order.lines.reverse()
        await session.save_changes()
        assert wire.commands[0]["Document"]["lines"] == lines[::-1]
        assert not session.has_changes()
        order.lines[0].product = "c"
        await session.save_changes()
    saved = wire.commands[0]["Document"]
    saved.pop("@metadata")
    assert saved == {"lines": [{"product": "c", "vat": 8}, {"product": "a", "vat": 7}]}


@kinds
async def test_entities_of_every_kind_are_refreshed_in_place(
    kind: Kind, wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("orders/1", name="old", collection="Orders"))
    wire.loaded(document("orders/1", name="new", lines=[{"vat": 7}], collection="Orders"))
    async with store.open_session() as session:
        order = await session.load("orders/1", kind.order)
        assert await session.refresh(order) is order
        assert kind.get(order, "name") == "new"
        assert len(kind.get(order, "lines")) == 1
        assert not session.has_changes()


@dataclass
class Diary:
    days: set[datetime] = field(default_factory=set)
    nights: list[datetime] = field(default_factory=list)
    note: str = ""


def test_many_items_are_found_again_without_comparing_each_with_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every one of them is written differently than it was stored, with seven digits."""
    items = 500
    compared = 0

    def counted(plain: Any) -> bytes:
        nonlocal compared
        compared += 1
        return canonical(plain)

    monkeypatch.setattr("quoth.entities.origins.canonical", counted)
    moments = [f"2026-01-01T10:{at // 60:02d}:{at % 60:02d}.1234567Z" for at in range(items)]
    found = Loaded({"days": moments, "nights": moments, "note": "", "more": 1}, Diary)
    found.entity.note = "changed"
    saved = found.saved()
    assert (saved["nights"], saved["days"], saved["more"]) == (moments, moments, 1)
    assert compared < 20 * items


@dataclass(frozen=True)
class Tag:
    name: str
    weight: int = 1


@dataclass
class Tagged:
    tags: set[Tag] = field(default_factory=set)
    note: str = ""


def test_objects_in_a_set_keep_their_unknown_fields_whatever_their_shapes() -> None:
    tags = [
        {"name": "a", "colour": "red"},
        {"name": "b", "weight": 2, "colour": "blue"},
        {"name": "c", "weight": 3},
        {"name": "a", "weight": 4, "colour": "green"},
    ]
    found = Loaded({"tags": tags, "note": ""}, Tagged)
    found.entity.tags.add(Tag("new"))
    saved = found.saved()["tags"]
    assert sorted(map(canonical, saved)) == sorted(
        map(canonical, [*tags, {"name": "new", "weight": 1}])
    )
