"""Many sessions at once on real nodes: they share requests, and nobody notices."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from quoth import (
    AsyncDocumentStore,
    ClusterTransactionConflict,
    ConcurrencyError,
    DocumentStore,
    TransactionMode,
)
from tests.client.entities import Company

AT_ONCE, ROUNDS = 24, 5


async def test_each_task_reads_what_it_wrote(node_url: str, database: str) -> None:
    async def program(store: AsyncDocumentStore, number: int) -> None:
        for round_ in range(ROUNDS):
            async with store.open_session() as session:
                await session.store(Company(f"{number}"), f"companies/{number}/{round_}")
                await session.save_changes()
            async with store.open_session() as session:
                found = await session.load(f"companies/{number}/{round_}", Company)
                assert found is not None and found.name == f"{number}"
                assert await session.load(f"companies/{number}/none", Company) is None

    async with AsyncDocumentStore(node_url, database) as store:
        await asyncio.gather(*(program(store, number) for number in range(AT_ONCE)))


def test_each_thread_reads_what_it_wrote(node_url: str, database: str) -> None:
    def program(number: int) -> None:
        for round_ in range(ROUNDS):
            with store.open_session() as session:
                session.store(Company(f"{number}"), f"companies/{number}/{round_}")
                session.save_changes()
            with store.open_session() as session:
                found = session.load(f"companies/{number}/{round_}", Company)
                assert found is not None and found.name == f"{number}"
                assert session.load(f"companies/{number}/none", Company) is None

    with DocumentStore(node_url, database) as store, ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(program, range(AT_ONCE)))


async def test_one_of_many_wins(shared_cluster: object, cluster_database: str) -> None:
    urls = shared_cluster.urls  # type: ignore[attr-defined]

    async def create(number: int) -> bool:
        mode = TransactionMode.CLUSTER_WIDE
        async with store.open_session(transaction_mode=mode) as session:
            session.cluster_transaction.create_compare_exchange_value("name", number)
            await session.store(Company(f"{number}"), f"companies/{number}")
            try:
                await session.save_changes()
            except ClusterTransactionConflict:
                return False
            return True

    async def add(number: int) -> bool:
        async with store.open_session() as session:
            await session.store(Company(f"{number}"), "companies/new", change_vector="")
            try:
                await session.save_changes()
            except ConcurrencyError:
                return False
            return True

    async with AsyncDocumentStore(urls, cluster_database) as store:
        won = await asyncio.gather(*(create(number) for number in range(AT_ONCE)))
        assert won.count(True) == 1
        async with store.open_session() as session:
            found = await session.load([f"companies/{number}" for number in range(AT_ONCE)])
            assert [each is not None for each in found.values()] == won
        assert (await asyncio.gather(*(add(number) for number in range(AT_ONCE)))).count(True) == 1
