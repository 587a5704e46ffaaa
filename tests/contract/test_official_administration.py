"""The official client administers databases, on one node and on three, where every request goes to
another node than the one before.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from ravendb.documents.operations.configuration.definitions import ClientConfiguration
from ravendb.documents.operations.configuration.operations import (
    GetClientConfigurationOperation,
    GetServerWideClientConfigurationOperation,
    PutClientConfigurationOperation,
    PutServerWideClientConfigurationOperation,
)
from ravendb.documents.operations.identities import NextIdentityForOperation
from ravendb.documents.operations.server_misc import ToggleDatabasesStateOperation
from ravendb.documents.operations.statistics import (
    GetCollectionStatisticsOperation,
    GetDetailedCollectionStatisticsOperation,
    GetDetailedStatisticsOperation,
    GetStatisticsOperation,
)
from ravendb.exceptions.raven_exceptions import ConcurrencyException, RavenException
from ravendb.json.metadata_as_dictionary import MetadataAsDictionary
from ravendb.serverwide.database_record import DatabaseRecord
from ravendb.serverwide.operations.common import (
    AddDatabaseNodeOperation,
    CreateDatabaseOperation,
    DeleteDatabaseOperation,
    GetDatabaseNamesOperation,
    GetDatabaseRecordOperation,
    PromoteDatabaseNodeOperation,
    ReorderDatabaseMembersOperation,
)
from ravendb.serverwide.operations.configuration import (
    GetDatabaseSettingsOperation,
    PutDatabaseSettingsOperation,
)
from ravendb.serverwide.operations.ongoing_tasks import SetDatabasesLockOperation

from scripts.local_cluster import LocalCluster
from tests.contract.conftest import make_database
from tests.contract.test_official_client import Company, User, save

LockMode = DatabaseRecord.DatabaseLockMode


@pytest.fixture(params=["one node", "three nodes"])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A store of the official client, with a new database."""
    if request.param == "one node":
        urls = [request.getfixturevalue("node_url")]
    else:
        running: LocalCluster = request.getfixturevalue("shared_cluster")
        urls = running.urls
    with ravendb.DocumentStore(urls, make_database(urls[0])) as opened:
        opened.initialize()
        yield opened


def another_store(store: Any) -> Any:
    """A client that knows nothing yet."""
    opened = ravendb.DocumentStore(store.urls, store.database)
    opened.initialize()
    return opened


def until(holds: Callable[[], bool]) -> None:
    """Return once it holds; every look is a request, and they are many before the time is over."""
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while not holds():
        assert datetime.now(UTC) < deadline, "it never held"


@dataclass(frozen=True)
class UpdateDatabase:
    """The client has the command, and no operation that sends it."""

    record: Any
    etag: int

    def get_command(self, conventions: Any) -> Any:
        return CreateDatabaseOperation.CreateDatabaseCommand(
            conventions, self.record, 1, self.etag
        )


# Records


def test_a_record_is_read_changed_and_written_back(store: Any) -> None:
    server = store.maintenance.server
    record = server.send(GetDatabaseRecordOperation(store.database))
    assert record.lock_mode == LockMode.UNLOCK and not record.disabled
    etag = record._DatabaseRecordWithEtag__etag
    record.settings = {"Indexing.MapBatchSize": "64"}
    server.send(UpdateDatabase(record, etag))
    changed = server.send(GetDatabaseRecordOperation(store.database))
    assert changed.settings == {"Indexing.MapBatchSize": "64"}
    with pytest.raises(ConcurrencyException, match=f"but was expecting {etag}"):
        server.send(UpdateDatabase(record, etag))


def test_databases_are_created_and_deleted_several_at_once(store: Any) -> None:
    server = store.maintenance.server
    names = [f"{store.database}-{word}" for word in ("red", "green", "blue")]
    for name in names:
        result = server.send(CreateDatabaseOperation(DatabaseRecord(name), 1))
        assert result.name == name and len(result.topology.members) == len(store.urls)
    assert set(names) <= set(server.send(GetDatabaseNamesOperation(0, 1_000)))
    parameters = DeleteDatabaseOperation.Parameters(names, True, None, timedelta(seconds=30))
    deleted = server.send(DeleteDatabaseOperation(parameters=parameters))
    assert deleted.raft_command_index > 0 and deleted.pending_deletes == []
    assert not set(names) & set(server.send(GetDatabaseNamesOperation(0, 1_000)))


