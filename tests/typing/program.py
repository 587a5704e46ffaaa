"""A program as a user writes it: `mypy --strict` and pyright accept it as it is.

It is not run. `assert_type` says what each call gives.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypedDict, TypeVar, assert_type

from quoth import (
    AsyncDocumentQuery,
    AsyncDocumentStore,
    CompareExchangeValue,
    ConcurrencyError,
    Conventions,
    DatabaseStatistics,
    DocumentQuery,
    DocumentStore,
    FateUnknown,
    GetStatisticsOperation,
    IncludeBuilder,
    NextIdentityForOperation,
    Session,
    SessionOptions,
    ShouldIgnoreEntityChanges,
    TransactionMode,
)

T = TypeVar("T")


@dataclass
class Address:
    city: str
    street: str = ""


@dataclass
class Company:
    name: str
    founded: datetime | None = None
    address: Address | None = None
    tags: list[str] = field(default_factory=list[str])
    id: str | None = None


@dataclass
class Page(Generic[T]):
    items: list[T]


class Prices(TypedDict):
    EUR: float


class NoDrafts(ShouldIgnoreEntityChanges):
    def check(self, session_operations: Any, entity: Any, document_id: str) -> bool:
        return document_id.startswith("drafts/")


def names_of(builder: IncludeBuilder) -> object:
    return builder.include_documents("address")


def conventions() -> Conventions:
    made = Conventions(
        should_ignore_entity_changes=NoDrafts,
        find_collection_name=lambda kind: "Firms" if kind is Company else None,
        request_timeout_seconds=5.0,
    )
    assert_type(made.register(Company), type[Company])
    return made


async def with_tasks() -> None:
    async with AsyncDocumentStore(["http://a:8080"], "shop", conventions=conventions()) as store:
        async with store.open_session() as session:
            assert_type(await session.load("companies/1", Company), Company | None)
            assert_type(await session.load(["companies/1"], Company), dict[str, Company | None])
            assert_type(await session.load("prices/1", Prices), Prices | None)
            assert_type(await session.load("companies/1"), Any | None)
            assert_type(await session.load("pages/1", Page[Company]), Page[Company] | None)
            assert_type(await session.advanced.load_starting_with("companies/"), list[Any])
            found = await session.load(("companies/1", "companies/2"), Company, names_of)
            for key, each in found.items():
                if each is not None:
                    print(key.upper(), each.name.upper())

            company = Company("Quoth", address=Address("Rome"))
            assert_type(await session.store(company), str)
            await session.store(company, "companies|")
            session.delete(company)
            session.delete("companies/7")
            await session.save_changes()

            assert_type(await session.advanced.exists("companies/1"), bool)
            assert_type(await session.advanced.refresh(company), Company)
            assert_type(session.advanced.get_metadata_for(company), dict[str, Any])
            assert_type(session.advanced.get_change_vector_for(company), str | None)
            lazy = session.advanced.lazily.load("companies/1", Company)
            assert_type(await lazy.value, Company | None)
            many = await session.advanced.load_starting_with("companies/", Company)
            assert_type(many, list[Company])
            result = await session.advanced.conditional_load("companies/1", "A:1", Company)
            assert_type(result.entity, Company | None)

            query = session.query(object_type=Company).where_equals("name", "Quoth")
            assert_type(query, AsyncDocumentQuery[Company])
            assert_type(await query.first_or_none(), Company | None)
            assert_type(await query.to_list(), list[Company])
            assert_type(await query.count(), int)
            assert_type(session.query(), AsyncDocumentQuery[Any])
            async for each in query.order_by("name").take(10):
                assert_type(each, Company)
            raw = session.raw_query("from Companies where name = $name", Company)
            assert_type(await raw.add_parameter("name", "x").single(), Company)

        options = SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)
        async with store.open_session(session_options=options) as session:
            cluster = session.advanced.cluster_transaction
            value = await cluster.get_compare_exchange_value("prices", Prices)
            assert_type(value, CompareExchangeValue[Prices] | None)
            if value is not None:
                value.value["EUR"] += 1
            assert_type(
                cluster.create_compare_exchange_value("count", 7), CompareExchangeValue[int]
            )
            values = await cluster.get_compare_exchange_values(["a", "b"], Prices)
            assert_type(values, dict[str, CompareExchangeValue[Prices] | None])
            anything = await cluster.get_compare_exchange_values(["a", "b"])
            assert_type(anything, dict[str, CompareExchangeValue[Any] | None])
            try:
                await session.save_changes()
            except (ConcurrencyError, FateUnknown) as error:
                print(error)

        assert_type(await store.maintenance.send(GetStatisticsOperation()), DatabaseStatistics)
        assert_type(await store.send(NextIdentityForOperation("companies|")), int)


def with_threads() -> None:
    with DocumentStore("http://a:8080", "shop") as store:
        store.conventions.max_number_of_requests_per_session = 100
        with store.open_session() as session:
            assert_type(session, Session)
            assert_type(session.load("companies/1", Company), Company | None)
            assert_type(session.load(["companies/1"], Company), dict[str, Company | None])
            assert_type(session.load("companies/1"), Any | None)
            with_include = session.include("address").load("companies/1", Company)
            assert_type(with_include, Company | None)
            cities = session.query(object_type=Company).select_fields(Address)
            assert_type(cities, DocumentQuery[Address])
            for city in cities:
                assert_type(city, Address)
            company = Company("Quoth")
            assert_type(session.store(company), str)
            session.advanced.increment(company, "employees", 1)
            session.advanced.patch("companies/1", "name", "Quoth & Sons")
            session.advanced.wait_for_replication_after_save_changes(
                lambda wait: wait.number_of_replicas(2)
            )
            session.save_changes()
            lazy = session.advanced.lazily.load("companies/1", Company)
            assert_type(lazy.value, Company | None)
        assert_type(store.send(GetStatisticsOperation()), DatabaseStatistics)
