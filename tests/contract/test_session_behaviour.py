"""One file of session behaviour, told to both clients: ours and the official one.

Where both have the same names, both must do the same; what a story needs to know of its client is
in `Client`, and that is little.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import ravendb
from ravendb.documents.operations.identities import SeedIdentityForOperation as OfficialSeed
from ravendb.exceptions.raven_exceptions import ConcurrencyException

import quoth

Options = Callable[..., Any]


class Company:
    """As programs for RavenDB write their classes."""

    def __init__(
        self,
        name: str | None = None,
        employees: int = 0,
        owner: str | None = None,
        tags: list[str] | None = None,
        Id: str | None = None,
    ) -> None:
        self.Id = Id
        self.name = name
        self.employees = employees
        self.owner = owner
        self.tags = tags


class Employee:
    def __init__(
        self, first_name: str | None = None, last_name: str | None = None, Id: str | None = None
    ) -> None:
        self.Id = Id
        self.first_name = first_name
        self.last_name = last_name


@dataclass(frozen=True)
class Client:
    """A client's store and names."""

    name: str
    store: Any
    options: Options
    cluster_wide: Any
    conflict: type[Exception]
    refusal: tuple[type[Exception], ...]
    seed: Callable[..., Any]

    @property
    def is_ours(self) -> bool:
        return self.name == "quoth"

    def session(self, **options: Any) -> Any:
        return self.store.open_session(session_options=self.options(**options))

    def in_cluster(self) -> Any:
        return self.session(transaction_mode=self.cluster_wide)

    def save(self, entities: dict[str, Any]) -> None:
        """Store entities by their ids, in one save."""
        with self.store.open_session() as session:
            for key, entity in entities.items():
                session.store(entity, key)
            session.save_changes()

    def stored(self, key: str, object_type: type[Any] = Company) -> Any:
        """What another session finds."""
        with self.store.open_session() as session:
            return session.load(key, object_type)


@pytest.fixture(params=["quoth", "ravendb"])
def client(request: pytest.FixtureRequest, node_url: str, database: str) -> Iterator[Client]:
    if request.param == "quoth":
        with quoth.DocumentStore(node_url, database) as store:
            store.initialize()
            yield Client(
                "quoth",
                store,
                quoth.SessionOptions,
                quoth.TransactionMode.CLUSTER_WIDE,
                quoth.ConcurrencyError,
                (quoth.QuothError,),
                quoth.SeedIdentityForOperation,
            )
    else:
        with ravendb.DocumentStore([node_url], database) as official:
            official.initialize()
            yield Client(
                "ravendb",
                official,
                ravendb.SessionOptions,
                ravendb.TransactionMode.CLUSTER_WIDE,
                ConcurrencyException,
                (Exception,),
                OfficialSeed,
            )


# Storing and loading.


def test_what_is_stored_is_found(client: Client) -> None:
    with client.store.open_session() as session:
        session.store(Company("quoth", 3), "companies/1")
        session.save_changes()
    found = client.stored("companies/1")
    assert (found.name, found.employees, found.Id) == ("quoth", 3, "companies/1")


def test_an_id_is_made_when_none_is_given(client: Client) -> None:
    company = Company("quoth")
    with client.store.open_session() as session:
        session.store(company)
        session.save_changes()
        assert session.advanced.get_document_id(company) == "companies/1-A"
    assert company.Id == "companies/1-A"


def test_an_entity_may_carry_its_id(client: Client) -> None:
    with client.store.open_session() as session:
        session.store(Company("quoth", Id="companies/carried"))
        session.save_changes()
    assert client.stored("companies/carried").name == "quoth"


def test_the_cluster_counts_identities(client: Client) -> None:
    first, second = Company("one"), Company("two")
    with client.store.open_session() as session:
        session.store(first, "companies|")
        session.save_changes()
        session.store(second, "companies|")
        session.save_changes()
    assert [first.Id, second.Id] == ["companies/1", "companies/2"]


def test_an_identity_can_be_seeded_higher_and_forced_lower(client: Client) -> None:
    assert client.store.maintenance.send(client.seed("companies|", 23)) == 23
    after = Company("after")
    with client.store.open_session() as session:
        session.store(after, "companies|")
        session.save_changes()
    assert after.Id == "companies/24"
    assert client.store.maintenance.send(client.seed("companies", 5, force_update=True)) == 5
    lower = Company("lower")
    with client.store.open_session() as session:
        session.store(lower, "companies|")
        session.save_changes()
    assert lower.Id == "companies/6"


