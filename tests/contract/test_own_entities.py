"""Entities of every kind on a real node: what other programs stored is not harmed by ours."""

from typing import Any

import pytest
import requests
from ravendb import DocumentStore as OfficialStore

from quoth import AsyncDocumentStore
from tests.client.entity_kinds import KINDS, Kind
from tests.client.test_conventions import Animal

ORDER: dict[str, Any] = {
    "name": "old",
    "count": 7.0,
    "vat": {"rate": 19, "since": "2020"},
    "placed": "2026-01-02T03:04:05.1234567Z",
    "lines": [
        {"product": "a", "price": 1.5, "note": "keep me"},
        {"product": "b", "since": "2026-01-02T03:04:05.7654321Z", "colour": None},
    ],
}


def put(node_url: str, database: str, key: str, body: dict[str, Any]) -> None:
    url = f"{node_url}/databases/{database}/docs"
    requests.put(url, params={"id": key}, json=body, timeout=10).raise_for_status()


def stored(node_url: str, database: str, key: str) -> dict[str, Any]:
    answer = requests.get(f"{node_url}/databases/{database}/docs", {"id": key}, timeout=10)
    (found,) = answer.json()["Results"]
    found.pop("@metadata")
    return dict(found)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_a_change_of_ours_is_all_that_changes(
    kind: Kind, node_url: str, database: str
) -> None:
    put(node_url, database, "orders/1", {**ORDER, "@metadata": {"@collection": "Orders"}})
    async with AsyncDocumentStore(node_url, database) as store, store.open_session() as session:
        order = await session.load("orders/1", kind.order)
        kind.get(order, "lines").reverse()
        kind.change(order, "name", "new")
        await session.save_changes()
    lines = ORDER["lines"][::-1]
    assert stored(node_url, database, "orders/1") == {**ORDER, "name": "new", "lines": lines}


async def test_the_official_client_reads_what_has_a_lower_case_identity(
    node_url: str, database: str
) -> None:
    async with AsyncDocumentStore(node_url, database) as store, store.open_session() as session:
        key = await session.store(Animal("Rex"))
        await session.save_changes()
    assert stored(node_url, database, key) == {"name": "Rex"}
    with OfficialStore(node_url, database) as official:
        official.initialize()
        with official.open_session() as theirs:
            animal = theirs.load(key, Animal)
            assert (animal.name, animal.id) == ("Rex", None)
