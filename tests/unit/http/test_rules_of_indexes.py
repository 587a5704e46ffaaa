"""What a definition may be called and hold, and what its lock mode keeps; told over HTTP."""

from typing import Any

import pytest

from quoth_cluster.indexes import DEFINITION_BYTES_MAX
from quoth_node.http.wire.indexes import read_definitions
from quoth_node.indexing.definition import BadDefinition, Definition
from quoth_node.indexing.rules import check
from tests.unit.http.conftest import Answer, Node

PUT = "/databases/db/admin/indexes"
INDEXES = "/databases/db/indexes"
MAP = "from u in docs.Users select new { u.name }"


async def define(node: Node, *definitions: object) -> Answer:
    return await node.ask("PUT", PUT, {"Indexes": definitions})


async def names(node: Node) -> list[Any]:
    return list((await node.get(f"{INDEXES}?namesOnly=true")).json["Results"])


async def set_lock(node: Node, mode: str) -> None:
    body = {"IndexNames": ["Users/ByName"], "Mode": mode}
    assert (await node.ask("POST", f"{INDEXES}/set-lock", body)).status == 204


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ReplacementOf/Users", "Index name must not start with 'ReplacementOf/'. Provided index"),
        ("replacementof/x", "Provided index name: 'replacementof/x'"),
        ("AUTO/x", "Static index name cannot start with 'Auto/'"),
        ("Users//ByName", "'Users__ByName' not permitted. Index name cannot contain //"),
        ("By name", "Only letters, digits and characters ('_', '-', '.', '/') are allowed."),
        ("By²", "Only letters, digits and characters"),
        (".Users", "must be surrounded by other allowed characters"),
        ("Users..x", "must be surrounded by other allowed characters"),
        ("Users.", "must be surrounded by other allowed characters"),
        ("é" * 241, "480 bytes"),
    ],
)
async def test_names_have_rules(node: Node, name: str, said: str) -> None:
    before = node.log.proposals
    answer = await define(node, {"Name": "Good", "Maps": [MAP]}, {"Name": name, "Maps": [MAP]})
    assert answer.error[:2] == (400, "ArgumentException") and said in answer.error[2]
    assert node.log.proposals == before, "all or none"


async def test_blanks_around_a_name_are_none_of_it(node: Node) -> None:
    for name in (" Ürün/İsim-1_x.y ", "Ürün/İsim-1_x.y"):
        answer = await define(node, {"Name": name, "Maps": [MAP]})
        assert answer.json["Results"][0]["Index"] == "Ürün/İsim-1_x.y"
    assert await names(node) == ["Ürün/İsim-1_x.y"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"Storage": "Maybe"}, "Storage of field 'name' of index 'N' is one of Yes, No, not"),
        ({"Indexing": ["Exact"]}, "Indexing of field 'name' of index 'N' is one of No, Search"),
        ({"TermVector": "x" * 100}, f"not '{'x' * 64}'"),
    ],
)
async def test_options_are_chosen_from_those_there_are(
    node: Node, options: dict[str, object], said: str
) -> None:
    sent = {"Name": "N", "Maps": [MAP], "Fields": {"name": options}}
    answer = await define(node, sent)
    assert answer.error[0] == 400 and said in answer.error[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Indexing.IndexMissingFieldsAsNull", "true"),
        ("Indexing.IndexEmptyEntries", True),
        ("Indexing.Analyzers.Default", "KeywordAnalyzer"),
    ],
)
async def test_settings_that_would_change_what_is_found_are_refused(
    node: Node, name: str, value: object
) -> None:
    sent = {"Name": "N", "Maps": [MAP], "Configuration": {name: value}}
    answer = await define(node, sent)
    assert answer.error[0] == 400 and f"The setting {name}" in answer.error[2]
    assert await names(node) == []
    harmless = {"Indexing.IndexMissingFieldsAsNull": "false", "Indexing.MapTimeoutInSec": "5"}
    assert (await define(node, sent | {"Configuration": harmless})).status == 201


def test_a_definition_has_a_size() -> None:
    sources = {"Long": "x" * DEFINITION_BYTES_MAX}
    long = Definition(name="N", maps=(MAP,), additional_sources=sources)
    with pytest.raises(BadDefinition, match="at most 1048576 bytes"):
        check(long)


def test_many_definitions_are_many_requests() -> None:
    one = b'{"Name":"N","Maps":["docs.A.Select(x => new { x.b })"]}'
    assert len(read_definitions(b'{"Indexes":[%b]}' % b",".join([one] * 100))) == 100
    with pytest.raises(BadDefinition, match="At most 100"):
        read_definitions(b'{"Indexes":[%b]}' % b",".join([one] * 101))


async def test_a_locked_index_is_kept_as_its_mode_says(node: Node) -> None:
    await define(node, {"Name": "Users/ByName", "Maps": [MAP]})
    await set_lock(node, "LockedIgnore")
    assert (await node.ask("DELETE", f"{INDEXES}?name=users/byname")).status == 204
    assert await names(node) == ["Users/ByName"]
    await set_lock(node, "LockedError")
    other = {"Name": "Users/ByName", "Maps": [MAP.replace("name", "age")]}
    for answer, kind, verb in (
        (await define(node, other), "IndexAlreadyExistException", "edit"),
        (
            await node.ask("DELETE", f"{INDEXES}?name=Users/ByName"),
            "IndexDeletionException",
            "delete",
        ),
    ):
        said = f"Cannot {verb} existing index Users/ByName with lock mode LockedError"
        assert answer.error == (400, kind, said)
    await set_lock(node, "Unlock")
    assert (await node.ask("DELETE", f"{INDEXES}?name=Users/ByName")).status == 204
    assert await names(node) == []


@pytest.mark.parametrize("body", [{"IndexNames": []}, {"IndexNames": [1]}, {}])
@pytest.mark.parametrize(("what", "key"), [("lock", "Mode"), ("priority", "Priority")])
async def test_what_is_set_is_set_of_some_index(
    node: Node, what: str, key: str, body: dict[str, object]
) -> None:
    answer = await node.ask("POST", f"{INDEXES}/set-{what}", {**body, key: "Unlock"})
    assert answer.error[:2] == (400, "ArgumentException")
