"""Queries by the official client, unchanged, against one real node and against three.

On three nodes every request goes to another node than the one before: what was saved by one is
found by the next. These queries need no index.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from ravendb import PointField, QueryData, SessionOptions
from ravendb.documents.operations.misc import DeleteByQueryOperation, QueryOperationOptions
from ravendb.documents.operations.patch import PatchByQueryOperation
from ravendb.documents.queries.index_query import IndexQuery


@dataclass
class User:
    name: str = ""
    age: int = 0
    boss: str | None = None
    tags: list[str] = field(default_factory=list)
    Id: str | None = None


@dataclass
class Shown:
    Name: str = ""
    Boss: str | None = None


@pytest.fixture
def users(store: Any) -> Any:
    """The store, with four users in it."""
    with store.open_session() as session:
        session.store(User("Ann", 40), "users/1")
        session.store(User("Bo", 9, "users/1", ["a", "b"]), "users/2")
        session.store(User("Cy", 10, "users/2"), "users/3")
        session.store(User("Di", 11, "users/1"), "users/4")
        session.save_changes()
    return store


def names(found: Any) -> list[str]:
    return [user.name for user in found]


def test_a_collection_is_read_page_by_page(users: Any) -> None:
    with users.open_session() as session:
        assert names(session.query(object_type=User)) == ["Ann", "Bo", "Cy", "Di"]
        assert names(session.query(object_type=User).skip(1).take(2)) == ["Bo", "Cy"]
        assert session.query(object_type=User).count() == 4
        assert session.query(object_type=User).first().name == "Ann"
        assert list(session.query_collection("Nobodies", User)) == []
        told: list[Any] = []
        list(session.query(object_type=User).statistics(told.append).take(1))
        assert (told[0].total_results, told[0].is_stale) == (4, False)
        assert told[0].index_name == "collection/Users"


def test_documents_are_found_by_their_ids(users: Any) -> None:
    with users.open_session() as session:
        assert session.query(object_type=User).where_equals("id()", "users/2").single().name == "Bo"
        found = session.query(object_type=User).where_in("id()", ["users/3", "users/1", "none"])
        assert names(found) == ["Ann", "Cy"]
        found = session.query(object_type=User).where_starts_with("id()", "USERS/")
        assert len(list(found)) == 4


def test_what_was_saved_is_found_at_once(users: Any) -> None:
    for number in range(5, 25):
        with users.open_session() as session:
            session.store(User(f"u{number}"), f"users/{number}")
            session.save_changes()
        with users.open_session() as session:
            assert session.query(object_type=User).count() == number


def test_entities_of_a_query_are_tracked_unless_nobody_wants_it(users: Any) -> None:
    with users.open_session() as session:
        ann = session.query(object_type=User).first()
        ann.age = 41
        session.save_changes()
    with users.open_session() as session:
        query = session.query(object_type=User).where_equals("id()", "users/1")
        untracked = query.no_tracking().first()
        assert untracked.age == 41
        assert not session.advanced.is_loaded("users/1")
    with users.open_session(session_options=SessionOptions(no_caching=True)) as session:
        assert names(session.query(object_type=User)) == ["Bo", "Cy", "Di", "Ann"]


def test_what_is_included_needs_no_request(users: Any) -> None:
    with users.open_session() as session:
        found = list(session.query(object_type=User).include("boss").skip(1).take(1))
        assert names(found) == ["Bo"]
        requests = session.advanced.number_of_requests
        assert session.load("users/1", User).name == "Ann"
        assert session.advanced.number_of_requests == requests


def test_fields_are_selected(users: Any) -> None:
    with users.open_session() as session:
        data = QueryData(["name", "boss"], ["Name", "Boss"])
        query = session.query(object_type=User).select_fields_query_data(Shown, data)
        assert list(query)[1] == Shown("Bo", "users/1")
        found = session.query(object_type=User).select_fields(User, "name", "age").first()
        assert (found.name, found.age) == ("Ann", 40)
        assert list(session.query(object_type=User).select_fields(str, "name")) == [
            *("Ann", "Bo", "Cy", "Di"),
        ]


def test_scripts_make_results(users: Any) -> None:
    text = """
    declare function shout(name) { return name.toUpperCase() + $mark; }
    from Users as u
    load u.boss as b
    select { Name: shout(u.name), Boss: b ? b.name : null }
    """
    with users.open_session() as session:
        found = list(session.advanced.raw_query(text, Shown).add_parameter("mark", "!"))
    assert found == [Shown("ANN!"), Shown("BO!", "Ann"), Shown("CY!", "Bo"), Shown("DI!", "Ann")]


def test_a_filter_looks_at_what_was_found(users: Any) -> None:
    with users.open_session() as session:
        query = session.advanced.raw_query("from Users filter age > $p0 and name != 'Di'", User)
        assert names(query.add_parameter("p0", 9)) == ["Ann", "Cy"]


def test_lazy_queries_are_asked_together(users: Any) -> None:
    with users.open_session() as session:
        all_users = session.query(object_type=User).lazily()
        count = session.query(object_type=User).count_lazily()
        one = session.advanced.lazily.load(["users/2"], User)
        session.advanced.eagerly.execute_all_pending_lazy_operations()
        assert session.advanced.number_of_requests == 1
        assert names(all_users.value) == ["Ann", "Bo", "Cy", "Di"]
        assert (count.value, one.value["users/2"].name) == (4, "Bo")


def test_documents_are_deleted_and_patched_by_a_query(users: Any) -> None:
    index_query = IndexQuery("from Users as u load u.boss as b update { u.name = b.name + $x; }")
    index_query.query_parameters = {"x": "'s"}
    text = "from Users where id() in ('users/1')"
    options = QueryOperationOptions(allow_stale=False, retrieve_details=True)
    operation = users.operations.send_async(DeleteByQueryOperation(text, options))
    operation.wait_for_completion()
    patch = PatchByQueryOperation("from Users update { this.age += 1; }")
    users.operations.send_async(patch).wait_for_completion()
    with users.open_session() as session:
        found = {user.Id: user.age for user in session.query(object_type=User)}
    assert found["users/2"] == 10 and found["users/3"] == 11
    assert "users/1" not in found
    with pytest.raises(Exception, match="TypeError"):
        users.operations.send_async(PatchByQueryOperation(index_query)).wait_for_completion()


def test_what_cannot_be_answered_says_why(users: Any) -> None:
    with users.open_session() as session:
        with pytest.raises(Exception, match="1:17 Expected end of query but got: name"):
            list(session.advanced.raw_query("from Users wher name", User))
        near = session.query(object_type=User).spatial(
            PointField("lat", "lng"), lambda where: where.within_radius(5, 1.0, 2.0)
        )
        with pytest.raises(Exception, match="spatial queries are not supported yet"):
            list(near)
        with pytest.raises(Exception, match="Nope"):
            list(session.query_index("Nope", User))