def test_a_database_is_disabled_and_enabled(store: Any) -> None:
    server = store.maintenance.server
    save(store, users__1=User("John"))
    told = server.send(ToggleDatabasesStateOperation(store.database, True))
    assert (told.name, told.success, told.disabled) == (store.database, True, True)
    assert server.send(GetDatabaseRecordOperation(store.database)).disabled
    with pytest.raises(Exception, match="has been disabled"):
        save(another_store(store), users__2=User("Jane"))
    told = server.send(ToggleDatabasesStateOperation(store.database, False))
    assert (told.success, told.disabled) == (True, False)
    with another_store(store).open_session() as session:
        assert session.load("users/1", User).name == "John"
        assert session.load("users/2", User) is None


def test_a_locked_database_stays(store: Any) -> None:
    server = store.maintenance.server
    server.send(SetDatabasesLockOperation(store.database, LockMode.PREVENT_DELETES_ERROR))
    record = server.send(GetDatabaseRecordOperation(store.database))
    assert record.lock_mode == LockMode.PREVENT_DELETES_ERROR
    with pytest.raises(RavenException, match="cannot be deleted because of the set lock mode"):
        server.send(DeleteDatabaseOperation(store.database, True))
    server.send(SetDatabasesLockOperation(store.database, LockMode.PREVENT_DELETES_IGNORE))
    server.send(DeleteDatabaseOperation(store.database, True))
    assert server.send(GetDatabaseRecordOperation(store.database)) is not None
    server.send(SetDatabasesLockOperation(store.database, LockMode.UNLOCK))
    server.send(DeleteDatabaseOperation(store.database, True))
    assert store.database not in server.send(GetDatabaseNamesOperation(0, 1_000))


def test_settings_are_put_and_read(store: Any) -> None:
    maintenance, settings = store.maintenance, {"a.b": "1", "c": "2"}
    maintenance.send(PutDatabaseSettingsOperation(store.database, settings))
    assert maintenance.send(GetDatabaseSettingsOperation(store.database)).settings == settings


def test_nodes_are_ordered_and_are_members_already(store: Any) -> None:
    server = store.maintenance.server

    def members() -> list[str]:
        topology = server.send(GetDatabaseRecordOperation(store.database)).topology
        found: list[str] = topology["Members"]
        return found

    backwards = members()[::-1]
    server.send(ReorderDatabaseMembersOperation(store.database, backwards))
    assert members() == backwards
    for operation in (PromoteDatabaseNodeOperation, AddDatabaseNodeOperation):
        result = server.send(operation(store.database, backwards[0]))
        assert result.topology.members == backwards
    with pytest.raises(RavenException, match="not a part of the cluster"):
        server.send(AddDatabaseNodeOperation(store.database, "Z"))
    with pytest.raises(RavenException, match="reordered list"):
        server.send(ReorderDatabaseMembersOperation(store.database, [*backwards, "Z"]))


# What clients are told


def configured(requests: int, separator: str | None = None) -> ClientConfiguration:
    configuration = ClientConfiguration()
    configuration.max_number_of_requests_per_session = requests
    configuration.identity_parts_separator = separator
    return configuration


def test_a_client_takes_its_configuration_from_the_database(store: Any) -> None:
    maintenance = store.maintenance
    maintenance.send(PutClientConfigurationOperation(configured(77, "-")))
    read = maintenance.send(GetClientConfigurationOperation())
    assert read.etag > 0 and read.configuration.max_number_of_requests_per_session == 77
    with another_store(store) as fresh:
        with fresh.open_session() as session:
            session.load("users/1", User)
        assert fresh.get_request_executor().client_configuration_etag == read.etag
        assert fresh.get_request_executor().conventions.max_number_of_requests_per_session == 77
        with fresh.open_session() as session:
            user = User("cluster")
            session.store(user, "users|")
            session.save_changes()
        assert user.Id == "users-1"


