"""Names, ids and classes go by conventions, and data never chooses what is imported."""

import sys
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from quoth import AsyncDocumentStore, Conventions, Misuse
from tests.client.entities import Company, Employee
from tests.client.wire import URL, Wire, document, put_result

NAME = "tests.client.test_conventions.Dog"


@dataclass
class Animal:
    name: str
    id: str | None = None


@dataclass
class Dog(Animal):
    tricks: int = 0


def kept(**fields: Any) -> dict[str, Any]:
    found = document("dogs/1", collection="Dogs", **fields)
    found["@metadata"]["Raven-Python-Type"] = NAME
    return found


def opened(wire: Wire, conventions: Conventions) -> AsyncDocumentStore:
    return AsyncDocumentStore([URL], "shop", conventions=conventions, transport=wire.transport)


async def test_collections_and_ids_go_by_the_programs_own_rules(wire: Wire) -> None:
    conventions = Conventions(
        collection_names={Employee: "Staff"},
        find_collection_name=lambda kind: "Firms" if kind is Company else None,
        transform_class_collection_name_to_document_id_prefix=lambda name: f"{name.lower()}-of",
        find_python_class_name=lambda kind: f"app.{kind.__name__}",
        find_identity_property_name=lambda kind: "name" if kind is Animal else "Id",
    )
    assert conventions.get_collection_name(Company("x")) == "Firms"
    assert conventions.get_collection_name(Employee) == "Staff"
    assert conventions.collection_of(Animal) == "Animals"
    lent = {"Prefix": "firms-of/", "LastSize": 2, "ServerTag": "A", "LastRangeAt": "2026-x"}
    wire.on("GET", "/hilo/next", {**lent, "Low": 1, "High": 2}, status=201)
    wire.saved(put_result("firms-of/1-A"), put_result("animals/7"))
    store = opened(wire, conventions)
    async with store.open_session() as session:
        assert await session.store(Company("Quoth")) == "firms-of/1-A"
        assert await session.store(Animal("animals/7", "a field like any other")) == "animals/7"
        await session.save_changes()
    assert wire.asked[0].query["tag"] == "firms-of"
    company, animal = (each["Document"] for each in wire.commands)
    assert company["@metadata"] == {"@collection": "Firms", "Raven-Python-Type": "app.Company"}
    assert {**animal, "@metadata": 0} == {"id": "a field like any other", "@metadata": 0}


async def test_a_program_may_make_ids_itself(wire: Wire) -> None:
    made = Conventions(document_id_generator=lambda name, entity: f"{name}/{entity!r:.6}")
    async with opened(wire, made).open_session() as session:
        company = Company("Quoth")
        assert await session.store(company) == "shop/Compan"
        assert company.Id == "shop/Compan"


async def test_an_id_in_lower_case_is_an_identity_too(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.saved(put_result("animals/24"))
    wire.loaded(document("animals/25", name="Tom", collection="Animals"))
    async with store.open_session() as session:
        animal = Animal("Rex")
        await session.store(animal, "animals|")
        await session.save_changes()
        assert animal.id == "animals/24"
        loaded = await session.load("animals/25", Animal)
        assert loaded == Animal("Tom", "animals/25")
        assert not session.advanced.has_changes()
    assert "id" not in wire.asked[0].json["Commands"][0]["Document"]


async def test_without_a_type_a_document_is_a_dictionary(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(kept(name="Rex"))
    async with store.open_session() as session:
        assert await session.load("dogs/1") == {"name": "Rex"}


async def test_a_registered_class_is_found_by_the_name_in_a_document(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    assert store.conventions.register(Dog) is Dog
    for _ in range(3):
        wire.loaded(kept(name="Rex", tricks=2))
    async with store.open_session() as session:
        dog = await session.load("dogs/1")
        assert dog == Dog("Rex", "dogs/1", 2)
        assert await session.load("dogs/1", Animal) is dog
        with pytest.raises(Misuse, match="is already a Dog in this session, not a Company"):
            await session.load("dogs/1", Company)
    async with store.open_session() as session:
        animal = await session.load("dogs/1", Animal)
        assert type(animal) is Dog
    async with store.open_session() as session:
        assert await session.load("dogs/1", dict) == {"name": "Rex", "tricks": 2}


async def test_the_program_may_say_which_class_a_document_is_of(wire: Wire) -> None:
    conventions = Conventions(find_python_class=lambda key, _: NAME if "dogs" in key else None)
    conventions.register(Dog)
    wire.loaded(document("dogs/1", name="Rex"))
    async with opened(wire, conventions).open_session() as session:
        assert await session.load("dogs/1") == Dog("Rex", "dogs/1")


async def test_no_document_makes_the_client_import_anything(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    hostile = kept(name="Rex")
    hostile["@metadata"]["Raven-Python-Type"] = "antigravity.Dog"
    wire.loaded(hostile)
    async with store.open_session() as session:
        assert await session.load("dogs/1") == {"name": "Rex"}
    assert "antigravity" not in sys.modules


def test_two_classes_of_one_name_are_not_registered() -> None:
    conventions = Conventions()
    conventions.register(Dog)
    conventions.register(Dog)
    other = type("Dog", (), {"__module__": Dog.__module__})
    with pytest.raises(Misuse, match="another class is registered"):
        conventions.register(other)


async def test_queries_know_the_identity_of_a_class(wire: Wire, store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        lower = session.query(object_type=Animal).where_equals("id", "animals/1")
        upper = session.query(object_type=Company).where_equals("Id", "companies/1")
        field = session.query(object_type=Company).where_equals("id", 7)
        assert str(lower) == "from 'Animals' where id() = $p0"
        assert str(upper) == "from 'Companies' where id() = $p0"
        assert str(field) == "from 'Companies' where id = $p0"


async def test_a_query_without_a_type_gives_registered_classes(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    store.conventions.register(Dog)
    cat = document("cats/1", collection="Cats", name="Tom")
    wire.on("POST", "/queries", {"Results": [kept(name="Rex"), cat], "TotalResults": 2})
    async with store.open_session() as session:
        dog, other = await session.query_collection("Pets").to_list()
        assert dog == Dog("Rex", "dogs/1")
        assert other == {"name": "Tom"}


class Account:
    """Its id is made of what it holds."""

    def __init__(self, email: str = "") -> None:
        self.email = email

    @property
    def Id(self) -> str:
        return f"accounts/{self.email}"


async def test_an_id_may_be_computed(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("accounts/ann"))
    wire.loaded(document("accounts/bea", email="bea"))
    async with store.open_session() as session:
        assert await session.store(Account("ann")) == "accounts/ann"
        await session.save_changes()
        assert wire.commands[0]["Document"]["email"] == "ann"
        bea = await session.load("accounts/bea", Account)
        assert bea is not None and bea.Id == "accounts/bea"


async def test_what_has_no_fields_is_no_entity(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        for bad in (b"x", {1}, datetime(2026, 1, 1), 1.5, Decimal(1), {"@metadata": None}):
            with pytest.raises(Misuse):
                await session.store(bad, "things/1")
        assert not session.has_changes()
