"""The scenarios with the official client, as its documentation writes them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ravendb import (
    DocumentStore,
    GetCompareExchangeValueOperation,
    SeedIdentityForOperation,
    SessionOptions,
    TransactionMode,
)
from ravendb.documents.conventions import ShouldIgnoreEntityChanges
from ravendb.exceptions.raven_exceptions import ConcurrencyException
from ravendb.serverwide.database_record import DatabaseRecord
from ravendb.serverwide.operations.common import CreateDatabaseOperation

from scripts.demonstration.raw import expect_everywhere
from scripts.demonstration.report import Report, expect
from scripts.demonstration.shop import Company, Employee, Invoice, Product, User

PART = "official client"
CLUSTER_WIDE = SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)


def run(report: Report, urls: Sequence[str], database: str) -> None:
    """All scenarios, each a step."""
    report.part(PART, "the Python client of RavenDB, unchanged")
    with _open(urls, database) as store:
        with report.step("a database is created on every node") as step:
            store.maintenance.server.send(CreateDatabaseOperation(DatabaseRecord(database), 3))
            step.detail = database
        seed_identity(report, store)
        save_changes(report, store)
        save_cluster_wide(report, store)
        number_without_gaps(report, store)
        disable_tracking(report, store)
    ignore_by_convention(report, urls, database)


def seed_identity(report: Report, store: Any) -> None:
    with report.step("seeded to 23, companies| gives companies/24") as step:
        store.maintenance.send(SeedIdentityForOperation("companies|", 23))
        step.detail = _store_company(store)
        expect(step.detail == "companies/24", f"it gave {step.detail}")
    with report.step("forced down to 5, companies| gives companies/6") as step:
        store.maintenance.send(SeedIdentityForOperation("companies|", 5, force_update=True))
        step.detail = _store_company(store)
        expect(step.detail == "companies/6", f"it gave {step.detail}")


def save_changes(report: Report, store: Any) -> None:
    with report.step("a batch is saved whole") as step:
        with store.open_session() as session:
            for number in range(3):
                session.store(Product(f"chair {number}", 10), f"products/{number}")
            session.save_changes()
        found = _load(store, [f"products/{number}" for number in range(3)], Product)
        expect(None not in found.values(), f"only some are there: {found}")
        step.detail = "3 documents"
    with report.step("a batch with one conflict leaves nothing") as step:
        with store.open_session() as session:
            session.advanced.use_optimistic_concurrency = True
            session.store(Product("new"), "products/half")
            session.store(Product("exists already"), "products/0")
            step.detail = _refused(session)
        found = _load(store, ["products/half"], Product)
        expect(found["products/half"] is None, "half of the batch was saved")
    with report.step("a save waits for 2 replicas: every node has it by itself") as step:
        with store.open_session() as session:
            session.advanced.wait_for_replication_after_save_changes(
                lambda wait: wait.number_of_replicas(2)
            )
            product = Product("on every node")
            session.store(product)
            session.save_changes()
        expect_everywhere(store.urls, store.database, [str(product.Id)], locally=True)
        step.detail = str(product.Id)
    with report.step("a save waits for indexes"), store.open_session() as session:
        session.advanced.wait_for_indexes_after_save_changes()
        session.store(Product("indexed"))
        session.save_changes()


def save_cluster_wide(report: Report, store: Any) -> None:
    with report.step("a user and usernames/John are created together") as step:
        with store.open_session(session_options=CLUSTER_WIDE) as session:
            user_id = _sign_up(session)
            session.save_changes()
        reserved = store.operations.send(GetCompareExchangeValueOperation("usernames/John", str))
        expect(reserved.value == user_id, f"usernames/John is {reserved.value}")
        step.detail = f"usernames/John -> {user_id}"
    with report.step("a second John is refused, and nothing of him stays") as step:
        with store.open_session(session_options=CLUSTER_WIDE) as session:
            user_id = _sign_up(session)
            step.detail = _refused(session)
        expect(_load(store, [user_id], User)[user_id] is None, f"{user_id} was saved")


def number_without_gaps(report: Report, store: Any) -> None:
    with report.step("invoice numbers have no gap, though two take them at once") as step:
        numbers = [_write_invoice(store), _write_invoice(store)]
        with (
            store.open_session(session_options=CLUSTER_WIDE) as first,
            store.open_session(session_options=CLUSTER_WIDE) as second,
        ):
            numbers.append(_take_invoice(first))
            expect(_take_invoice(second) == numbers[-1], "both read the same last number")
            first.save_changes()
            _refused(second)  # its number is not lost: nobody took it
        numbers.append(_write_invoice(store))
        expect(numbers == [1, 2, 3, 4], f"they are {numbers}")
        step.detail = "1, 2, 3, 4"


def disable_tracking(report: Report, store: Any) -> None:
    with report.step("ignore_changes_for: a change is not saved"):
        with store.open_session() as session:
            product = session.load("products/1", Product)
            session.advanced.ignore_changes_for(product)
            product.units_in_stock += 1
            session.save_changes()
        stock = _load(store, ["products/1"], Product)["products/1"].units_in_stock
        expect(stock == 10, f"the stock is {stock}")
    with report.step("no_tracking: loads are new each time, store is refused") as step:
        options = SessionOptions(no_tracking=True)
        with store.open_session(session_options=options) as session:
            one, other = session.load("products/1", Product), session.load("products/1", Product)
            expect(one is not other, "the second load gave the first one's entity")
            try:
                session.store(Product("never"))
            except RuntimeError as error:
                step.detail = str(error)
        expect(bool(step.detail), "store was not refused")


class IgnoreBob(ShouldIgnoreEntityChanges):  # type: ignore[misc]  # the client has no types
    """No change of an employee called Bob is saved."""

    def check(self, session_operations: Any, entity: object, document_id: str) -> bool:
        return isinstance(entity, Employee) and entity.first_name == "Bob"


def ignore_by_convention(report: Report, urls: Sequence[str], database: str) -> None:
    with report.step("should_ignore_entity_changes decides for the whole store"):
        store = DocumentStore(list(urls), database)
        store.conventions.should_ignore_entity_changes = IgnoreBob()
        store.initialize()
        with store, store.open_session() as session:
            alice, bob = Employee("Alice"), Employee("Bob")
            session.store(alice, "employees/1")
            session.store(bob, "employees/2")
            session.save_changes()
            alice.first_name, bob.first_name = "Bob", "Alice"
            session.save_changes()
        with _open(urls, database) as plain:
            found = _load(plain, ["employees/1", "employees/2"], Employee)
        names = [employee.first_name for employee in found.values()]
        expect(names == ["Alice", "Alice"], f"the names are {names}")


@contextmanager
def _open(urls: Sequence[str], database: str) -> Iterator[Any]:
    with DocumentStore(list(urls), database) as store:
        store.initialize()
        yield store


def _store_company(store: Any) -> str:
    with store.open_session() as session:
        company = Company("RavenDB")
        session.store(company, "companies|")
        session.save_changes()
        return str(company.Id)


def _load(store: Any, ids: list[str], kind: type[Any]) -> dict[str, Any]:
    with store.open_session() as session:
        found = {document_id: session.load(document_id, kind) for document_id in ids}
    return found


def _sign_up(session: Any) -> str:
    user = User("John")
    session.store(user)
    session.advanced.cluster_transaction.create_compare_exchange_value("usernames/John", user.Id)
    return str(user.Id)


def _take_invoice(session: Any) -> int:
    """The next number and its invoice, both in one cluster transaction."""
    values = session.advanced.cluster_transaction
    last = values.get_compare_exchange_value("sequences/invoices", dict)
    if last is None:
        last = values.create_compare_exchange_value("sequences/invoices", {"last": 0})
    number = int(last.value["last"]) + 1
    last.value = {"last": number}
    session.store(Invoice(number), f"invoices/{number}")
    return number


def _write_invoice(store: Any) -> int:
    with store.open_session(session_options=CLUSTER_WIDE) as session:
        number = _take_invoice(session)
        session.save_changes()
    return number


def _refused(session: Any) -> str:
    try:
        session.save_changes()
    except ConcurrencyException as error:
        return str(error)
    raise AssertionError("the save was not refused")
