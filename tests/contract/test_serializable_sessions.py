"""Serializable sessions on three nodes: what holds of the data holds, whoever else is at work.

Every client prefers another node. Each story has a rule that single steps keep only if nobody comes
in between, and nobody waits for anybody.
"""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass

import pytest
import ravendb
import requests
from ravendb.exceptions.raven_exceptions import ConcurrencyException

from quoth import (
    AsyncDocumentStore,
    AsyncSession,
    BadRequest,
    ClusterTransactionConflict,
    ConcurrencyError,
    DocumentStore,
    FateUnknown,
    IndexDoesNotExist,
    Misuse,
    NotSent,
    SerializationConflict,
    Session,
    SessionOptions,
    TransactionMode,
    retry,
)
from scripts.local_cluster import LocalCluster
from tests.contract.conftest import make_database

SERIALIZABLE = SessionOptions(isolation="serializable")
ACCOUNTS = 6
BALANCE = 100


@dataclass
class Account:
    balance: int


@dataclass
class Doctor:
    on_call: bool


@dataclass
class Seat:
    owner: str


def stores(cluster: LocalCluster, database: str) -> list[AsyncDocumentStore]:
    """One store for each node, which it asks first."""
    urls = cluster.urls
    return [AsyncDocumentStore(urls[n:] + urls[:n], database) for n in range(len(urls))]


async def close(opened: Iterable[AsyncDocumentStore]) -> None:
    for store in opened:
        await store.close()


def accounts() -> list[str]:
    return [f"accounts/{number}" for number in range(ACCOUNTS)]


