"""The official client where much goes in or out at once: bulk inserts, lazy operations, streams.

On three nodes it asks another node each time, also for the state of an operation and its end.
"""

from dataclasses import dataclass
from typing import Any

import pytest
import ravendb
import requests
from ravendb import SessionOptions, TransactionMode
from ravendb.documents.bulk_insert_operation import BulkInsertOptions
from ravendb.documents.commands.bulkinsert import GetNextOperationIdCommand
from ravendb.exceptions.documents.bulkinsert import BulkInsertAbortedException

from scripts.local_cluster import wait_for

DOCUMENTS = 5_000
WAIT_SECONDS_MAX = 30.0


@dataclass
class User:
    name: str = ""
    age: int = 0
    friend: str | None = None
    Id: str | None = None


def count(store: Any) -> int:
    answer = requests.get(f"{store.urls[0]}/databases/{store.database}/stats", timeout=30)
    return int(answer.json()["CountOfDocuments"])


def states(store: Any, operation_id: int) -> list[Any]:
    """What each node says of an operation; None if it knows nothing."""
    path = f"databases/{store.database}/operations/state?id={operation_id}"
    answers = [requests.get(f"{url}/{path}", timeout=30) for url in store.urls]
    return [answer.json() if answer.status_code == 200 else None for answer in answers]


def fill(store: Any, how_many: int, **options: bool) -> int:
    """Users `users/0` and so on, in one bulk insert; the id of its operation."""
    with store.bulk_insert(options=BulkInsertOptions(**options)) as bulk:
        for n in range(how_many):
            bulk.store_as(User(f"user {n} " + "x" * 300, n), f"users/{n}")
    assert isinstance(bulk._operation_id, int)
    return bulk._operation_id


@pytest.mark.parametrize("use_compression", [False, True], ids=["plain", "compressed"])
def test_thousands_of_documents_go_in(store: Any, use_compression: bool) -> None:
    operation_id = fill(store, DOCUMENTS, use_compression=use_compression)
    assert count(store) == DOCUMENTS
    with store.open_session() as session:
        for n in (0, 999, 1_000, DOCUMENTS - 1):
            assert session.load(f"users/{n}", User).age == n
    for told in states(store, operation_id):
        assert told["Status"] == "Completed"
        assert told["Result"]["DocumentsProcessed"] == DOCUMENTS


def test_ids_are_the_clients_own(store: Any) -> None:
    with store.bulk_insert() as bulk:
        names = [bulk.store(User(f"user {n}")) for n in range(100)]
    assert len(set(names)) == 100
    with store.open_session() as session:
        assert {user.name for user in session.load(names, User).values()} == {
            f"user {n}" for n in range(100)
        }


def test_no_two_operations_have_one_id(store: Any) -> None:
    executor = store.get_request_executor()
    taken = []
    for _ in range(9):
        command = GetNextOperationIdCommand()
        executor.execute_command(command)
        taken.append(command.result)
    assert len(set(taken)) == 9 and max(taken) < 2**53
    assert states(store, taken[0]) == [None] * len(store.urls), "nobody has begun it"


def test_an_aborted_insert_leaves_whole_batches(store: Any) -> None:
    with pytest.raises(BulkInsertAbortedException), store.bulk_insert() as bulk:
        for n in range(DOCUMENTS):
            bulk.store_as(User(f"user {n} " + "x" * 500, n), f"users/{n}")
        wait_for(
            lambda: states(store, bulk._operation_id)[-1], WAIT_SECONDS_MAX, "it did not begin"
        )
        bulk.abort()
        operation_id = bulk._operation_id

        def ended() -> bool | None:
            told = states(store, operation_id)
            return all(one["Status"] == "Canceled" for one in told) or None

        wait_for(ended, WAIT_SECONDS_MAX, "not every node knows that it was killed")
    assert count(store) < DOCUMENTS and count(store) % 1_000 == 0


def test_what_cannot_be_inserted_yet_is_told(store: Any) -> None:
    with pytest.raises(BulkInsertAbortedException):
        with store.bulk_insert() as bulk:
            bulk.store_as(User("John"), "users/1")
            bulk.counters_for("users/1").increment("likes", 1)
    told = states(store, bulk._operation_id)
    assert {one["Status"] for one in told} == {"Faulted"}
    result = told[0]["Result"]
    assert (result["StatusCode"], result["Type"]) == (400, "System.NotSupportedException")
    assert "Commands of type Counters are not supported" in result["Message"]
    assert count(store) == 0


def test_equal_documents_are_not_written_again(store: Any) -> None:
    def vectors() -> list[str]:
        with store.open_session() as session:
            users = session.load([f"users/{n}" for n in range(20)], User).values()
            return sorted(session.advanced.get_change_vector_for(user) for user in users)

    fill(store, 20)
    before = vectors()
    fill(store, 20, skip_overwrite_if_unchanged=True)
    assert vectors() == before
    fill(store, 20)
    assert not set(vectors()) & set(before)


