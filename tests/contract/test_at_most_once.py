"""An answer is lost, and the client sends the request again: what was asked for is done once.

Proxies let a request through to a real node and lose its answer. The official Python client sends
the same batch, without any id, to the next node: change vectors and indexes tell the second from
the first. Who names a request by an id gets the first answer again.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import ravendb
import requests
from ravendb.documents.operations.compare_exchange.operations import (
    DeleteCompareExchangeValueOperation,
    GetCompareExchangeValueOperation,
    PutCompareExchangeValueOperation,
)
from ravendb.documents.operations.identities import NextIdentityForOperation
from ravendb.exceptions.raven_exceptions import ConcurrencyException

from quoth import AsyncDocumentStore, DocumentStore, FateUnknown, GetIdentitiesOperation
from scripts.local_cluster import LocalCluster
from tests.contract.conftest import make_database
from tests.contract.cutting_proxy import Proxies, proxies
from tests.contract.nodejs_process import LEFT_OUT, Storyteller, is_left_out, told_in
from tests.contract.test_official_client import User, cluster_wide, save

CREATED, CONFLICT = 201, 409


@pytest.fixture(scope="module")
def between(shared_cluster: LocalCluster) -> Iterator[Proxies]:
    """Proxies in front of three nodes."""
    with proxies(shared_cluster.urls) as opened:
        yield opened


@pytest.fixture
def database(shared_cluster: LocalCluster) -> str:
    return make_database(shared_cluster.urls[0])


@pytest.fixture
def store(between: Proxies, database: str) -> Iterator[Any]:
    """A store of the official Python client that knows the nodes by their proxies."""
    with ravendb.DocumentStore(between.urls, database) as opened:
        opened.initialize()
        save(opened, users__1=User("John", 30))
        yield opened


@pytest.fixture
def raw(between: Proxies, database: str) -> "Raw":
    return Raw(between, database)


class Raw:
    """Plain HTTP, which sends a request again with the same id when the answer was lost."""

    def __init__(self, between: Proxies, database: str) -> None:
        self.between = between
        self.database = database

    def ask(self, method: str, path: str, *, node: int = 0, **options: Any) -> requests.Response:
        url = f"{self.between.urls[node]}/databases/{self.database}{path}"
        return requests.request(method, url, timeout=30, **options)

    def insist(self, method: str, path: str, body: object = None) -> Any:
        """Send it to every node in turn, the first answer being lost; they all answer the same."""
        mark = "&" if "?" in path else "?"
        path = f"{path}{mark}raft-request-id={uuid4()}"
        headers = {"Raven-Client-Version": "7.2.7"}  # knows of atomic guards
        self.between.cut_next(method, path.partition("?")[0])
        with pytest.raises(requests.ConnectionError):
            self.ask(method, path, json=body, headers=headers)
        again = [self.ask(method, path, node=n, json=body, headers=headers) for n in (1, 2, 0)]
        first, *later = self.between.sent(path)
        assert first.was_cut and len(later) == 3
        for answer in again:
            assert (answer.status_code, answer.content) == (first.status, first.answer)
        return json.loads(first.answer) if first.answer else None


def statuses(between: Proxies, path: str) -> list[int]:
    """What the nodes said to one request and the same one again, the body being the same."""
    sent = between.sent(path)
    assert len({passed.body for passed in sent}) == 1, "it was sent again as it was"
    assert len({passed.url for passed in sent}) == len(sent), "to another node each time"
    return [passed.status for passed in sent]


def age(store: Any) -> int:
    with store.open_session() as session:
        return int(session.load("users/1", User).age)


def test_an_update_under_its_change_vector_is_saved_once(store: Any, between: Proxies) -> None:
    with store.open_session() as session:
        session.advanced.use_optimistic_concurrency = True
        session.load("users/1", User).age += 1
        between.cut_next("POST", "/bulk_docs")
        with pytest.raises(ConcurrencyException, match="users/1"):
            session.save_changes()
    assert statuses(between, "/bulk_docs") == [CREATED, CONFLICT]
    assert age(store) == 31


def test_a_batch_is_as_safe_as_its_safest_command(store: Any, between: Proxies) -> None:
    with store.open_session() as session:
        session.advanced.use_optimistic_concurrency = True  # they must be new
        session.store(User("counted"), "people|")
        session.store(User("made by the server"), "people/")
        session.store(User("new"), "people/new")
        between.cut_next("POST", "/bulk_docs")
        with pytest.raises(ConcurrencyException, match="people/new"):
            session.save_changes()
    assert statuses(between, "/bulk_docs") == [CREATED, CONFLICT]
    with store.open_session() as session:
        users = session.advanced.load_starting_with("people/", User)
        names = sorted(user.name for user in users)
    assert names == ["counted", "made by the server", "new"]
    assert store.maintenance.send(NextIdentityForOperation("people")) == 2


def test_a_delete_under_its_change_vector_is_done_once(store: Any, between: Proxies) -> None:
    with store.open_session() as session:
        session.advanced.use_optimistic_concurrency = True
        session.delete(session.load("users/1", User))
        between.cut_next("POST", "/bulk_docs")
        with pytest.raises(ConcurrencyException, match="users/1"):
            session.save_changes()
    assert statuses(between, "/bulk_docs") == [CREATED, CONFLICT]


def test_a_cluster_transaction_is_done_once(store: Any, between: Proxies) -> None:
    with cluster_wide(store) as session:
        session.store(User("Jane"), "users/2")
        session.advanced.cluster_transaction.create_compare_exchange_value("names/Jane", "x")
        between.cut_next("POST", "/bulk_docs")
        with pytest.raises(ConcurrencyException, match="names/Jane"):
            session.save_changes()
    assert statuses(between, "/bulk_docs") == [CREATED, CONFLICT]
    index = json.loads(between.sent("/bulk_docs")[0].answer)["TransactionIndex"]
    found = store.operations.send(GetCompareExchangeValueOperation("names/Jane", str))
    assert (found.value, found.index) == ("x", index)


def test_a_guarded_document_is_changed_once(store: Any, between: Proxies) -> None:
    for change in range(2):
        with cluster_wide(store) as session:
            session.load("users/1", User).age += 1
            between.cut_next("POST", "/bulk_docs")
            with pytest.raises(ConcurrencyException, match="rvn-atomic/users/1"):
                session.save_changes()
        assert statuses(between, "/bulk_docs") == [CREATED, CONFLICT]
        assert age(store) == 31 + change


def test_a_compare_exchange_value_is_changed_once(store: Any, between: Proxies) -> None:
    operations = store.operations
    operations.send(GetCompareExchangeValueOperation("lock", str))
    between.cut_next("PUT", "/cmpxchg")
    put = operations.send(PutCompareExchangeValueOperation("lock", "mine", 0))
    first = json.loads(between.sent("/cmpxchg")[0].answer)
    assert first["Successful"] and not put.successful
    assert (put.value, put.index) == ("mine", first["Index"]), "it is told what stands"

    between.cut_next("DELETE", "/cmpxchg")
    operations.send(DeleteCompareExchangeValueOperation(str, "lock", put.index))
    said = [json.loads(passed.answer)["Successful"] for passed in between.sent("/cmpxchg")]
    assert said == [True, False]


def test_no_identity_and_no_range_of_ids_is_given_twice(store: Any, between: Proxies) -> None:
    between.cut_next("POST", "/identity/next")
    for _ in range(4):
        # After a lost answer this client asks all nodes for another name, and returns None.
        store.maintenance.send(NextIdentityForOperation("bills"))
    answers = [passed.answer for passed in between.sent("/identity/next?name=bills")]
    taken = [json.loads(answer)["NewIdentityValue"] for answer in answers]
    assert taken == sorted(set(taken)) and len(taken) == 4, "the lost one is not given again"

    between.cut_next("GET", "/hilo/next")
    with store.open_session() as session:
        user = User("someone")
        session.store(user)
        session.save_changes()
    ranges = [json.loads(passed.answer) for passed in between.sent("/hilo/next")]
    assert [lent["Low"] for lent in ranges] == [1, 33]
    assert str(user.Id).startswith("users/33-")


def test_who_names_a_batch_gets_its_first_answer(raw: Raw) -> None:
    document = {"name": "John", "@metadata": {"@collection": "Users"}}
    puts = [{"Type": "PUT", "Id": name, "Document": document} for name in ("users|", "users/")]
    saved = raw.insist("POST", "/bulk_docs", {"Commands": puts})
    found = raw.ask("GET", "/docs?startsWith=users/").json()["Results"]
    assert sorted(each["@id"] for each in saved["Results"]) == sorted(
        each["@metadata"]["@id"] for each in found
    )
    raw.insist("PUT", "/docs?id=users/put", document)
    raw.insist("DELETE", "/docs?id=users/put")


def test_who_names_a_cluster_transaction_gets_its_first_answer(raw: Raw) -> None:
    commands = [
        {"Type": "PUT", "Id": "users/1", "Document": {"@metadata": {"@collection": "Users"}}},
        {"Type": "CompareExchangePUT", "Id": "lock", "Index": 0, "Document": {"Object": 1}},
    ]
    saved = raw.insist(
        "POST", "/bulk_docs", {"Commands": commands, "TransactionMode": "ClusterWide"}
    )
    [value] = raw.ask("GET", "/cmpxchg?key=lock").json()["Results"]
    assert value["Index"] == saved["TransactionIndex"]


def test_who_names_a_refused_batch_is_refused_in_the_same_words(raw: Raw) -> None:
    put = {"Type": "PUT", "Id": "users/1", "ChangeVector": "A:9-nobody", "Document": {}}
    refused = raw.insist("POST", "/bulk_docs", {"Commands": [put]})
    assert refused["Type"].endswith("ConcurrencyException")


def test_who_names_a_value_or_a_number_gets_it_again(raw: Raw) -> None:
    created = raw.insist("PUT", "/cmpxchg?key=lock&index=0", {"Object": "mine"})
    assert created["Successful"]
    gone = raw.insist("DELETE", f"/cmpxchg?key=lock&index={created['Index']}")
    assert gone["Successful"] and gone["Value"] == {"Object": "mine"}
    taken = [raw.insist("POST", "/identity/next?name=bills") for _ in range(3)]
    assert [each["NewIdentityValue"] for each in taken] == [1, 2, 3]
    seeded = raw.insist("POST", "/identity/seed?name=bills&value=10")
    assert seeded == {"NewSeedValue": 10}


def test_the_own_client_sends_nothing_again_and_says_so(between: Proxies, database: str) -> None:
    with DocumentStore(between.urls, database) as store, store.open_session() as session:
        session.store(User("counted"), "users|")
        between.cut_next("POST", "/bulk_docs")
        with pytest.raises(FateUnknown):
            session.save_changes()
    assert statuses(between, "/bulk_docs") == [CREATED]


async def test_a_lost_answer_to_many_saves_is_unknown_to_each_and_each_is_done_once(
    between: Proxies, database: str
) -> None:
    """Sessions that save at the same moment share a request. Ids are the server's, so a second time
    would show."""

    async def save_one(store: AsyncDocumentStore) -> bool:
        async with store.open_session() as session:
            await session.store(User("counted"), "users|")
            try:
                await session.save_changes()
            except FateUnknown:
                return False
            return True

    async with AsyncDocumentStore(between.urls, database) as store:
        between.cut_next("POST", "/quoth/batches")
        known = await asyncio.gather(*(save_one(store) for _ in range(12)))
        shared = between.sent("/quoth/batches")
        lost = len((shared[0].body or b"").splitlines())
        assert known.count(False) == lost > 1
        assert (await store.maintenance.send(GetIdentitiesOperation()))["users|"] == 12
        async with store.open_session() as session:
            found = await session.load_starting_with("users/", User)
        assert len(found) == 12


@pytest.mark.skipif(is_left_out(), reason=f"{LEFT_OUT} is set")
@pytest.mark.parametrize("story", told_in("lost_answers.js"))
def test_in_node_js(teller: Storyteller, between: Proxies, database: str, story: str) -> None:
    def lose_an_answer(wish: str) -> object:
        words = wish.split()
        if words[0] == "lose":
            between.cut_next(*words[1:])
            return None
        return [[passed.status, json.loads(passed.answer)] for passed in between.sent(words[1])]

    teller.tell(story, urls=between.urls, database=database, grant=lose_an_answer)
