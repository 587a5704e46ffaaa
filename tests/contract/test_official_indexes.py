"""Indexes by the official client, unchanged, against one real node and against three."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import ravendb
from ravendb import IndexDefinition
from ravendb.documents.indexes.abstract_index_creation_tasks import AbstractIndexCreationTask
from ravendb.documents.indexes.definitions import (
    FieldIndexing,
    FieldStorage,
    IndexFieldOptions,
    IndexLockMode,
    IndexPriority,
    IndexRunningStatus,
    IndexState,
    IndexType,
)
from ravendb.documents.operations.indexes import (
    DeleteIndexErrorsOperation,
    DeleteIndexOperation,
    DisableIndexOperation,
    EnableIndexOperation,
    GetIndexErrorsOperation,
    GetIndexesOperation,
    GetIndexesStatisticsOperation,
    GetIndexingStatusOperation,
    GetIndexNamesOperation,
    GetIndexOperation,
    GetIndexStatisticsOperation,
    GetTermsOperation,
    IndexHasChangedOperation,
    PutIndexesOperation,
    ResetIndexOperation,
    SetIndexesLockOperation,
    SetIndexesPriorityOperation,
    StartIndexingOperation,
    StartIndexOperation,
    StopIndexingOperation,
    StopIndexOperation,
)
from ravendb.documents.operations.statistics import GetStatisticsOperation
from ravendb.exceptions.exceptions import TimeoutException

from scripts.local_cluster import wait_for
from tests.contract.conftest import make_database


@dataclass
class User:
    name: str = ""
    age: int = 0
    Id: str | None = None


@dataclass
class Count:
    name: str = ""
    count: int = 0


class Users_ByName(AbstractIndexCreationTask):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.map = "from u in docs.Users select new { u.name, u.age }"


class Users_Counted(AbstractIndexCreationTask):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.map = "from u in docs.Users select new { u.name, count = 1 }"
        self._reduce = (
            "from r in results group r by r.name into g "
            "select new { name = g.Key, count = g.Sum(x => x.count) }"
        )


def definition(name: str, *maps: str) -> IndexDefinition:
    made = IndexDefinition()
    made.name, made.maps = name, set(maps)
    return made


def save(store: Any, *users: User) -> None:
    """Store users, and wait until all indexes have read them."""
    with store.open_session() as session:
        for user in users:
            session.store(user, user.Id)
        session.advanced.wait_for_indexes_after_save_changes()
        session.save_changes()


@pytest.fixture
def alone(node_url: str) -> Any:
    """A store of one node: each has its own errors, rests by itself and is reset by itself."""
    with ravendb.DocumentStore([node_url], make_database(node_url)) as opened:
        opened.initialize()
        yield opened


@pytest.fixture
def indexed(store: Any) -> Any:
    """A store with an index, and what it has read."""
    return with_users(store)


@pytest.fixture
def alone_indexed(alone: Any) -> Any:
    """The same on one node."""
    return with_users(alone)


def with_users(store: Any) -> Any:
    Users_ByName().execute(store)
    save(store, User("Ann", 40, "users/1"), User("Bo", 9, "users/2"), User("Ann", 7, "users/3"))
    return store


def stats(store: Any, name: str = "Users/ByName") -> Any:
    return store.maintenance.send(GetIndexStatisticsOperation(name))


def status(store: Any) -> Any:
    return store.maintenance.send(GetIndexingStatusOperation())


def test_a_save_that_waits_is_found_by_any_query(indexed: Any) -> None:
    Users_Counted().execute(indexed)
    for number in range(6):
        save(indexed, User("Ann", number, f"users/more/{number}"))
        with indexed.open_session() as session:
            found = session.query_index_type(Users_ByName, User).where_equals("name", "ann")
            assert found.count() == 3 + number
            counted = session.query_index_type(Users_Counted, Count).where_equals("name", "Ann")
            assert counted.single().count == 3 + number


def test_definitions_come_back_as_they_were_put(indexed: Any) -> None:
    put = definition("Users/Other", "from u in docs.Users select new { u.name, u.age }")
    put.priority, put.lock_mode = IndexPriority.LOW, IndexLockMode.LOCKED_ERROR
    options = IndexFieldOptions(storage=FieldStorage.YES, indexing=FieldIndexing.SEARCH)
    put.fields = {"name": options}
    put.configuration = {"Indexing.MapTimeoutInSec": "30"}
    results = indexed.maintenance.send(PutIndexesOperation(put))
    assert [result["Index"] for result in results["Results"]] == ["Users/Other"]
    got = indexed.maintenance.send(GetIndexOperation("users/other"))
    assert got.name == "Users/Other" and set(got.maps) == put.maps
    assert (got.priority, got.lock_mode) == (IndexPriority.LOW, IndexLockMode.LOCKED_ERROR)
    assert got.state == IndexState.NORMAL
    assert got.configuration == put.configuration
    assert indexed.maintenance.send(GetIndexOperation("Nope")) is None
    names = indexed.maintenance.send(GetIndexNamesOperation(0, 10))
    assert names == ["Users/ByName", "Users/Other"]
    every = indexed.maintenance.send(GetIndexesOperation(0, 10))
    assert [one.name for one in every] == names


def test_a_definition_changes_or_does_not(indexed: Any) -> None:
    same = Users_ByName().create_index_definition()
    same.name = "Users/ByName"
    assert indexed.maintenance.send(IndexHasChangedOperation(same)) is False
    other = definition("Users/ByName", "from u in docs.Users select new { u.age }")
    assert indexed.maintenance.send(IndexHasChangedOperation(other)) is True
    indexed.maintenance.send(SetIndexesLockOperation(IndexLockMode.LOCKED_IGNORE, "Users/ByName"))
    indexed.maintenance.send(PutIndexesOperation(other))
    assert indexed.maintenance.send(IndexHasChangedOperation(same)) is False
    indexed.maintenance.send(SetIndexesLockOperation(IndexLockMode.LOCKED_ERROR, "Users/ByName"))
    with pytest.raises(RuntimeError, match="LockedError"):
        indexed.maintenance.send(PutIndexesOperation(other))
    indexed.maintenance.send(SetIndexesLockOperation(IndexLockMode.UNLOCK, "Users/ByName"))
    indexed.maintenance.send(PutIndexesOperation(other))
    assert indexed.maintenance.send(IndexHasChangedOperation(other)) is False
    save(indexed, User("Cy", 1))
    wait_for(lambda: "age" in _fields(indexed) or None, 20, "it does not take its place")


def _fields(store: Any) -> list[str]:
    terms = store.maintenance.send(GetTermsOperation("Users/ByName", "age", None, 10))
    names = store.maintenance.send(GetTermsOperation("Users/ByName", "name", None, 10))
    return [field for field, found in (("age", terms), ("name", names)) if found and not names]


def test_statistics_tell_what_was_done(indexed: Any) -> None:
    told = stats(indexed)
    assert (told.map_attempts, told.map_successes, told.map_errors) == (3, 3, 0)
    assert (told.entries_count, told.errors_count, told.stale) == (3, 0, False)
    assert (told.type, told.status) == (IndexType.MAP, IndexRunningStatus.RUNNING)
    assert (told.state, told.priority) == (IndexState.NORMAL, IndexPriority.NORMAL)
    assert told.collections["Users"].document_lag == 0
    assert len(indexed.maintenance.send(GetIndexesStatisticsOperation())) == 1
    database = indexed.maintenance.send(GetStatisticsOperation())
    assert database.count_of_indexes == 1
    assert [index.name for index in database.indexes] == ["Users/ByName"]
    indexed.maintenance.send(SetIndexesPriorityOperation(IndexPriority.HIGH, "Users/ByName"))
    wait_for(
        lambda: stats(indexed).priority is IndexPriority.HIGH or None, 20, "it stays as it was"
    )


def test_terms_are_listed_page_by_page(indexed: Any) -> None:
    terms = GetTermsOperation("Users/ByName", "name", None, 10)
    assert indexed.maintenance.send(terms) == ["ann", "bo"]
    assert indexed.maintenance.send(GetTermsOperation("Users/ByName", "name", "ann", 10)) == ["bo"]
    assert indexed.maintenance.send(GetTermsOperation("Users/ByName", "name", None, 1)) == ["ann"]


def test_indexes_rest_and_are_not_waited_for_in_vain(alone_indexed: Any) -> None:
    alone_indexed.maintenance.send(StopIndexOperation("Users/ByName"))
    assert status(alone_indexed).indexes[0].status == IndexRunningStatus.PAUSED
    alone_indexed.maintenance.send(StartIndexOperation("Users/ByName"))
    alone_indexed.maintenance.send(StopIndexingOperation())
    assert status(alone_indexed).status == IndexRunningStatus.PAUSED
    with alone_indexed.open_session() as session:
        session.store(User("Di", 1), "users/4")
        session.save_changes()
        told: list[Any] = []
        query = session.query_index_type(Users_ByName, User).statistics(told.append)
        assert len(list(query)) == 3 and told[0].is_stale
    assert stats(alone_indexed).stale
    alone_indexed.maintenance.send(StartIndexingOperation())
    assert status(alone_indexed).status == IndexRunningStatus.RUNNING
    save(alone_indexed, User("Ed", 1))
    assert stats(alone_indexed).entries_count == 5


def test_a_wait_that_was_in_vain_is_told(alone_indexed: Any) -> None:
    alone_indexed.maintenance.send(StopIndexingOperation())
    with alone_indexed.open_session() as session:
        session.store(User("Di", 1), "users/4")
        session.advanced.wait_for_indexes_after_save_changes(
            lambda options: options.with_timeout(timedelta(seconds=1)).throw_on_timeout(True)
        )
        with pytest.raises((TimeoutException, RuntimeError), match="could not verify that all"):
            session.save_changes()
    with alone_indexed.open_session() as session:
        assert session.load("users/4", User).name == "Di", "it was saved all the same"
    alone_indexed.maintenance.send(StartIndexingOperation())


def test_indexes_are_disabled_reset_and_deleted(alone_indexed: Any) -> None:
    def is_now(wanted: IndexRunningStatus) -> None:
        wait_for(lambda: stats(alone_indexed).status is wanted or None, 20, f"it is not {wanted}")

    alone_indexed.maintenance.send(DisableIndexOperation("Users/ByName"))
    is_now(IndexRunningStatus.DISABLED)
    assert stats(alone_indexed).state == IndexState.DISABLED
    alone_indexed.maintenance.send(EnableIndexOperation("Users/ByName"))
    is_now(IndexRunningStatus.RUNNING)
    alone_indexed.maintenance.send(ResetIndexOperation("Users/ByName"))
    save(alone_indexed, User("Di", 1))
    assert stats(alone_indexed).entries_count == 4
    alone_indexed.maintenance.send(DeleteIndexOperation("Users/ByName"))
    assert alone_indexed.maintenance.send(GetIndexNamesOperation(0, 10)) == []


def test_errors_are_told_and_forgotten(alone: Any) -> None:
    broken = definition("Broken", "from u in docs.Users select new { n = 10 / u.name.Length }")
    alone.maintenance.send(PutIndexesOperation(broken))
    save(alone, User("", 1, "users/1"), User("Bo", 1, "users/2"))
    (found,) = alone.maintenance.send(GetIndexErrorsOperation("Broken"))
    assert found.name == "Broken"
    assert [(error.document, error.action) for error in found.errors] == [("users/1", "Map")]
    assert stats(alone, "Broken").errors_count == 1
    alone.maintenance.send(DeleteIndexErrorsOperation())
    (found,) = alone.maintenance.send(GetIndexErrorsOperation())
    assert found.errors == []


def test_an_index_that_fails_on_most_documents_says_so(store: Any) -> None:
    broken = definition("Broken", "from u in docs.Users select new { n = 10 / u.name.Length }")
    store.maintenance.send(PutIndexesOperation(broken))
    with store.open_session() as session:
        for number in range(120):
            session.store(User("", number), f"users/{number}")
        session.save_changes()
    wait_for(lambda: stats(store, "Broken").state is IndexState.ERROR or None, 20, "it goes on")
    assert status(store).indexes[0].status in IndexRunningStatus


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (definition("Auto/Users/Byname", "from u in docs.Users select new { u.name }"), "Auto/"),
        (definition(" ", "from u in docs.Users select new { u.name }"), "name"),
        (definition("Bad", "from u in docs.Users selec u"), "Failed to compile index 'Bad'"),
    ],
)
def test_what_cannot_be_an_index_is_refused(store: Any, sent: Any, said: str) -> None:
    with pytest.raises((RuntimeError, ValueError), match=said):
        store.maintenance.send(PutIndexesOperation(sent))
    assert store.maintenance.send(GetIndexNamesOperation(0, 10)) == []
