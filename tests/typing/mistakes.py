"""Mistakes of a user, each of which `mypy --strict` and pyright must report.

It is not run. Both checkers also report an ignored error that is none, so each line is a test.
"""



from dataclasses import dataclass

from quoth import (
    AsyncDocumentStore,
    Conventions,
    DocumentStore,
    NextIdentityForOperation,
    SessionOptions,
)


@dataclass
class Company:
    name: str


@dataclass
class Order:
    number: int


async def with_tasks(store: AsyncDocumentStore) -> None:
    session = store.open_session()
    company = await session.load("companies/1", Company)
    print(company.name)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    order: Order | None = await session.load("orders/1", Company)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    one: Company | None = await session.load(["companies/1"], Company)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    await session.load(7, Company)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    unawaited: Company | None = session.load("companies/1", Company)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    await session.store(company, 7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    number: str = await store.send(NextIdentityForOperation("orders|"))  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    for each in session.query(object_type=Company):  # type: ignore[attr-defined]  # pyright: ignore
        del each
    session.query(object_type="Company")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    first: Order = await session.query(object_type=Company).first()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    print(first)
    with store:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        print(order, one, unawaited, number)


def with_threads(store: DocumentStore) -> None:
    with store.open_session() as session:
        company = session.load("companies/1", Company)
        print(company.nam)  # type: ignore[union-attr]  # pyright: ignore
        found = session.load(["companies/1"], Company)
        print(found["companies/1"].name)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
        session.save_changes(True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        session.advanced.cluster_transaction.create_compare_exchange_value(7, "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    store.open_session(transaction_mode="ClusterWide")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SessionOptions(tracking=False)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Conventions(collection_names={"Company": "Firms"})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