def test_lazy_operations_go_in_one_request(store: Any) -> None:
    with store.open_session() as session:
        for n in range(5):
            session.store(User(f"user {n}", n, f"users/{n + 1}"), f"users/{n}")
        session.save_changes()
    with store.open_session() as session:
        lazily = session.advanced.lazily
        one = lazily.load("users/1", User)
        several = lazily.load(["users/2", "users/3"], User)
        missing = lazily.load("users/77", User)
        prefix = lazily.load_starting_with("users/", User, matches="3|4")
        before = session.advanced.number_of_requests
        assert one.value.name == "user 1"
        assert {user.age for user in several.value.values()} == {2, 3}
        assert missing.value is None
        assert {user.age for user in prefix.value.values()} == {3, 4}
        assert session.advanced.number_of_requests == before + 1


def test_a_lazy_load_brings_what_it_includes(store: Any) -> None:
    with store.open_session() as session:
        session.store(User("John", 1, "users/2"), "users/1")
        session.store(User("Jane", 2), "users/2")
        session.save_changes()
    with store.open_session() as session:
        lazy = session.advanced.lazily.include("friend").load(["users/1"], User)
        john = lazy.value["users/1"]
        requests_made = session.advanced.number_of_requests
        assert session.load(john.friend, User).name == "Jane"
        assert session.advanced.number_of_requests == requests_made


def test_compare_exchange_values_are_loaded_lazily(store: Any) -> None:
    options = SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)
    with store.open_session(session_options=options) as session:
        agreed = session.advanced.cluster_transaction
        agreed.create_compare_exchange_value("names/1", "John")
        agreed.create_compare_exchange_value("names/2", "Jane")
        session.save_changes()
    with store.open_session(session_options=options) as session:
        agreed = session.advanced.cluster_transaction
        one = agreed.lazily.get_compare_exchange_value("names/1", str)
        both = agreed.lazily.get_compare_exchange_values(["names/1", "names/2"], str)
        assert one.value.value == "John"
        assert {value.value for value in both.value.values()} == {"John", "Jane"}


def test_a_document_is_loaded_only_if_it_has_changed(store: Any) -> None:
    with store.open_session() as session:
        session.store(User("John", 30), "users/1")
        session.save_changes()
        vector = session.advanced.get_change_vector_for(session.load("users/1", User))
    for _ in store.urls:
        with store.open_session() as session:
            same = session.advanced.conditional_load("users/1", vector, User)
            assert (same.entity, same.change_vector) == (None, vector)
        with store.open_session() as session:
            lazy = session.advanced.lazily.conditional_load("users/1", vector, User).value
            assert (lazy.entity, lazy.change_vector) == (None, vector)
    with store.open_session() as session:
        session.load("users/1", User).age = 31
        session.save_changes()
    for _ in store.urls:
        with store.open_session() as session:
            changed = session.advanced.conditional_load("users/1", vector, User)
            assert changed.entity.age == 31 and vector not in changed.change_vector
        with store.open_session() as session:
            gone = session.advanced.conditional_load("users/9", vector, User)
            assert (gone.entity, gone.change_vector) == (None, None)


def test_what_the_client_has_kept_is_confirmed_and_not_sent_again(store: Any) -> None:
    statuses: list[int] = []
    executor = store.get_request_executor()
    executor.add_on_succeed_request(lambda event: statuses.append(event.response.status_code))

    def name_of_one() -> str:
        with store.open_session() as session:
            return str(session.load("users/1", User).name)

    with store.open_session() as session:
        session.store(User("John"), "users/1")
        session.save_changes()
    nodes = len(store.urls)
    for _ in range(nodes):
        assert name_of_one() == "John"
    statuses.clear()
    assert [name_of_one() for _ in range(2 * nodes)] == ["John"] * 2 * nodes
    assert statuses == [304] * 2 * nodes
    with ravendb.DocumentStore(store.urls, store.database) as other:
        other.initialize()
        with other.open_session() as session:
            session.load("users/1", User).name = "Jane"
            session.save_changes()
    statuses.clear()
    assert [name_of_one() for _ in range(nodes)] == ["Jane"] * nodes
    assert statuses == [200] * nodes


def test_documents_are_streamed_by_prefix(store: Any) -> None:
    fill(store, 3_000)
    with store.open_session() as session:
        found = session.advanced.stream_starting_with("users/", object_type=User)
        assert sorted(result.document.age for result in found) == list(range(3_000))
    with store.open_session() as session:
        found = session.advanced.stream_starting_with("users/", matches="99*", object_type=User)
        ages = [result.document.age for result in found]
        assert sorted(ages) == [99, *range(990, 1_000)]