async def open_accounts(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        for name in accounts():
            await session.store(Account(BALANCE), name)
        await session.save_changes()


async def transfer(store: AsyncDocumentStore, dice: random.Random) -> bool:
    """Move money between two accounts, if the giver has it."""
    giver, taker = dice.sample(accounts(), 2)
    amount = dice.randint(1, BALANCE)

    async def move(session: AsyncSession) -> bool:
        given = await session.load(giver, Account)
        assert given is not None
        if given.balance < amount:
            return False
        taken = await session.load(taker, Account)
        assert taken is not None
        given.balance -= amount
        taken.balance += amount
        return True

    return await store.retry(move, attempts=50)


async def total(session: AsyncSession) -> int:
    """What is in all accounts, counted one by one."""
    found = 0
    for name in accounts():
        account = await session.load(name, Account)
        assert account is not None and account.balance >= 0
        found += account.balance
    return found


async def test_money_moves_and_none_is_made_or_lost(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    opened = stores(shared_cluster, cluster_database)
    await open_accounts(opened[0])
    is_over = asyncio.Event()
    sums: list[int] = []

    async def work(number: int) -> int:
        dice = random.Random(number)
        return sum([await transfer(opened[number % 3], dice) for _ in range(15)])

    async def audit(number: int) -> None:
        while not is_over.is_set():
            sums.append(await opened[number % 3].retry(total, attempts=100))

    audits = [asyncio.create_task(audit(number)) for number in range(2)]
    moved = await asyncio.gather(*map(work, range(6)))
    is_over.set()
    await asyncio.gather(*audits)
    sums.append(await opened[0].retry(total))
    await close(opened)
    assert sum(moved) > 10 and len(sums) > 2
    assert set(sums) == {ACCOUNTS * BALANCE}


async def test_money_stays_while_the_leader_dies(cluster: LocalCluster) -> None:
    opened = stores(cluster, make_database(cluster.urls[0]))
    await open_accounts(opened[0])
    is_dead = asyncio.Event()
    before, after = [0] * 4, [0] * 4

    async def work(number: int) -> None:
        """Transfers until the leader is dead, and then until five are made without it."""
        dice = random.Random(number)
        while after[number] < 5:
            made = after if is_dead.is_set() else before
            try:
                made[number] += await transfer(opened[number % 3], dice)
            except (FateUnknown, NotSent):
                pass  # it keeps the sum whether it was made or not

    working = [asyncio.create_task(work(number)) for number in range(4)]
    while sum(before) < 8:
        await opened[0].retry(total, attempts=100)
    leader = cluster.leader()
    cluster.kill(leader)
    is_dead.set()
    await asyncio.gather(*working)
    alive = next(n for n, tag in enumerate(cluster.tags) if tag != leader)
    found = await opened[alive].retry(total, attempts=20)
    await close(opened)
    assert found == ACCOUNTS * BALANCE


async def test_one_doctor_stays_on_call(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    """Write skew: each changes only their own document, having read both."""
    opened = stores(shared_cluster, cluster_database)
    for night in range(5):
        names = [f"doctors/{night}-{who}" for who in ("Ann", "Bob")]
        async with opened[0].open_session() as session:
            for name in names:
                await session.store(Doctor(on_call=True), name)
            await session.save_changes()

        async def leave(number: int, names: list[str] = names) -> bool:
            async def go(session: AsyncSession) -> bool:
                on_call = await session.load(names, Doctor)
                if not all(one is not None and one.on_call for one in on_call.values()):
                    return False
                mine = on_call[names[number]]
                assert mine is not None
                mine.on_call = False
                return True

            return await opened[number].retry(go)

        assert sorted(await asyncio.gather(leave(0), leave(1))) == [False, True]
    await close(opened)


async def test_no_more_seats_are_given_than_there_are(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    """A phantom: what was counted are documents that were not there yet."""
    opened = stores(shared_cluster, cluster_database)

    async def book(number: int) -> bool:
        async def take(session: AsyncSession) -> bool:
            taken = await session.load_starting_with("seats/", Seat, page_size=100)
            if len(taken) >= 4:
                return False
            await session.store(Seat(f"guest {number}"), f"seats/{number}")
            return True

        return await opened[number % 3].retry(take, attempts=50)

    booked = await asyncio.gather(*map(book, range(9)))
    async with opened[0].open_session() as session:
        seats = await session.load_starting_with("seats/", Seat, page_size=100)
    await close(opened)
    assert sum(booked) == len(seats) == 4


async def test_what_came_by_a_prefix_or_a_query_is_changed_as_it_was_read(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    one, other, _ = opened = stores(shared_cluster, cluster_database)
    await open_accounts(one)

    async def rich(session: AsyncSession) -> list[Account]:
        return await session.query(object_type=Account).where_greater_than("balance", 50).to_list()

    async def tax(session: AsyncSession) -> int:
        every = await session.load_starting_with("accounts/", Account)
        for account in every:
            account.balance -= 1
        session.delete(every[-1])
        return len(every)

    assert await one.retry(tax) == ACCOUNTS
    async with one.open_session(SERIALIZABLE) as session:
        found = await rich(session)
        assert len(found) == ACCOUNTS - 1
        # Another document of another collection does not matter, one of this collection does.
        async with other.open_session() as writer:
            await writer.store(Doctor(on_call=True), "doctors/1")
            await writer.save_changes()
        assert await session.load("doctors/1", Doctor) is not None
        await session.store(Account(len(found)), "accounts/count")
        await session.save_changes()
        async with other.open_session() as writer:
            await writer.store(Account(99), "accounts/late")
            await writer.save_changes()
        await session.store(Account(0), "accounts/other")
        with pytest.raises(SerializationConflict) as met:
            await session.save_changes()
        assert [(each.kind, each.key) for each in met.value.violations] == [
            ("Collection", "Accounts")
        ]
        session.clear()
        assert len(await rich(session)) == ACCOUNTS  # one of 5 is not rich
        with pytest.raises(BadRequest, match="compare-exchange"):
            await session.advanced.raw_query(
                "from Accounts include cmpxchg(name)", Account
            ).to_list()
        with pytest.raises(IndexDoesNotExist):
            await session.query_index("Accounts/ByName").to_list()
        with pytest.raises(Misuse, match="cannot stream"):
            async for _ in session.advanced.stream(session.query(object_type=Account)):
                pass
    await close(opened)


async def test_a_program_never_holds_two_states(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    """What is read later is of the state that was read first, or it is a conflict at once."""
    one, other, third = opened = stores(shared_cluster, cluster_database)
    await open_accounts(one)
    async with one.open_session(SERIALIZABLE) as session:
        assert (await session.load("accounts/0", Account)) == Account(BALANCE)
        async with other.open_session() as writer:
            for name in ("accounts/0", "accounts/1"):
                account = await writer.load(name, Account)
                assert account is not None
                account.balance -= 1
            await writer.save_changes()
        # Untouched since: it stood there then as well.
        assert (await session.load("accounts/2", Account)) == Account(BALANCE)
        with pytest.raises(SerializationConflict) as met:
            await session.load("accounts/1", Account)
        (violation,) = met.value.violations
        assert (violation.kind, violation.key) == ("Document", "accounts/0")
        assert violation.actual_index > violation.expected_index
        # It is over with this session, until it begins anew.
        with pytest.raises(SerializationConflict):
            await session.load("accounts/3", Account)
        with pytest.raises(SerializationConflict):
            await session.save_changes()
        session.clear()
        assert (await session.load("accounts/1", Account)) == Account(BALANCE - 1)
    # A session that has read nothing which changed goes on, over what has.
    async with third.open_session(SERIALIZABLE) as session:
        assert (await session.load("accounts/4", Account)) is not None
        async with other.open_session() as writer:
            account = await writer.load("accounts/1", Account)
            assert account is not None
            account.balance = 7
            await writer.save_changes()
        assert (await session.load("accounts/1", Account)) == Account(7)
    await close(opened)


async def test_it_meets_the_writers_of_other_modes_and_they_meet_it(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    one, other, _ = opened = stores(shared_cluster, cluster_database)
    await open_accounts(one)
    cluster_wide = TransactionMode.CLUSTER_WIDE
    for mode in (TransactionMode.SINGLE_NODE, cluster_wide):
        async with (
            one.open_session(SERIALIZABLE) as session,
            other.open_session(SessionOptions(transaction_mode=mode)) as writer,
        ):
            mine = await session.load("accounts/0", Account)
            theirs = await writer.load("accounts/0", Account)
            assert mine is not None and theirs is not None
            theirs.balance += 1
            await writer.save_changes()
            mine.balance += 1
            with pytest.raises(SerializationConflict):
                await session.save_changes()
    options = (
        SessionOptions(transaction_mode=cluster_wide),
        SessionOptions(optimistic_concurrency=True),
    )
    for kind in options:
        async with (
            one.open_session(SERIALIZABLE) as session,
            other.open_session(kind) as writer,
        ):
            mine = await session.load("accounts/1", Account)
            theirs = await writer.load("accounts/1", Account)
            assert mine is not None and theirs is not None
            mine.balance += 1
            await session.save_changes()
            theirs.balance += 1
            with pytest.raises(ConcurrencyError) as met:
                await writer.save_changes()
            assert not isinstance(met.value, SerializationConflict)
    await close(opened)


def test_the_official_client_meets_it_as_it_meets_its_like(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    urls = shared_cluster.urls
    with (
        DocumentStore(urls, cluster_database) as ours,
        ravendb.DocumentStore(urls[1:] + urls[:1], cluster_database) as theirs,
    ):
        theirs.initialize()
        cluster_wide = ravendb.SessionOptions(transaction_mode=ravendb.TransactionMode.CLUSTER_WIDE)
        cluster_wide.disable_atomic_document_writes_in_cluster_wide_transaction = False
        with theirs.open_session(session_options=cluster_wide) as session:
            session.store(Account(1), "accounts/1")
            session.save_changes()

        # They read, we write: their save is refused.
        with theirs.open_session(session_options=cluster_wide) as session:
            account = session.load("accounts/1", Account)

            def add(ours: Session) -> None:
                mine = ours.load("accounts/1", Account)
                assert mine is not None
                mine.balance += 1

            ours.retry(add)
            account.balance = 100
            with pytest.raises(ConcurrencyException, match="Guard compare exchange value"):
                session.save_changes()

        # We read, they write by any means: our save is refused.
        for number in range(2):
            with ours.open_session(isolation="serializable") as session:
                mine = session.load("accounts/1", Account)
                assert mine is not None
                options = {"session_options": cluster_wide} if number else {}
                with theirs.open_session(**options) as other:
                    account = other.load("accounts/1", Account)
                    account.balance += 1
                    other.save_changes()
                mine.balance = 100
                with pytest.raises(SerializationConflict):
                    session.save_changes()
        with ours.open_session(isolation="serializable") as session:
            assert session.load("accounts/1", Account) == Account(4)


async def test_values_are_read_and_written_with_documents(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    one, other, _ = opened = stores(shared_cluster, cluster_database)
    async with one.open_session(SERIALIZABLE) as session:
        values = session.cluster_transaction
        assert await values.get_compare_exchange_value("names/ann") is None
        values.create_compare_exchange_value("names/ann", "accounts/1")
        await session.store(Account(1), "accounts/1")
        async with other.open_session(SERIALIZABLE) as faster:
            faster.cluster_transaction.create_compare_exchange_value("names/ann", "accounts/2")
            await faster.store(Account(2), "accounts/2")
            await faster.save_changes()
        with pytest.raises(SerializationConflict) as met:
            await session.save_changes()
        assert [each.key for each in met.value.violations] == ["names/ann"]
    async with one.open_session(SERIALIZABLE) as session:
        item = await session.cluster_transaction.get_compare_exchange_value("names/ann")
        assert item is not None and item.value == "accounts/2"
        assert await session.load("accounts/1", Account) is None
        # It goes on after a save, from the state that this left.
        item.value = "accounts/3"
        await session.store(Account(3), "accounts/3")
        await session.save_changes()
        account = await session.load("accounts/3", Account)
        assert account is not None
        account.balance, item.value = 4, "accounts/4"
        await session.save_changes()
    async with other.open_session() as session:
        assert await session.load("accounts/3", Account) == Account(4)
    await close(opened)


async def test_what_is_stored_unread_must_be_new(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    one, *_ = opened = stores(shared_cluster, cluster_database)
    await open_accounts(one)
    async with one.open_session(SERIALIZABLE) as session:
        await session.store(Account(0), "accounts/0")
        with pytest.raises(SerializationConflict):
            await session.save_changes()
    async with one.open_session(SERIALIZABLE) as session:
        await session.store(Account(0), "accounts|")
        with pytest.raises(BadRequest, match=r"'accounts/1'.*seed the identity"):
            await session.save_changes()
    async with one.open_session(SERIALIZABLE) as session:
        there = await session.load("accounts/1", Account)
        assert there is not None and there.balance == BALANCE
        await session.store(Account(0), "others|")
        session.delete("accounts/0")
        await session.save_changes()
        assert await session.load("accounts/0", Account) is None
    await close(opened)


def test_a_synchronous_program_runs_again_too(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    urls = shared_cluster.urls
    with DocumentStore(urls, cluster_database) as store:
        with store.open_session() as session:
            session.store(Account(1), "accounts/1")
            session.save_changes()
        runs = 0

        def double(session: Session) -> int:
            nonlocal runs
            runs += 1
            account = session.load("accounts/1", Account)
            assert account is not None
            if runs == 1:
                requests.put(
                    f"{urls[1]}/databases/{cluster_database}/docs?id=accounts/1",
                    json={"balance": 5, "@metadata": {"@collection": "Accounts"}},
                    timeout=10,
                ).raise_for_status()
            account.balance *= 2
            return account.balance

        assert retry(store, double) == 10
        assert runs == 2
        with store.open_session() as session:
            assert session.load("accounts/1", Account) == Account(10)


async def test_a_request_that_is_sent_again_is_answered_as_before(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    """On another node, also if the answer was a conflict."""
    first, second, _ = (f"{url}/databases/{cluster_database}" for url in shared_cluster.urls)
    put = {
        "Id": "a/1",
        "ChangeVector": None,
        "Type": "PUT",
        "Document": {"n": 1, "@metadata": {"@collection": "A"}},
    }
    body = {"Commands": [put], "Pin": None, "ReadSet": {"Documents": [["a/1", ""]]}}
    path = "/serializable/commit?raft-request-id="

    def send(url: str, name: str) -> tuple[int, object]:
        answer = requests.post(url + path + name, json=body, timeout=10)
        told = answer.json()
        return answer.status_code, told.get("Message") or told

    saved, again = send(first, "one"), send(second, "one")
    assert saved[0] == 201 and saved == again
    refused, again = send(first, "two"), send(second, "two")
    assert refused[0] == 409 and refused == again


async def test_a_conflict_is_known_to_programs_that_know_the_general_one() -> None:
    assert issubclass(SerializationConflict, ClusterTransactionConflict)