def test_the_node_completes_a_prefix(client: Client) -> None:
    company = Company("quoth")
    with client.store.open_session() as session:
        session.store(company, "companies/")
        session.save_changes()
        found = session.advanced.get_document_id(company)
    assert found.startswith("companies/0000") and found.endswith("-A")


def test_a_missing_document_is_none(client: Client) -> None:
    with client.store.open_session() as session:
        assert session.load("companies/none", Company) is None


def test_no_id_is_no_document(client: Client) -> None:
    with client.store.open_session() as session:
        assert session.load(None, Company) is None
        assert session.advanced.number_of_requests == 0


def test_many_are_loaded_by_their_ids(client: Client) -> None:
    client.save({"companies/1": Company("one"), "companies/2": Company("two")})
    with client.store.open_session() as session:
        found = session.load(["companies/1", "companies/2", "companies/3"], Company)
        assert found["companies/1"].name == "one"
        assert found["companies/2"].name == "two"
        assert found["companies/3"] is None
        assert session.advanced.number_of_requests == 1


def test_an_id_is_one_entity(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        first = session.load("companies/1", Company)
        assert session.load("companies/1", Company) is first
        assert session.load("COMPANIES/1", Company) is first
        assert session.advanced.number_of_requests == 1


def test_documents_come_by_the_beginning_of_their_ids(client: Client) -> None:
    ids = ["companies/1", "companies/2", "companies/x", "other/1"]
    client.save({key: Company(key) for key in ids})
    with client.store.open_session() as session:
        found = session.advanced.load_starting_with("companies/", Company)
        assert [each.name for each in found] == ["companies/1", "companies/2", "companies/x"]
        assert session.load("companies/1", Company) is found[0]
    with client.store.open_session() as session:
        some = session.advanced.load_starting_with("companies/", Company, matches="1|x")
        assert [each.name for each in some] == ["companies/1", "companies/x"]
        rest = session.advanced.load_starting_with("companies/", Company, exclude="x")
        assert [each.name for each in rest] == ["companies/1", "companies/2"]
        page = session.advanced.load_starting_with("companies/", Company, start=1, page_size=1)
        assert [each.name for each in page] == ["companies/2"]
        later = session.advanced.load_starting_with(
            "companies/", Company, start_after="companies/1"
        )
        assert [each.name for each in later] == ["companies/2", "companies/x"]


def test_what_is_included_needs_no_request(client: Client) -> None:
    client.save(
        {"companies/1": Company("one", owner="employees/1"), "employees/1": Employee("Ann")}
    )
    with client.store.open_session() as session:
        company = session.include("owner").load(["companies/1"], Company)["companies/1"]
        assert session.load(company.owner, Employee).first_name == "Ann"
        assert session.advanced.number_of_requests == 1
    with client.store.open_session() as session:
        company = session.load(
            "companies/1", Company, lambda builder: builder.include_documents("owner")
        )
        assert session.load(company.owner, Employee).first_name == "Ann"
        assert session.advanced.number_of_requests == 1


def test_existence_is_asked_without_loading(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        assert session.advanced.exists("companies/1")
        assert not session.advanced.exists("companies/2")
        assert not session.advanced.is_loaded("companies/1")
        session.load("companies/1", Company)
        assert session.advanced.is_loaded("companies/1")


def test_a_conditional_load_brings_what_has_changed(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        company = session.load("companies/1", Company)
        known = session.advanced.get_change_vector_for(company)
    with client.store.open_session() as session:
        found = session.advanced.conditional_load("companies/1", known, Company)
        assert (found.entity, found.change_vector) == (None, known)
    client.save({"companies/1": Company("two")})
    with client.store.open_session() as session:
        found = session.advanced.conditional_load("companies/1", known, Company)
        assert found.entity.name == "two"


# Changing.


def test_a_change_is_saved_and_nothing_else(client: Client) -> None:
    client.save({"companies/1": Company("one", 1), "companies/2": Company("two", 2)})
    with client.store.open_session() as session:
        one = session.load("companies/1", Company)
        two = session.load("companies/2", Company)
        before = session.advanced.get_change_vector_for(two)
        one.employees = 7
        assert session.advanced.has_changes()
        assert session.advanced.has_changed(one) and not session.advanced.has_changed(two)
        session.save_changes()
        assert not session.advanced.has_changes()
        assert session.advanced.get_change_vector_for(two) == before
    assert client.stored("companies/1").employees == 7


def test_what_changed_is_told(client: Client) -> None:
    client.save({"companies/1": Company("one", 1), "companies/2": Company("two")})
    with client.store.open_session() as session:
        one = session.load("companies/1", Company)
        session.store(Company("new"), "companies/3")
        one.name = "uno"
        told = session.advanced.what_changed()
        assert set(told) == {"companies/1", "companies/3"}
        (name,) = session.advanced.what_changed_for(one)
        assert (name.change.value, name.field_name) == ("field_changed", "name")
        assert (name.field_old_value, name.field_new_value) == ("one", "uno")


def test_an_entity_is_deleted(client: Client) -> None:
    client.save({"companies/1": Company("one"), "companies/2": Company("two")})
    with client.store.open_session() as session:
        session.delete(session.load("companies/1", Company))
        session.delete("companies/2")
        session.save_changes()
        assert session.load("companies/1", Company) is None
    assert client.stored("companies/1") is None
    assert client.stored("companies/2") is None


def test_a_deletion_with_an_old_change_vector_is_refused(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        company = session.load("companies/1", Company)
        old = session.advanced.get_change_vector_for(company)
    client.save({"companies/1": Company("two")})
    with client.store.open_session() as session:
        session.delete("companies/1", old)
        with pytest.raises(client.conflict):
            session.save_changes()
    assert client.stored("companies/1").name == "two"


def test_the_last_writer_wins_unless_asked_otherwise(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        company = session.load("companies/1", Company)
        client.save({"companies/1": Company("theirs")})
        company.name = "ours"
        session.save_changes()
    assert client.stored("companies/1").name == "ours"


def test_optimistic_concurrency_refuses_the_second_writer(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        session.advanced.use_optimistic_concurrency = True
        company = session.load("companies/1", Company)
        client.save({"companies/1": Company("theirs")})
        company.name = "ours"
        with pytest.raises(client.conflict):
            session.save_changes()
    assert client.stored("companies/1").name == "theirs"


def test_refresh_brings_what_the_server_has(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        company = session.load("companies/1", Company)
        client.save({"companies/1": Company("two")})
        session.advanced.refresh(company)
        assert company.name == "two"
        assert not session.advanced.has_changes()


def test_what_is_evicted_is_loaded_anew(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        first = session.load("companies/1", Company)
        first.name = "changed"
        session.advanced.evict(first)
        session.save_changes()
        second = session.load("companies/1", Company)
        assert second is not first and second.name == "one"


def test_a_deletion_is_taken_back_by_evicting(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        company = session.load("companies/1", Company)
        session.delete(company)
        session.advanced.evict(company)
        assert not session.advanced.has_changes()
        session.save_changes()
    assert client.stored("companies/1").name == "one"


def test_what_came_along_and_was_deleted_is_gone(client: Client) -> None:
    client.save(
        {"companies/1": Company("one", owner="employees/1"), "employees/1": Employee("Ann")}
    )
    with client.store.open_session() as session:
        session.include("owner").load(["companies/1"], Company)
        session.delete("employees/1")
        session.save_changes()
        assert session.load("employees/1", Employee) is None


def test_a_cleared_session_has_nothing_to_save(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        session.load("companies/1", Company).name = "changed"
        session.store(Company("new"), "companies/2")
        session.delete("companies/3")
        session.advanced.clear()
        session.save_changes()
    assert client.stored("companies/1").name == "one"
    assert client.stored("companies/2") is None


def test_metadata_is_read_and_written(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        company = session.load("companies/1", Company)
        metadata = session.advanced.get_metadata_for(company)
        assert metadata["@collection"] == "Companies"
        assert session.advanced.get_last_modified_for(company) is not None
        metadata["colour"] = "green"
        session.save_changes()
    with client.store.open_session() as session:
        company = session.load("companies/1", Company)
        assert session.advanced.get_metadata_for(company)["colour"] == "green"


# Tracking, switched off.


def test_changes_of_an_ignored_entity_are_not_saved(client: Client) -> None:
    client.save({"companies/1": Company("one", 1)})
    with client.store.open_session() as session:
        company = session.load("companies/1", Company)
        session.ignore_changes_for(company)
        company.employees += 1
        session.save_changes()
        before = session.advanced.number_of_requests
        assert session.load("companies/1", Company) is company
        assert session.advanced.number_of_requests == before
    assert client.stored("companies/1").employees == 1


def test_a_session_without_tracking_only_reads(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.session(no_tracking=True) as session:
        first = session.load("companies/1", Company)
        second = session.load("companies/1", Company)
        assert first is not second and first.name == second.name
        assert session.advanced.number_of_requests == 2
        with pytest.raises(client.refusal):
            session.store(Company("new"), "companies/2")


# Patches.


def test_a_property_is_patched_in_place(client: Client) -> None:
    client.save({"companies/1": Company("one", 1)})
    with client.store.open_session() as session:
        session.advanced.patch("companies/1", "name", "uno")
        session.advanced.increment("companies/1", "employees", 4)
        session.save_changes()
    found = client.stored("companies/1")
    assert (found.name, found.employees) == ("uno", 5)


def test_a_loaded_entity_becomes_what_a_patch_made_of_it(client: Client) -> None:
    client.save({"companies/1": Company("one", 1), "companies/2": Company("two", 1)})
    with client.store.open_session() as session:
        company = session.load("companies/1", Company)
        before = session.advanced.get_change_vector_for(company)
        session.advanced.increment(company, "employees", 4)
        session.advanced.increment("companies/2", "employees", 1)
        session.save_changes()
        assert (company.employees, company.Id) == (5, "companies/1")
        assert session.advanced.get_change_vector_for(company) != before
        assert not session.advanced.has_changes()
        company.name = "uno"
        session.save_changes()
    found = client.stored("companies/1")
    assert (found.name, found.employees) == ("uno", 5)
    assert client.stored("companies/2").employees == 2


def test_what_is_patched_in_vain_stays_as_it_is(client: Client) -> None:
    client.save({"companies/1": Company("one", 1)})
    with client.store.open_session() as session:
        session.advanced.use_optimistic_concurrency = True
        company = session.load("companies/1", Company)
        session.advanced.patch(company, "name", "one")
        session.save_changes()
        company.employees = 2
        session.save_changes()
    assert client.stored("companies/1").employees == 2


def test_an_array_is_patched_in_place(client: Client) -> None:
    client.save({"companies/1": Company("one", tags=["a", "b", "c"])})
    with client.store.open_session() as session:
        session.advanced.patch_array("companies/1", "tags", lambda tags: tags.add("d"))
        session.save_changes()
        session.advanced.patch_array("companies/1", "tags", lambda tags: tags.remove_at(0))
        session.save_changes()
    assert client.stored("companies/1").tags == ["b", "c", "d"]


def test_a_missing_document_is_made_by_a_patch_that_says_how(client: Client) -> None:
    with client.store.open_session() as session:
        session.advanced.add_or_increment("companies/1", Company("made", 1), "employees", 1)
        session.save_changes()
    assert client.stored("companies/1").employees == 1
    with client.store.open_session() as session:
        session.advanced.add_or_increment("companies/1", Company("made", 1), "employees", 1)
        session.save_changes()
    assert client.stored("companies/1").employees == 2


# Lazy loads.


def test_lazy_loads_travel_together(client: Client) -> None:
    client.save({"companies/1": Company("one"), "employees/1": Employee("Ann")})
    with client.store.open_session() as session:
        company = session.advanced.lazily.load("companies/1", Company)
        employee = session.advanced.lazily.load("employees/1", Employee)
        assert not company.is_value_created
        assert company.value.name == "one"
        assert employee.value.first_name == "Ann"
        assert session.advanced.number_of_requests == 1


def test_all_that_waits_can_be_read_now(client: Client) -> None:
    client.save({"companies/1": Company("one")})
    with client.store.open_session() as session:
        company = session.advanced.lazily.load("companies/1", Company)
        missing = session.advanced.lazily.load("companies/2", Company)
        session.advanced.eagerly.execute_all_pending_lazy_operations()
        assert session.advanced.number_of_requests == 1
        assert company.value.name == "one" and missing.value is None
        assert session.advanced.number_of_requests == 1


# Events.


def test_events_are_told_of_a_save(client: Client) -> None:
    client.save({"companies/1": Company("one"), "companies/2": Company("two")})
    told: list[tuple[str, Any]] = []
    with client.store.open_session() as session:
        session.add_before_store(lambda event: told.append(("store", event.document_id)))
        session.add_before_store(lambda event: setattr(event.entity, "employees", 9))
        session.add_after_save_changes(lambda event: told.append(("saved", event.document_id)))
        session.add_before_delete(lambda event: told.append(("delete", event.key)))
        session.load("companies/1", Company).name = "uno"
        session.delete(session.load("companies/2", Company))
        session.save_changes()
    assert ("store", "companies/1") in told and ("saved", "companies/1") in told
    assert ("delete", "companies/2") in told
    found = client.stored("companies/1")
    assert (found.name, found.employees) == ("uno", 9)


def test_a_session_has_a_limit_of_requests(client: Client) -> None:
    with client.store.open_session() as session:
        with pytest.raises(client.refusal):
            for number in range(40):
                session.load(f"companies/{number}", Company)
        assert 30 <= session.advanced.number_of_requests <= 31


# What a save waits for.


def test_a_save_may_wait_for_replicas_and_indexes(client: Client) -> None:
    with client.store.open_session() as session:
        session.store(Company("one"), "companies/1")
        session.advanced.wait_for_replication_after_save_changes(
            lambda wait: (
                wait.number_of_replicas(2),
                wait.throw_on_timeout(False),
                wait.with_timeout(timedelta(milliseconds=200)),
            )
        )
        session.advanced.wait_for_indexes_after_save_changes(
            lambda wait: wait.with_timeout(timedelta(seconds=5))
        )
        session.save_changes()
    assert client.stored("companies/1").name == "one"


# The whole cluster.


def test_a_name_is_reserved_with_the_document(client: Client) -> None:
    with client.in_cluster() as session:
        user = Employee("John", "Doe")
        session.store(user, "employees/1")
        session.advanced.cluster_transaction.create_compare_exchange_value(
            "usernames/John", user.Id
        )
        session.save_changes()
    with client.in_cluster() as session:
        session.store(Employee("John", "Other"), "employees/2")
        session.advanced.cluster_transaction.create_compare_exchange_value(
            "usernames/John", "employees/2"
        )
        with pytest.raises(client.refusal):
            session.save_changes()
    assert client.stored("employees/2", Employee) is None


def test_a_value_is_changed_and_removed(client: Client) -> None:
    with client.in_cluster() as session:
        session.advanced.cluster_transaction.create_compare_exchange_value("boss", Employee("Ann"))
        session.save_changes()
    with client.in_cluster() as session:
        transaction = session.advanced.cluster_transaction
        boss = transaction.get_compare_exchange_value("boss", Employee)
        assert boss.value.first_name == "Ann" and boss.index > 0
        boss.value.first_name = "Bea"
        session.save_changes()
    with client.in_cluster() as session:
        transaction = session.advanced.cluster_transaction
        boss = transaction.get_compare_exchange_value("boss", Employee)
        assert boss.value.first_name == "Bea"
        transaction.delete_compare_exchange_value(boss)
        session.save_changes()
    with client.in_cluster() as session:
        transaction = session.advanced.cluster_transaction
        assert transaction.get_compare_exchange_value("boss", Employee) is None


def test_values_come_by_keys_and_lazily(client: Client) -> None:
    with client.in_cluster() as session:
        for name in ("ann", "bea", "cat"):
            session.advanced.cluster_transaction.create_compare_exchange_value(
                f"staff/{name}", Employee(name)
            )
        session.save_changes()
    with client.in_cluster() as session:
        transaction = session.advanced.cluster_transaction
        found = transaction.get_compare_exchange_values(["staff/ann", "staff/cat"], Employee)
        assert {key: each.value.first_name for key, each in found.items()} == {
            "staff/ann": "ann",
            "staff/cat": "cat",
        }
    with client.in_cluster() as session:
        lazily = session.advanced.cluster_transaction.lazily
        ann = lazily.get_compare_exchange_value("staff/ann", Employee)
        bea = lazily.get_compare_exchange_value("staff/bea", Employee)
        assert (ann.value.value.first_name, bea.value.value.first_name) == ("ann", "bea")
        assert session.advanced.number_of_requests == 1


def test_a_cluster_transaction_takes_no_change_vector(client: Client) -> None:
    with client.in_cluster() as session:
        with pytest.raises(client.refusal):
            session.store(Company("one"), "companies/1", "A:1-x")
            session.save_changes()
    assert client.stored("companies/1") is None


def test_two_cluster_transactions_cannot_both_change_a_document(client: Client) -> None:
    with client.in_cluster() as session:
        session.store(Company("one"), "companies/1")
        session.save_changes()
    with client.in_cluster() as first, client.in_cluster() as second:
        first.load("companies/1", Company).name = "first"
        second.load("companies/1", Company).name = "second"
        first.save_changes()
        with pytest.raises(client.refusal):
            second.save_changes()
    assert client.stored("companies/1").name == "first"
