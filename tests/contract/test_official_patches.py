"""Patches by the official client, unchanged, against one real node and against three.

On three nodes every request goes to another node than the one before: a patch that was asked of one
is read from the next.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from ravendb import SessionOptions
from ravendb.documents.commands.batches import (
    DeleteCommandData,
    ForceRevisionCommandData,
    PatchCommandData,
)
from ravendb.documents.operations.json_patch import JsonPatchDocument, JsonPatchOperation
from ravendb.documents.operations.patch import PatchOperation, PatchRequest, PatchStatus
from ravendb.documents.session.misc import OptimisticConcurrencyMode
from ravendb.exceptions.raven_exceptions import ConcurrencyException

from scripts.local_cluster import LocalCluster

BIG = 12_345_678_901_234_567_891


@dataclass
class User:
    name: str = ""
    age: int = 0
    tags: list[str] = field(default_factory=list)
    Id: str | None = None


@pytest.fixture
def user(store: Any) -> str:
    """A stored user; its id."""
    with store.open_session() as session:
        session.store(User("John", 30, ["a"]), "users/1")
        session.save_changes()
    return "users/1"


def load(store: Any, document_id: str = "users/1") -> Any:
    with store.open_session() as session:
        return session.load(document_id, User)


def send(store: Any, script: str, *, document_id: str = "users/1", **options: Any) -> PatchStatus:
    """What a patch operation comes to."""
    change_vector = options.pop("change_vector", None)
    request = PatchRequest(script, options.pop("values", {}))
    operation = PatchOperation(document_id, change_vector, request, **options)
    status = store.operations.send_patch_operation(operation, None)
    assert isinstance(status, PatchStatus)
    return status


def test_a_session_patches_increments_and_appends(store: Any, user: str) -> None:
    for _ in range(3):
        with store.open_session() as session:
            session.advanced.increment(user, "age", 5)
            session.advanced.patch(user, "name", "Jane")
            session.save_changes()
    with store.open_session() as session:
        session.advanced.patch_array(user, "tags", lambda tags: tags.add("b"))
        session.save_changes()
    john = load(store)
    assert (john.name, john.age, john.tags) == ("Jane", 45, ["a", "b"])


def test_a_loaded_entity_follows_its_patch(store: Any, user: str) -> None:
    with store.open_session() as session:
        john = session.load(user, User)
        session.advanced.patch(john, "name", "Jane")
        session.save_changes()
        assert john.name == "Jane"
        session.advanced.increment(john, "age", 1)
        session.save_changes()
        assert john.age == 31
        john.age += 1
        session.save_changes()
    assert load(store).age == 32


def test_patches_and_other_commands_are_saved_together(store: Any, user: str) -> None:
    with store.open_session() as session:
        session.store(User("new", 1), "users/2")
        session.advanced.increment(user, "age", 1)
        session.advanced.defer(DeleteCommandData("users/none", None))
        session.advanced.defer(ForceRevisionCommandData(user))
        session.save_changes()
    assert (load(store).age, load(store, "users/2").name) == (31, "new")
    with store.open_session() as session:
        session.store(User("never", 1), "users/3")
        session.advanced.defer(PatchCommandData(user, None, PatchRequest("throw 'no'")))
        with pytest.raises(Exception, match="the patch of 'users/1': no"):
            session.save_changes()
    assert load(store, "users/3") is None


def test_what_is_missing_is_added_and_what_is_there_patched(store: Any) -> None:
    for _ in range(2):
        with store.open_session() as session:
            session.advanced.add_or_increment("users/1", User("John", 30), "age", 5)
            session.save_changes()
    for tag in "xy":
        with store.open_session() as session:
            session.advanced.add_or_patch_array(
                "users/2", User("Jane", 1, ["x"]), "tags", lambda tags, tag=tag: tags.add(tag)
            )
            session.save_changes()
    assert load(store).age == 35
    assert load(store, "users/2").tags == ["x", "y"]


def test_an_operation_tells_what_became_of_its_document(store: Any, user: str) -> None:
    request = PatchRequest("this.age = args.a; this.name = args.b", {"a": 8, "b": BIG})
    operation = PatchOperation(user, None, request)
    patched = store.operations.send_patch_operation_with_entity_class(User, operation)
    assert patched.status == PatchStatus.PATCHED
    assert (patched.document.age, patched.document.name) == (8, BIG)
    assert send(store, "this.age = 8") == PatchStatus.NOT_MODIFIED
    missing = send(store, "this.age = 8", document_id="users/none")
    assert missing == PatchStatus.DOCUMENT_DOES_NOT_EXIST
    if_missing = PatchRequest("this.age = 1; this['@metadata'] = {'@collection': 'Users'}")
    created = send(store, "this.age++", document_id="users/9", patch_if_missing=if_missing)
    assert created == PatchStatus.CREATED
    assert load(store, "users/9").age == 1


def test_an_operation_on_another_version_is_refused_or_skipped(store: Any, user: str) -> None:
    with store.open_session() as session:
        old = session.advanced.get_change_vector_for(session.load(user, User))
    send(store, "this.age = 40")
    with pytest.raises(ConcurrencyException, match="non current change vector"):
        send(store, "this.age = 50", change_vector=old)
    options: dict[str, Any] = {"skip_patch_if_change_vector_mismatch": True, "change_vector": old}
    assert send(store, "this.age = 50", **options) == PatchStatus.SKIPPED
    assert load(store).age == 40


def test_scripts_that_are_wrong_are_told_in_words(store: Any, user: str) -> None:
    with pytest.raises(Exception, match="Failed to parse: SyntaxError"):
        send(store, "this.age = = 7")
    with pytest.raises(Exception, match="ReferenceError: nothing is not defined"):
        send(store, "this.age = nothing")
    with pytest.raises(Exception, match="10000 steps"):
        send(store, "for (;;) {}")
    assert load(store).age == 30


def test_a_json_patch_is_applied(store: Any, user: str) -> None:
    patch = JsonPatchDocument().test("/name", "John").replace("/age", 7).add("/tags/-", "b")
    result = store.operations.send(JsonPatchOperation(user, patch))
    assert (result.status, result.modified_document["age"]) == (PatchStatus.PATCHED, 7)
    assert load(store).tags == ["a", "b"]
    with pytest.raises(Exception, match="there is no property 'x'"):
        store.operations.send(JsonPatchOperation(user, JsonPatchDocument().remove("/x")))


def test_a_session_may_rest_on_what_it_only_read(store: Any, user: str) -> None:
    mode = OptimisticConcurrencyMode.WRITES_AND_READS
    options = SessionOptions(optimistic_concurrency_mode=mode)
    with store.open_session(session_options=options) as session:
        john = session.load(user, User)
        session.store(User("of John", john.age), "users/2")
        session.save_changes()
        send(store, "this.age = 40")
        session.store(User("of John", john.age), "users/3")
        with pytest.raises(ConcurrencyException, match="users/1"):
            session.save_changes()
    assert load(store, "users/2").age == 30
    assert load(store, "users/3") is None


def test_every_increment_of_a_hot_document_counts_once_from_every_node(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    urls = [f"{url}/databases/{cluster_database}" for url in shared_cluster.urls]
    body = {"Patch": {"Script": "this.n += 1", "Values": {}}}

    def increment(number: int) -> int:
        url = urls[number % 3]
        answer = requests.patch(f"{url}/docs", params={"id": "hot"}, json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        counted = answer.json()["ModifiedDocument"]["n"]
        # Read without a quorum: what this node has applied itself holds its own write.
        local = {"id": "hot", "consistency": "local"}
        read = requests.get(f"{url}/docs", params=local, timeout=30).json()["Results"][0]["n"]
        assert read >= counted
        return int(counted)

    requests.put(f"{urls[0]}/docs", params={"id": "hot"}, json={"n": 0}, timeout=30)
    with ThreadPoolExecutor(9) as threads:
        counts = list(threads.map(increment, range(90)))
    assert sorted(counts) == list(range(1, 91))
