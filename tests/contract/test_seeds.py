"""What the documents of the product promise, each promise run against a node.

Three pages describe it: disabling the tracking of entities, saving changes, seeding identities.
Their examples are here with their names, and `quoth` in place of the client they are for.
"""

import unittest
from collections.abc import Iterator
from datetime import timedelta

import pytest

from quoth import (
    DocumentSession,
    DocumentStore,
    InMemoryDocumentSessionOperations,
    MaintenanceOperation,
    ReplicationTimeout,
    SeedIdentityForOperation,
    SessionOptions,
    ShouldIgnoreEntityChanges,
    TransactionMode,
)

case = unittest.TestCase()


class Product:
    def __init__(self, units_in_stock: int = 0, Id: str | None = None) -> None:
        self.units_in_stock = units_in_stock
        self.Id = Id


class Employee:
    def __init__(
        self, first_name: str | None = None, last_name: str | None = None, Id: str | None = None
    ) -> None:
        self.first_name = first_name
        self.last_name = last_name
        self.Id = Id


class Company:
    def __init__(self, name: str | None = None, Id: str | None = None) -> None:
        self.name = name
        self.Id = Id


@pytest.fixture
def store(node_url: str, database: str) -> Iterator[DocumentStore]:
    with DocumentStore(node_url, database) as opened:
        opened.initialize()
        with opened.open_session() as session:
            session.store(Product(10), "products/1-A")
            session.store(Employee("Robert", "King"), "employees/1-A")
            session.save_changes()
        yield opened


def stored(store: DocumentStore, key: str, kind: type) -> object:
    with store.open_session() as session:
        return session.load(key, kind)


# Disable entity tracking.


def test_tracking_is_disabled_for_an_entity(store: DocumentStore) -> None:
    with store.open_session() as session:
        product = session.load("products/1-A", Product)
        assert product is not None
        session.ignore_changes_for(product)
        product.units_in_stock += 1
        session.save_changes()

        asked = session.advanced.number_of_requests
        assert session.load("products/1-A", Product) is product
        assert session.advanced.number_of_requests == asked
    with store.open_session() as session:
        again = session.load("products/1-A", Product)
        assert again is not None and again.units_in_stock == 10


def test_tracking_is_disabled_for_a_session(store: DocumentStore) -> None:
    with store.open_session(SessionOptions(no_tracking=True)) as session:
        employee1 = session.load("employees/1-A", Employee)
        employee2 = session.load("employees/1-A", Employee)
        case.assertNotEqual(employee1, employee2)
        assert session.advanced.number_of_requests == 2
        with pytest.raises(Exception, match="no_tracking"):
            session.store(Employee("Ann"))


def test_tracking_is_disabled_for_the_results_of_a_query(store: DocumentStore) -> None:
    with store.open_session() as session:
        employees_results = list(
            session.advanced.document_query(object_type=Employee)
            .no_tracking()
            .where_equals("first_name", "Robert")
        )
        first_employee = employees_results[0]
        first_employee.last_name = "NewName"
        session.save_changes()
    with store.open_session() as session:
        again = session.load("employees/1-A", Employee)
        assert again is not None and again.last_name == "King"


def test_a_convention_decides_what_is_tracked(node_url: str, database: str) -> None:
    asked: list[tuple[object, object, str]] = []

    class MyCustomShouldIgnoreEntityChanges(ShouldIgnoreEntityChanges):
        def check(
            self,
            session_operations: InMemoryDocumentSessionOperations,
            entity: object,
            document_id: str,
        ) -> bool:
            asked.append((session_operations, entity, document_id))
            return isinstance(entity, Employee) and entity.first_name == "Bob"

    with DocumentStore(node_url, database) as store:
        store.conventions.should_ignore_entity_changes = MyCustomShouldIgnoreEntityChanges
        store.initialize()
        with store.open_session() as session:
            employee1 = Employee(first_name="Alice", Id="employees/1")
            employee2 = Employee(first_name="Bob", Id="employees/2")
            session.store(employee1)
            session.store(employee2)
            session.save_changes()
            assert (session, employee2, "employees/2") in asked
            assert stored(store, "employees/2", Employee) is None

            employee1.first_name = "Bob"
            employee2.first_name = "Alice"
            session.save_changes()
        with store.open_session() as session:
            first = session.load("employees/1", Employee)
            second = session.load("employees/2", Employee)
            assert first is not None and first.first_name == "Alice"
            assert second is not None and second.first_name == "Alice"


