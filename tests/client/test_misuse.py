"""What makes no sense is refused in words, before anything is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from quoth import DocumentStore, Misuse, Session, WrongType
from tests.client.wire import URL, Wire


@dataclass
class Company:
    name: str


class Pair(msgspec.Struct, array_like=True):
    a: int
    b: int


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda s: s.store(Company("a"), 5), "a document id is a string"),
        (lambda s: s.store(Company("a"), b"a/1"), "a document id is a string"),
        (lambda s: s.load("companies/1", "Company"), "a class, as in Company, not 'Company'"),
        (lambda s: s.load(["companies/1"], Company("a")), "a class, as in Company"),
        (lambda s: s.load("companies/1", Company, includes=5), "to include is a property's name"),
        (lambda s: s.query(object_type="Company"), "a class, as in Company, not 'Company'"),
        (lambda s: s.query(Company), r"query\(object_type=Company\)"),
        (lambda s: s.query(5), "of a class or of a source"),
        (lambda s: s.wait_for_replication("2"), "at least 1 replica, not '2'"),
        (lambda s: s.wait_for_replication(timeout_seconds="5"), "more than 0 s .* not '5'"),
    ],
)
def test_a_session_says_what_it_cannot_do(
    act: Callable[[Any], object], why: str, wire: Wire
) -> None:
    with DocumentStore(URL, "shop", transport=wire.transport).open_session() as session:
        with pytest.raises(Misuse, match=why):
            act(session)
    assert not wire.transport.requests


def test_a_struct_without_names_of_fields_is_no_entity(wire: Wire) -> None:
    with DocumentStore(URL, "shop", transport=wire.transport).open_session() as session:
        with pytest.raises(WrongType, match="Pair is array_like"):
            session.store(Pair(1, 2), "pairs/1")


@pytest.mark.parametrize("urls", [5, "", [], [URL, 5], "localhost:8080"])
def test_a_store_is_given_urls(urls: Any) -> None:
    with pytest.raises(Misuse, match="URL"):
        DocumentStore(urls, "shop")


@pytest.mark.parametrize("database", [5, ""])
def test_a_database_is_named(database: Any, wire: Wire) -> None:
    with pytest.raises(Misuse, match="a database is named by a text"):
        DocumentStore(URL, "shop", transport=wire.transport).open_session(database)


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.save_changes(),
        lambda s: s.load("companies/1", Company),
        lambda s: s.store(Company("a"), "companies/1"),
        lambda s: s.query(object_type=Company).to_list(),
        lambda s: s.advanced.stream(s.query(object_type=Company)),
        lambda s: s.advanced.lazily.load("companies/1").value,
    ],
    ids=["save", "load", "store", "query", "stream", "lazily"],
)
def test_a_closed_session_does_nothing_any_more(act: Callable[[Any], Any], wire: Wire) -> None:
    session = DocumentStore(URL, "shop", transport=wire.transport).open_session()
    session.close()
    with pytest.raises(Misuse, match="the session is closed"):
        for _ in act(session) or ():
            raise AssertionError("there is nothing")
    assert not wire.transport.requests


def test_a_coroutine_that_nobody_awaits_is_not_taken_for_done(wire: Wire) -> None:
    async def sell(session: Session) -> None:
        session.store(Company("a"), "companies/1")

    store: Any = DocumentStore(URL, "shop", transport=wire.transport)
    with pytest.raises(Misuse, match="an `async def` goes with an AsyncDocumentStore"):
        store.retry(sell)
    assert not wire.transport.requests
