"""The same scenarios with the client of this house."""

from collections.abc import Sequence

from quoth import (
    ClusterTransactionConflict,
    ConcurrencyError,
    Conventions,
    CreateDatabaseOperation,
    DocumentStore,
    GetCompareExchangeValueOperation,
    Misuse,
    SeedIdentityForOperation,
    Session,
    SessionOptions,
    TransactionMode,
)
from scripts.demonstration.raw import expect_everywhere
from scripts.demonstration.report import Report, expect
from scripts.demonstration.shop import Company, Employee, Invoice, Product, User

PART = "our client"
CLUSTER_WIDE = SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)


def run(report: Report, urls: Sequence[str], database: str) -> None:
    """All scenarios, each a step."""
    report.part(PART, "the client of this house")
    with DocumentStore(urls, database) as store:
        with report.step("a database is created on every node") as step:
            store.maintenance.server.send(CreateDatabaseOperation(database))
            step.detail = database
        seed_identity(report, store)
        save_changes(report, store)
        save_cluster_wide(report, store)
        number_without_gaps(report, store)
        disable_tracking(report, store)
    ignore_by_convention(report, urls, database)


def seed_identity(report: Report, store: DocumentStore) -> None:
    with report.step("seeded to 23, companies| gives companies/24") as step:
        store.maintenance.send(SeedIdentityForOperation("companies|", 23))
        step.detail = _store_company(store)
        expect(step.detail == "companies/24", f"it gave {step.detail}")
    with report.step("forced down to 5, companies| gives companies/6") as step:
        store.maintenance.send(SeedIdentityForOperation("companies|", 5, force_update=True))
        step.detail = _store_company(store)
        expect(step.detail == "companies/6", f"it gave {step.detail}")


def save_changes(report: Report, store: DocumentStore) -> None:
    with report.step("a batch is saved whole") as step:
        with store.open_session() as session:
            for number in range(3):
                session.store(Product(f"chair {number}", 10), f"products/{number}")
            session.save_changes()
        with store.open_session() as session:
            found = session.load([f"products/{number}" for number in range(3)], Product)
        expect(None not in found.values(), f"only some are there: {found}")
        step.detail = "3 documents"
    with report.step("a batch with one conflict leaves nothing") as step:
        with store.open_session(optimistic_concurrency=True) as session:
            session.store(Product("new"), "products/half")
            session.store(Product("exists already"), "products/0")
            step.detail = _refused(session)
        with store.open_session() as session:
            half = session.load("products/half", Product)
        expect(half is None, "half of the batch was saved")
    with report.step("a save waits for 2 replicas: every node has it by itself") as step:
        with store.open_session() as session:
            session.wait_for_replication(2)
            step.detail = session.store(Product("on every node"))
            session.save_changes()
        expect_everywhere(store.urls, store.database or "", [step.detail], locally=True)
    with report.step("a save waits for indexes"), store.open_session() as session:
        session.wait_for_indexes()
        session.store(Product("indexed"))
        session.save_changes()


def save_cluster_wide(report: Report, store: DocumentStore) -> None:
    with report.step("a user and usernames/John are created together") as step:
        with store.open_session(CLUSTER_WIDE) as session:
            user_id = _sign_up(session)
            session.save_changes()
        reserved = store.operations.send(GetCompareExchangeValueOperation("usernames/John"))
        expect(reserved is not None and reserved.value == user_id, f"it holds {reserved}")
        step.detail = f"usernames/John -> {user_id}"
    with report.step("a second John is refused, and nothing of him stays") as step:
        with store.open_session(CLUSTER_WIDE) as session:
            user_id = _sign_up(session)
            step.detail = _refused(session)
        with store.open_session() as session:
            expect(session.load(user_id, User) is None, f"{user_id} was saved")


def number_without_gaps(report: Report, store: DocumentStore) -> None:
    with report.step("invoice numbers have no gap, though two take them at once") as step:
        numbers = [_write_invoice(store), _write_invoice(store)]
        with store.open_session(CLUSTER_WIDE) as first, store.open_session(CLUSTER_WIDE) as second:
            numbers.append(_take_invoice(first))
            expect(_take_invoice(second) == numbers[-1], "both read the same last number")
            first.save_changes()
            _refused(second)  # its number is not lost: nobody took it
        numbers.append(_write_invoice(store))
        expect(numbers == [1, 2, 3, 4], f"they are {numbers}")
        step.detail = "1, 2, 3, 4"


def disable_tracking(report: Report, store: DocumentStore) -> None:
    with report.step("ignore_changes_for: a change is not saved"):
        with store.open_session() as session:
            product = session.load("products/1", Product)
            assert product is not None, "stored above"
            session.ignore_changes_for(product)
            product.units_in_stock += 1
            session.save_changes()
        with store.open_session() as session:
            again = session.load("products/1", Product)
        expect(again is not None and again.units_in_stock == 10, f"it is {again}")
    with report.step("no_tracking: loads are new each time, store is refused") as step:
        with store.open_session(no_tracking=True) as session:
            one, other = session.load("products/1", Product), session.load("products/1", Product)
            expect(one is not other, "the second load gave the first one's entity")
            try:
                session.store(Product("never"))
            except Misuse as error:
                step.detail = str(error)
        expect(bool(step.detail), "store was not refused")


def ignore_by_convention(report: Report, urls: Sequence[str], database: str) -> None:
    def is_bob(session: object, entity: object, document_id: str) -> bool:
        return isinstance(entity, Employee) and entity.first_name == "Bob"

    with report.step("should_ignore_entity_changes decides for the whole store"):
        conventions = Conventions(should_ignore_entity_changes=is_bob)
        with (
            DocumentStore(urls, database, conventions=conventions) as store,
            store.open_session() as session,
        ):
            alice, bob = Employee("Alice"), Employee("Bob")
            session.store(alice, "employees/1")
            session.store(bob, "employees/2")
            session.save_changes()
            alice.first_name, bob.first_name = "Bob", "Alice"
            session.save_changes()
        with DocumentStore(urls, database) as store, store.open_session() as session:
            found = session.load(["employees/1", "employees/2"], Employee)
        names = [employee.first_name if employee else None for employee in found.values()]
        expect(names == ["Alice", "Alice"], f"the names are {names}")


def _store_company(store: DocumentStore) -> str:
    with store.open_session() as session:
        company = Company("quoth")
        session.store(company, "companies|")
        session.save_changes()
        found = session.get_document_id(company)
        assert found is not None
        return found


def _sign_up(session: Session) -> str:
    user_id = session.store(User("John"))
    session.cluster_transaction.create_compare_exchange_value("usernames/John", user_id)
    return user_id


def _take_invoice(session: Session) -> int:
    """The next number and its invoice, both in one cluster transaction."""
    values = session.cluster_transaction
    last = values.get_compare_exchange_value("sequences/invoices", int)
    if last is None:
        last = values.create_compare_exchange_value("sequences/invoices", 0)
    last.value += 1
    session.store(Invoice(last.value), f"invoices/{last.value}")
    return last.value


def _write_invoice(store: DocumentStore) -> int:
    with store.open_session(CLUSTER_WIDE) as session:
        number = _take_invoice(session)
        session.save_changes()
    return number


def _refused(session: Session) -> str:
    try:
        session.save_changes()
    except (ConcurrencyError, ClusterTransactionConflict) as error:
        return str(error)
    raise AssertionError("the save was not refused")