def test_the_class_of_sessions_has_the_names_programs_annotate_with() -> None:
    assert issubclass(DocumentSession, InMemoryDocumentSessionOperations)


# Saving changes.


def test_changes_are_saved_together(store: DocumentStore) -> None:
    with store.open_session() as session:
        session.store(Employee(first_name="John", last_name="Doe"))
        session.save_changes()


def test_a_save_waits_for_indexes(store: DocumentStore) -> None:
    def _build_wait(
        idx_wait_opt_builder: InMemoryDocumentSessionOperations.IndexesWaitOptsBuilder,
    ) -> None:
        idx_wait_opt_builder.wait_for_indexes("index/1", "index/2")

    with store.open_session() as session:
        session.advanced.wait_for_indexes_after_save_changes(_build_wait)
        session.store(Employee(first_name="John", last_name="Doe"))
        session.save_changes()


def test_a_save_waits_for_replicas(store: DocumentStore) -> None:
    def _build_wait(
        repl_wait_builder: InMemoryDocumentSessionOperations.ReplicationWaitOptsBuilder,
    ) -> None:
        repl_wait_builder.throw_on_timeout(False)
        repl_wait_builder.number_of_replicas(2)
        repl_wait_builder.with_timeout(timedelta(milliseconds=100))

    employee = Employee(first_name="John", last_name="Doe")
    with store.open_session() as session:
        session.advanced.wait_for_replication_after_save_changes(_build_wait)
        session.store(employee)
        session.save_changes()
    assert employee.Id is not None and stored(store, employee.Id, Employee) is not None


def test_a_write_that_is_not_assured_is_an_error_and_stays(store: DocumentStore) -> None:
    with store.open_session() as session:
        session.advanced.wait_for_replication_after_save_changes(
            lambda wait: wait.with_timeout(timedelta(milliseconds=100))
        )
        session.store(Employee("John"), "employees/john")
        with pytest.raises(ReplicationTimeout):
            session.save_changes()
    assert stored(store, "employees/john", Employee) is not None


def test_a_unique_user_is_created_in_the_whole_cluster(store: DocumentStore) -> None:
    with store.open_session(
        SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)
    ) as session:
        user = Employee(first_name="John", last_name="Doe")
        session.store(user)
        session.advanced.cluster_transaction.create_compare_exchange_value(
            "usernames/John", user.Id
        )
        session.save_changes()
    with store.open_session(transaction_mode=TransactionMode.CLUSTER_WIDE) as session:
        transaction = session.advanced.cluster_transaction
        found = transaction.get_compare_exchange_value("usernames/John", str)
        assert found is not None and found.value == user.Id


# Seed identity operation.


def test_a_higher_identity_is_seeded(store: DocumentStore) -> None:
    seed_identity_op = SeedIdentityForOperation("companies|", 23)
    seeded_value = store.maintenance.send(seed_identity_op)
    assert seeded_value == 23
    company = Company(name="RavenDB")
    with store.open_session() as session:
        session.store(company, "companies|")
        session.save_changes()
    assert company.Id == "companies/24"


def test_a_lower_identity_is_forced(store: DocumentStore) -> None:
    store.maintenance.send(SeedIdentityForOperation("companies|", 23))
    assert store.maintenance.send(SeedIdentityForOperation("companies", 5)) == 23
    seed_identity_op = SeedIdentityForOperation("companies|", 5, force_update=True)
    seeded_value = store.maintenance.send(seed_identity_op)
    assert seeded_value == 5
    company = Company(name="RavenDB")
    with store.open_session() as session:
        session.store(company, "companies|")
        session.save_changes()
    assert company.Id == "companies/6"


def test_the_operation_is_one_of_maintenance() -> None:
    operation: MaintenanceOperation[int] = SeedIdentityForOperation(
        name="companies", value=5, force_update=False
    )
    assert operation == SeedIdentityForOperation("companies", 5)