def test_the_servers_configuration_counts_where_the_database_has_none(store: Any) -> None:
    server = store.maintenance.server
    server.send(PutServerWideClientConfigurationOperation(configured(66)))
    try:
        told = server.send(GetServerWideClientConfigurationOperation())
        assert told.max_number_of_requests_per_session == 66
        inherited = store.maintenance.send(GetClientConfigurationOperation())
        assert inherited.configuration.max_number_of_requests_per_session == 66
    finally:
        off = ClientConfiguration()
        off.disabled = True
        server.send(PutServerWideClientConfigurationOperation(off))


# Statistics


def test_statistics_say_what_is_there(store: Any) -> None:
    save(store, users__1=User("John"), users__2=User("Jane"), companies__1=Company("x"))
    with store.open_session() as session:
        session.delete("users/2")
        session.save_changes()
    store.maintenance.send(NextIdentityForOperation("bills"))
    store.operations.send(PutCompareExchangeValueOperation("k", "v", 0))
    plain = store.maintenance.send(GetStatisticsOperation())
    assert (plain.count_of_documents, plain.count_of_tombstones) == (2, 1)
    assert plain.size_on_disk.size_in_bytes > 0 and plain.stale_indexes == []
    detailed = store.maintenance.send(GetDetailedStatisticsOperation())
    counts = (detailed.count_of_identities, detailed.count_of_compare_exchange)
    assert counts == (1, 1) and detailed.count_of_compare_exchange_tombstones == 0
    by_name = store.maintenance.send(GetCollectionStatisticsOperation())
    assert by_name.collections == {"Users": 1, "Companies": 1}
    measured = store.maintenance.send(GetDetailedCollectionStatisticsOperation())
    users = measured.collections["Users"]
    assert users.count_of_documents == 1 and users.documents_size.size_in_bytes > 20
    assert users.tombstones_size.size_in_bytes > 0


# Compare-exchange values


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def test_values_have_metadata_and_any_content(store: Any) -> None:
    operations = store.operations
    for number, content in enumerate(("text", 5, 1.5, True, {"a": [1, None]})):
        metadata = MetadataAsDictionary({"origin": "import"})
        put = PutCompareExchangeValueOperation(f"k/{number}", content, 0, metadata)
        assert operations.send(put).successful
        found = operations.send(GetCompareExchangeValueOperation(f"K/{number}", type(content)))
        assert found.value == content and found.metadata["origin"] == "import"
    every = operations.send(GetCompareExchangeValuesOperation())
    assert list(every) == [f"k/{number}" for number in range(5)]


def test_a_value_is_gone_on_every_node_when_its_time_has_come(store: Any) -> None:
    operations = store.operations
    ends = MetadataAsDictionary({"@expires": in_seconds(1.5)})
    lasts = MetadataAsDictionary({"@expires": in_seconds(3_600)})
    assert operations.send(PutCompareExchangeValueOperation("ends", "x", 0, ends)).successful
    kept = operations.send(PutCompareExchangeValueOperation("lasts", "x", 0, lasts))
    assert operations.send(GetCompareExchangeValueOperation("ends", str)).value == "x"
    until(lambda: operations.send(GetCompareExchangeValueOperation("ends", str)) is None)
    for _ in store.urls:  # on three nodes: once from each
        assert operations.send(GetCompareExchangeValueOperation("ends", str)) is None
        assert operations.send(GetCompareExchangeValueOperation("lasts", str)).index == kept.index
    again = operations.send(PutCompareExchangeValueOperation("ends", "y", 0))
    assert again.successful, "the key is free"


def test_a_value_of_a_session_ends_too(store: Any) -> None:
    options = SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)
    with store.open_session(session_options=options) as session:
        values = session.advanced.cluster_transaction
        value = values.create_compare_exchange_value("session", "x")
        value.metadata["@expires"] = in_seconds(1)
        session.save_changes()
    get = GetCompareExchangeValueOperation("session", str)
    until(lambda: store.operations.send(get) is None)
    missing = store.operations.send(DeleteCompareExchangeValueOperation(str, "session", 1))
    assert not missing.successful


def test_a_time_that_is_none_is_refused(store: Any) -> None:
    metadata = MetadataAsDictionary({"@expires": "tomorrow"})
    with pytest.raises(RavenException, match="due date format"):
        store.operations.send(PutCompareExchangeValueOperation("k", "x", 0, metadata))
    assert store.operations.send(GetCompareExchangeValueOperation("k", str)) is None
