"""What changed is told member by member."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quoth import AsyncDocumentStore, DocumentsChanges
from quoth.changes import changes_between
from tests.client.entities import Address, Company
from tests.client.wire import Wire, document

Kind = DocumentsChanges.ChangeType


def told(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (each.change, each.field_full_name, each.field_old_value, each.field_new_value)
        for each in changes_between(old, new)
    ]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [(Kind.FIELD_CHANGED, "a", 1, 2)]),
        ({"a": 1}, {"a": 1.0}, [(Kind.FIELD_CHANGED, "a", 1, 1.0)]),
        ({"a": 1}, {"a": True}, [(Kind.FIELD_CHANGED, "a", 1, True)]),
        ({}, {"a": None}, [(Kind.NEW_FIELD, "a", None, None)]),
        ({"a": 1}, {}, [(Kind.REMOVED_FIELD, "a", 1, None)]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [(Kind.FIELD_CHANGED, "a.b", 1, 2)]),
        ({"a": {"b": 1}}, {"a": [1]}, [(Kind.FIELD_CHANGED, "a", {"b": 1}, [1])]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [(Kind.ARRAY_VALUE_CHANGED, "a[1]", 2, 3)]),
        ({"a": [1]}, {"a": [1, 2]}, [(Kind.ARRAY_VALUE_ADDED, "a[1]", None, 2)]),
        ({"a": [1, 2]}, {"a": [1]}, [(Kind.ARRAY_VALUE_REMOVED, "a[1]", 2, None)]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [(Kind.FIELD_CHANGED, "a[0].b", 1, 2)]),
        ({"a": [[1]]}, {"a": [[2]]}, [(Kind.ARRAY_VALUE_CHANGED, "a[0][0]", 1, 2)]),
    ],
)
def test_each_kind_of_change(old: Any, new: Any, changes: list[Any]) -> None:
    assert told(old, new) == changes


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json))
def test_nothing_has_changed_between_equals(value: dict[str, Any]) -> None:
    assert changes_between(value, value) == []


async def test_a_session_tells_of_all_its_documents(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(
        document("companies/1", name="One", address={"city": "Rome"}),
        document("companies/2", name="Two"),
    )
    async with store.open_session() as session:
        found = await session.load(["companies/1", "companies/2"], Company)
        one, two = found["companies/1"], found["companies/2"]
        assert one is not None and isinstance(one.address, Address)
        one.address.city = "Oslo"
        session.get_metadata_for(one)["colour"] = "red"
        session.delete(two)
        await session.store(Company("Three"), "companies/3")
        changed = session.what_changed()
        assert {key: [each.change for each in changed[key]] for key in changed} == {
            "companies/1": [Kind.FIELD_CHANGED, Kind.NEW_FIELD],
            "companies/2": [Kind.DOCUMENT_DELETED],
            "companies/3": [Kind.DOCUMENT_ADDED],
        }
        names = [each.field_full_name for each in session.what_changed_for(one)]
        assert names == ["address.city", "@metadata.colour"]
        session.ignore_changes_for(one)
        assert session.what_changed_for(one) == []
