"""Ranges of ids are shared by threads, and no number is handed out twice."""

from concurrent.futures import ThreadPoolExecutor

from quoth import AsyncDocumentStore, FateUnknown
from quoth.commands import HiLoRange
from quoth.hilo import HiLo
from tests.client.entities import Company, Employee
from tests.client.wire import URL, Wire


def lent(low: int, high: int) -> HiLoRange:
    return HiLoRange("users/", low, high, high - low + 1, "A", "2026-x")


def test_ranges_are_used_up_in_their_order() -> None:
    hilo = HiLo()
    assert hilo.take("users") is None
    hilo.lend("users", lent(1, 2))
    hilo.lend("users", lent(65, 65))
    taken = [hilo.take("users") for _ in range(4)]
    assert taken == ["users/1-A", "users/2-A", "users/65-A", None]
    assert hilo.give_back() == []


def test_threads_never_share_an_id() -> None:
    hilo = HiLo()
    hilo.lend("users", lent(1, 400))
    hilo.lend("users", lent(500, 999))
    with ThreadPoolExecutor(8) as pool:
        taken = set(pool.map(lambda _: hilo.take("users"), range(900)))
    assert len(taken) == 900 and None not in taken


def test_what_is_left_of_a_range_is_given_back_once() -> None:
    hilo = HiLo()
    hilo.lend("users", lent(33, 64))
    hilo.take("users")
    assert hilo.give_back() == [("users", 64, 33)]
    assert hilo.give_back() == []
    assert hilo.take("users") is None


async def test_a_store_is_closed_though_nobody_takes_back_its_ids() -> None:
    """A cluster that hangs is waited for once, not once for each kind of document."""
    wire = Wire()
    range_ = {"High": 32, "Low": 1, "LastSize": 32, "ServerTag": "A", "LastRangeAt": "2026-x"}
    for prefix in ("companies/", "employees/"):
        wire.on("GET", "/hilo/next", {**range_, "Prefix": prefix}, status=201)
    wire.on("PUT", "/hilo/return", fails=FateUnknown("no answer within 30 s"))
    async with AsyncDocumentStore(URL, "shop", transport=wire.transport) as store:
        async with store.open_session() as session:
            await session.store(Company("one"))
            await session.store(Employee("two"))
    wire.finish()
    assert wire.transport.is_closed
