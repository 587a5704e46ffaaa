"""What the client of this house does beyond the basics, and what no other client does."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from quoth import (
    AsyncDocumentStore,
    DeleteByQueryOperation,
    DocumentStore,
    Misuse,
    Session,
    retry,
)
from scripts.demonstration.report import Report, expect
from scripts.demonstration.shop import Account, Product

PART = "beyond"
TRANSFERS, TELLERS = 40, 8
TASKS = 64


def run(report: Report, urls: Sequence[str], database: str) -> None:
    """All scenarios, each a step."""
    report.part(PART, "queries, lazy reads, patches, serializable sessions, asyncio")
    with DocumentStore(urls, database) as store:
        insert_and_query(report, store)
        read_together(report, store)
        patch_in_place(report, store)
        move_money(report, store)
    with report.step(f"{TASKS} tasks of one event loop save and read what they saved") as step:
        step.detail = asyncio.run(_side_by_side(urls, database))


def insert_and_query(report: Report, store: DocumentStore) -> None:
    with report.step("a bulk insert brings 1,000 documents") as step:
        with store.bulk_insert() as bulk_insert:
            for number in range(1_000):
                bulk_insert.store(Product(f"stool {number % 10}", number))
        step.detail = "1,000 documents"
    with report.step("a query makes its index, and finds them") as step:
        with store.open_session() as session:
            query = session.query(object_type=Product).where_equals("name", "stool 7")
            found = query.wait_for_non_stale_results().count()
            first = query.order_by("id()").first()
        expect(found == 100 and first.name == "stool 7", f"it found {found}, first {first}")
        step.detail = f"{found} documents"
    with report.step("a delete by query tells how far it is") as step:
        operation = store.operations.send_async(
            DeleteByQueryOperation("from Products where startsWith(name, 'stool')")
        )
        told = [progress.processed for progress in operation]
        total = operation.wait_for_completion().total
        expect(total == 1_000, f"it deleted {total}, told {told}")
        step.detail = f"{total} deleted"


def read_together(report: Report, store: DocumentStore) -> None:
    with report.step("lazy reads travel in one request") as step:
        with store.open_session() as session:
            lazily = session.advanced.lazily
            one = lazily.load("products/0", Product)
            some = lazily.load_starting_with("products/", Product)
            names = [each.name for each in some.value]
            expect(one.value is not None and len(names) > 1, f"they are {names}")
            step.detail = f"{session.number_of_requests} request"
            expect(session.number_of_requests == 1, step.detail)


def patch_in_place(report: Report, store: DocumentStore) -> None:
    with report.step("a hundred increments from eight threads all count") as step:
        with store.open_session() as session:
            session.store(Account("counted", 0), "accounts/counted")
            session.save_changes()

        def increment(_: int) -> None:
            with store.open_session() as session:
                session.increment("accounts/counted", "balance", 1)
                session.save_changes()

        with ThreadPoolExecutor(TELLERS) as tellers:
            list(tellers.map(increment, range(100)))
        with store.open_session() as session:
            account = session.load("accounts/counted", Account)
        expect(account is not None and account.balance == 100, f"it is {account}")
        step.detail = "0 + 100 = 100"
    with report.step("a path is no script") as step, store.open_session() as session:
        try:
            session.patch("accounts/counted", "balance = 0; delete this.name", 1)
        except Misuse as error:
            step.detail = str(error)
        expect(bool(step.detail), "it was taken")


def move_money(report: Report, store: DocumentStore) -> None:
    with report.step(f"{TRANSFERS} transfers, {TELLERS} at once: no cent is lost or made") as step:
        with store.open_session() as session:
            for name in ("ann", "bob", "cid"):
                session.store(Account(name, 100), f"accounts/{name}")
            session.save_changes()
        with ThreadPoolExecutor(TELLERS) as tellers:
            list(tellers.map(lambda number: retry(store, _transfer(number)), range(TRANSFERS)))
        balances = store.retry(_balances)
        expect(sum(balances) == 300, f"they are {balances}")
        step.detail = " + ".join(map(str, balances)) + " = 300"


def _transfer(number: int) -> Callable[[Session], None]:
    names = ("ann", "bob", "cid")
    giver, taker = names[number % 3], names[(number + 1) % 3]

    def transfer(session: Session) -> None:
        one = session.load(f"accounts/{giver}", Account)
        other = session.load(f"accounts/{taker}", Account)
        assert one is not None and other is not None, "stored above"
        one.balance -= 1 + number % 5
        other.balance += 1 + number % 5

    return transfer


def _balances(session: Session) -> list[int]:
    found = session.load(["accounts/ann", "accounts/bob", "accounts/cid"], Account)
    return [each.balance for each in found.values() if each is not None]


async def _side_by_side(urls: Sequence[str], database: str) -> str:
    async with AsyncDocumentStore(urls, database) as store:

        async def save(number: int) -> bool:
            async with store.open_session() as session:
                await session.store(Product(f"task {number}", number), f"tasks/{number}")
                await session.save_changes()
            async with store.open_session() as session:
                found = await session.load(f"tasks/{number}", Product)
                return found is not None and found.units_in_stock == number

        seen = sum(await asyncio.gather(*(save(number) for number in range(TASKS))))
    expect(seen == TASKS, f"{TASKS - seen} did not read what they had saved")
    return f"{seen} of {TASKS}"
