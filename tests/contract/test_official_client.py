"""The official client, unchanged, against one real node and against three.

On three nodes it sends each request to another node than the one before, so every story there also
says that every node takes every request and reads what the others were told.
"""

from dataclasses import dataclass
from typing import Any

import pytest
import ravendb
from ravendb import SessionOptions, TransactionMode
from ravendb.documents.operations.compare_exchange.operations import (
    DeleteCompareExchangeValueOperation,
    GetCompareExchangeValueOperation,
    GetCompareExchangeValuesOperation,
    PutCompareExchangeValueOperation,
)
from ravendb.documents.operations.identities import (
    GetIdentitiesOperation,
    NextIdentityForOperation,
    SeedIdentityForOperation,
)
from ravendb.documents.operations.statistics import GetStatisticsOperation
from ravendb.exceptions.raven_exceptions import ConcurrencyException
from ravendb.serverwide.database_record import DatabaseRecord
from ravendb.serverwide.operations.common import (
    CreateDatabaseOperation,
    DeleteDatabaseOperation,
    GetDatabaseNamesOperation,
)


@dataclass
class User:
    name: str = ""
    age: int = 0
    Id: str | None = None


@dataclass
class Company:
    name: str = ""
    address: str | None = None
    Id: str | None = None


@dataclass
class Address:
    city: str = ""
    Id: str | None = None


def cluster_wide(store: Any) -> Any:
    options = SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)
    return store.open_session(session_options=options)


def save(store: Any, **entities: Any) -> None:
    """Store entities in one save; `users__1` stands for the id `users/1`."""
    with store.open_session() as session:
        for document_id, entity in entities.items():
            session.store(entity, document_id.replace("__", "/"))
        session.save_changes()


def test_what_was_saved_is_loaded(store: Any) -> None:
    save(store, users__1=User("John", 30), users__2=User("Jane", 31))
    for _ in range(3):  # on three nodes: once from each
        with store.open_session() as session:
            john = session.load("users/1", User)
            both = session.load(["users/1", "users/2", "users/3"], User)
        assert (john.name, john.age) == ("John", 30)
        names = {key: user.name if user else None for key, user in both.items()}
        assert names == {"users/1": "John", "users/2": "Jane", "users/3": None}


def test_ids_made_by_client_server_and_cluster(store: Any) -> None:
    with store.open_session() as session:
        users = [User("hilo"), User("hilo"), User("server"), User("cluster"), User("cluster")]
        session.store(users[0])
        session.store(users[1])
        session.store(users[2], "users/")
        session.store(users[3], "users|")
        session.store(users[4], "users|")
        session.save_changes()
    ids = [str(user.Id) for user in users]
    assert [hilo.rpartition("-")[0] for hilo in ids[:2]] == ["users/1", "users/2"]
    assert len(ids[2].removeprefix("users/").partition("-")[0]) == 19
    assert ids[3:] == ["users/1", "users/2"]


def test_documents_come_with_what_they_refer_to(store: Any) -> None:
    save(store, addresses__1=Address("Lublin"), companies__1=Company("ref", "addresses/1"))
    with store.open_session() as session:
        company = session.include("address").load("companies/1", Company)["companies/1"]
        requests = session.advanced.number_of_requests
        assert session.load(company.address, Address).city == "Lublin"
        assert session.advanced.number_of_requests == requests


def test_documents_are_found_by_the_start_of_their_ids(store: Any) -> None:
    save(store, **{f"users__{number}": User(f"u{number}") for number in range(10)})
    with store.open_session() as session:
        some = session.load_starting_with("users/", User, start=2, page_size=3)
        matching = session.load_starting_with("users/", User, matches="7|8", exclude="8")
    assert [user.name for user in some] == ["u2", "u3", "u4"]
    assert [user.name for user in matching] == ["u7"]


def test_a_document_is_changed_and_deleted(store: Any) -> None:
    save(store, users__1=User("John", 30))
    with store.open_session() as session:
        session.load("users/1", User).age = 31
        session.save_changes()
    with store.open_session() as session:
        assert session.load("users/1", User).age == 31
        assert session.advanced.exists("users/1")
        session.delete("users/1")
        session.save_changes()
        assert not session.advanced.exists("users/1")
    with store.open_session() as session:
        assert session.load("users/1", User) is None


def test_metadata_of_the_users_own_is_kept(store: Any) -> None:
    with store.open_session() as session:
        user = User("John")
        session.store(user, "users/1")
        session.advanced.get_metadata_for(user)["origin"] = "import"
        session.save_changes()
    with store.open_session() as session:
        metadata = session.advanced.get_metadata_for(session.load("users/1", User))
        assert metadata["origin"] == "import"
        assert metadata["@collection"] == "Users"


def test_an_unchanged_document_is_not_sent_again(store: Any) -> None:
    save(store, users__1=User("John"))
    with store.open_session() as session:
        change_vector = session.advanced.get_change_vector_for(session.load("users/1", User))
    with store.open_session() as session:
        again = session.advanced.conditional_load("users/1", change_vector, User)
        assert (again.entity, again.change_vector) == (None, change_vector)
    save(store, users__1=User("Jane"))
    with store.open_session() as session:
        changed = session.advanced.conditional_load("users/1", change_vector, User)
        assert changed.entity.name == "Jane"


def test_the_second_of_two_changes_is_refused_where_that_is_wanted(store: Any) -> None:
    save(store, users__1=User("John", 30))
    with store.open_session() as first, store.open_session() as second:
        second.advanced.use_optimistic_concurrency = True
        mine, theirs = second.load("users/1", User), first.load("users/1", User)
        theirs.age, mine.age = 31, 32
        second.store(User("with it"), "users/2")
        first.save_changes()
        with pytest.raises(ConcurrencyException, match="Optimistic concurrency violation"):
            second.save_changes()
    with store.open_session() as session:
        assert session.load("users/1", User).age == 31
        assert session.load("users/2", User) is None


def test_identities_are_seeded_and_taken(store: Any) -> None:
    maintenance = store.maintenance
    assert maintenance.send(SeedIdentityForOperation("bills", 23)) == 23
    assert maintenance.send(NextIdentityForOperation("bills|")) == 24
    assert maintenance.send(SeedIdentityForOperation("bills|", 5)) == 24
    assert maintenance.send(SeedIdentityForOperation("bills|", 5, force_update=True)) == 5
    assert maintenance.send(NextIdentityForOperation("BILLS|")) == 6
    assert maintenance.send(GetIdentitiesOperation()) == {"bills|": 6}


def test_compare_exchange_values_are_changed_by_one_who_knows_their_index(store: Any) -> None:
    operations = store.operations
    created = operations.send(PutCompareExchangeValueOperation("lock", "mine", 0))
    assert created.successful
    taken = operations.send(PutCompareExchangeValueOperation("lock", "yours", 0))
    assert (taken.successful, taken.value, taken.index) == (False, "mine", created.index)
    changed = operations.send(PutCompareExchangeValueOperation("lock", "yours", created.index))
    assert changed.successful and changed.index > created.index
    assert operations.send(GetCompareExchangeValueOperation("lock", str)).value == "yours"
    late = operations.send(DeleteCompareExchangeValueOperation(str, "lock", created.index))
    assert not late.successful
    gone = operations.send(DeleteCompareExchangeValueOperation(str, "lock", changed.index))
    assert gone.successful
    assert operations.send(GetCompareExchangeValueOperation("lock", str)) is None
    operations.send(PutCompareExchangeValueOperation("other", {"n": 1}, 0))
    found = operations.send(GetCompareExchangeValuesOperation(["lock", "other"], dict))
    assert found["other"].value == {"n": 1}


def test_a_cluster_transaction_is_all_or_nothing(store: Any) -> None:
    with cluster_wide(store) as session:
        session.store(User("John"), "users/john")
        session.advanced.cluster_transaction.create_compare_exchange_value("names/John", "x")
        session.save_changes()
    with cluster_wide(store) as session:
        session.store(User("John"), "users/john2")
        session.advanced.cluster_transaction.create_compare_exchange_value("names/John", "y")
        with pytest.raises(ConcurrencyException, match="names/John"):
            session.save_changes()
    with store.open_session() as session:
        assert session.load("users/john", User).name == "John"
        assert session.load("users/john2", User) is None


def test_a_loaded_document_is_saved_in_a_cluster_transaction_once(store: Any) -> None:
    with cluster_wide(store) as session:
        session.store(User("John", 30), "users/1")
        session.save_changes()
    with cluster_wide(store) as first, cluster_wide(store) as second:
        mine, theirs = second.load("users/1", User), first.load("users/1", User)
        theirs.age, mine.age = 31, 32
        first.save_changes()
        with pytest.raises(ConcurrencyException, match="rvn-atomic/users/1"):
            second.save_changes()
    with cluster_wide(store) as session:
        assert session.load("users/1", User).age == 31
        session.delete("users/1")
        session.save_changes()
    with store.open_session() as session:
        assert session.load("users/1", User) is None


def test_a_save_waits_for_indexes_and_replicas(store: Any) -> None:
    others = len(store.urls) - 1
    with store.open_session() as session:
        session.advanced.wait_for_indexes_after_save_changes()
        if others:
            session.advanced.wait_for_replication_after_save_changes(
                lambda wait: wait.number_of_replicas(others)
            )
        session.store(User("everywhere"), "users/1")
        session.save_changes()
    with store.open_session() as session:
        session.advanced.wait_for_replication_after_save_changes(
            lambda wait: wait.number_of_replicas(others + 1).throw_on_timeout(True)
        )
        session.store(User("too much to ask"), "users/2")
        with pytest.raises(Exception, match="replicated to"):
            session.save_changes()
    with store.open_session() as session:
        assert session.load("users/2", User) is not None, "it was written all the same"


def test_statistics_count_what_is_there(store: Any) -> None:
    save(store, users__1=User("John"), companies__1=Company("x"))
    statistics = store.maintenance.send(GetStatisticsOperation())
    assert statistics.count_of_documents == 2
    assert statistics.count_of_indexes == 0


def test_databases_come_and_go(store: Any) -> None:
    server = store.maintenance.server
    name = f"{store.database}-second"
    server.send(CreateDatabaseOperation(DatabaseRecord(name), 1))
    assert name in server.send(GetDatabaseNamesOperation(0, 1_000))
    with pytest.raises(ConcurrencyException, match="already exists"):
        server.send(CreateDatabaseOperation(DatabaseRecord(name), 1))
    server.send(DeleteDatabaseOperation(name, True))
    assert name not in server.send(GetDatabaseNamesOperation(0, 1_000))


def test_a_missing_database_is_named(store: Any) -> None:
    with ravendb.DocumentStore(store.urls, "no-such-database") as opened:
        opened.initialize()
        with opened.open_session() as session, pytest.raises(Exception, match="no-such-database"):
            session.load("users/1", User)
