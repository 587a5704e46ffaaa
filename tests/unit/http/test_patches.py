"""Patching one document over HTTP, by script and by RFC 6902."""

import json
from typing import Any

import pytest

from quoth_cluster.commands import CheckDocument, PutDocument, SaveCheckedBatch, decode
from quoth_cluster.errors import FateUnknown, NoAnswer, NotAsked, NotProposed
from tests.unit.http.conftest import Answer, Node

DOCS = "/databases/db/docs"
STAMP = "2027-01-15T08:00:00.0000000Z"


async def patch(
    node: Node,
    document_id: str,
    script: str,
    *,
    query: str = "",
    match: str | None = None,
    **more: Any,
) -> Answer:
    """Run a script on one document."""
    body = {"Patch": {"Script": script, "Values": more.pop("values", {})}, **more}
    headers = {} if match is None else {"If-Match": f'"{match}"'}
    return await node.ask("PATCH", f"{DOCS}?id={document_id}{query}", body, headers=headers)


async def load(node: Node, document_id: str) -> dict[str, Any]:
    answer = await node.get(f"{DOCS}?id={document_id}")
    assert answer.status == 200
    found: dict[str, Any] = answer.json["Results"][0]
    return found


async def test_a_document_is_patched_and_told_as_it_is_now(node: Node) -> None:
    vector = await node.put("users/1", name="x", n=1)
    answer = await patch(node, "users/1", "this.n += args.by; this.new = [1]", values={"by": 2})
    assert answer.status == 200
    told = answer.json
    assert told.pop("ChangeVector") == vector.replace("A:1-", "A:2-")
    assert told == {
        "Status": "Patched",
        "ModifiedDocument": {
            "name": "x",
            "n": 3,
            "new": [1],
            "@metadata": {"@collection": "Users"},
        },
        "LastModified": STAMP,
        "Collection": "Users",
    }
    stored = await load(node, "users/1")
    assert (stored["n"], stored["new"]) == (3, [1])


async def test_a_missing_document_is_not_found_and_one_that_stays_is_not_modified(
    node: Node,
) -> None:
    missing = await patch(node, "users/1", "this.n = 1")
    assert (missing.status, missing.body) == (404, b"")
    await node.put("users/1", n=1)
    proposals = node.log.proposals
    same = await patch(node, "users/1", "this.n = 1; this.gone = undefined")
    assert (same.status, same.body) == (304, b"")
    assert node.log.proposals == proposals, "nothing to write costs no log entry"


async def test_what_writes_nothing_is_answered_from_a_current_state(node: Node) -> None:
    await node.put("users/1", n=1)
    reads = node.log.reads
    await patch(node, "users/1", "this.n = 1")
    assert node.log.reads == reads + 1
    await patch(node, "users/1", "this.n = 2")
    assert node.log.reads == reads + 1, "the checks of a write say that it rests on what is"


async def test_a_missing_document_is_made_by_another_script(node: Node) -> None:
    if_missing = {
        "Script": "this.n = args.n; this['@metadata'] = {'@collection': 'Users'}",
        "Values": {"n": 5},
    }
    answer = await patch(node, "users/1", "this.n++", PatchIfMissing=if_missing)
    assert (answer.status, answer.json["Status"]) == (201, "Created")
    assert (await load(node, "users/1"))["@metadata"]["@collection"] == "Users"
    answer = await patch(node, "users/1", "this.n++", PatchIfMissing=if_missing)
    assert (answer.status, answer.json["ModifiedDocument"]["n"]) == (200, 6)


async def test_a_patch_of_another_version_is_refused_or_skipped(node: Node) -> None:
    old = await node.put("users/1", n=1)
    new = await node.put("users/1", n=2)
    refused = await patch(node, "users/1", "this.n = 5", match=old)
    assert refused.error == (
        409,
        "ConcurrencyException",
        "Could not patch document 'users/1' because non current change vector was used",
    )
    assert refused.json["ActualChangeVector"] == new
    skips = "&skipPatchIfChangeVectorMismatch=true"
    skipped = await patch(node, "users/1", "this.n = 5", match=old, query=skips)
    assert (skipped.status, skipped.json["Status"]) == (200, "Skipped")
    assert (await load(node, "users/1"))["n"] == 2
    assert (await patch(node, "users/1", "this.n = 5", match=new)).status == 200
    assert (await patch(node, "users/none", "this.n = 5", match=new)).status == 409


async def test_a_test_writes_nothing_and_tells_everything(node: Node) -> None:
    await node.put("users/1", n=1)
    script = "output('seen', this.n); this.n = 2; put('logs/1', {}); load('none'); del('logs/2')"
    answer = await patch(node, "users/1", script, query="&test=true")
    assert answer.status == 200
    assert answer.json["Debug"] == {
        "Output": ["seen 1"],
        "Actions": {
            "PutDocument": ["logs/1"],
            "LoadDocument": ["none"],
            "DeleteDocument": ["logs/2"],
        },
    }
    assert answer.json["OriginalDocument"]["n"] == 1
    assert answer.json["ModifiedDocument"]["n"] == 2
    assert (await load(node, "users/1"))["n"] == 1
    missing = await patch(node, "users/2", "this.n = 2", query="&test=true")
    assert (missing.status, missing.json["Status"]) == (200, "DocumentDoesNotExist")


async def test_debug_tells_the_same_of_a_patch_that_is_saved(node: Node) -> None:
    await node.put("users/1", n=1)
    answer = await patch(node, "users/1", "output('hi'); this.n = 2", query="&debug=True")
    assert answer.json["Debug"] == {"Output": ["hi"], "Actions": {}}
    assert answer.json["OriginalDocument"]["n"] == 1
    assert (await load(node, "users/1"))["n"] == 2


async def test_a_script_writes_other_documents_with_its_own_or_none(node: Node) -> None:
    await node.put("users/1", n=1)
    script = (
        "this.log = put('logs/', {of: id(this), '@metadata': {'@collection': 'Logs'}});"
        "this.sum = load(['users/1', 'none']).filter(x => x).length"
    )
    log_id = (await patch(node, "users/1", script)).json["ModifiedDocument"]["log"]
    assert (await load(node, log_id))["of"] == "users/1"
    failed = await patch(node, "users/1", "put('logs/x', {}); this.n = 9; throw 'no'")
    assert failed.status == 400
    assert (await node.get(f"{DOCS}?id=logs/x")).status == 404


async def test_what_a_script_expects_of_what_it_writes_is_checked(node: Node) -> None:
    vector = await node.put("users/1", n=1)
    await node.put("users/2", n=1)
    wrong = await patch(node, "users/2", f"put('users/1', {{}}, 'x{vector}')")
    assert wrong.status == 409
    metadata = "{'@metadata': {'@collection': 'Users'}}"
    assert (await patch(node, "users/2", f"put('users/1', {metadata}, '{vector}')")).status == 304
    assert (await load(node, "users/1")).keys() == {"@metadata"}


async def test_a_script_may_delete_its_own_document(node: Node) -> None:
    await node.put("users/1", n=1)
    answer = await patch(node, "users/1", "del(id(this)); this.n = 5")
    assert (answer.status, answer.json["Status"]) == (200, "Patched")
    assert answer.json["ModifiedDocument"] is None
    assert (await node.get(f"{DOCS}?id=users/1")).status == 404


async def test_a_document_keeps_its_metadata_and_its_collection(node: Node) -> None:
    await node.put("users/1", n=1)
    await patch(node, "users/1", "this['@metadata'].mine = 1; delete this['@metadata'].none")
    await patch(node, "users/1", "delete this['@metadata']; this.n = 2")
    metadata = (await load(node, "users/1"))["@metadata"]
    assert (metadata["mine"], metadata["@collection"]) == (1, "Users")
    moved = await patch(node, "users/1", "this['@metadata']['@collection'] = 'Others'")
    assert moved.error[:2] == (400, "InvalidOperationException")


async def test_numbers_go_through_a_patch_unharmed(node: Node) -> None:
    numbers = {"big": 12_345_678_901_234_567_891, "one": 1.0, "list": [2.0, 9_007_199_254_740_993]}
    await node.put("users/1", **numbers)
    big = 18_446_744_073_709_551_615
    await patch(node, "users/1", "this.n = args.n", values={"n": big})
    body = (await node.get(f"{DOCS}?id=users/1")).body
    assert (
        b'"big":12345678901234567891,"one":1.0,"list":[2.0,9007199254740993],'
        b'"n":18446744073709551615' in body
    )


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        ("this.n = = 7", "JavaScriptParseException", "Failed to parse: SyntaxError"),
        ("throw new Error('no way')", "JavaScriptException", "Error: no way (line 1)"),
        ("for (;;) {}", "JavaScriptException", "10000 steps"),
        ("this.s = '\\ud800'", "JavaScriptException", "no JSON"),
        ("put('a\\0b', {})", "InvalidDataException", "NUL"),
        ("put('a', {'@metadata': 5})", "InvalidDataException", "@metadata is not an object"),
        ("put('x'.repeat(600), {})", "BadRequestException", "512 bytes"),
    ],
)
async def test_a_script_that_fails_is_told_and_nothing_is_written(
    node: Node, script: str, kind: str, message: str
) -> None:
    vector = await node.put("users/1", n=1)
    answer = await patch(node, "users/1", f"this.n = 2; {script}")
    assert answer.error[:2] == (400, kind) and message in answer.error[2]
    assert (await load(node, "users/1"))["@metadata"]["@change-vector"] == vector


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Patch: an object was expected, not null"),
        ({"Patch": {"Script": ""}}, "Patch.Script: a string with something in it"),
        ({"Patch": {"Script": "x"}, "PatchIfMissing": []}, "PatchIfMissing: an object"),
        ([], "The body: an object was expected"),
    ],
)
async def test_a_patch_that_makes_no_sense(node: Node, body: object, message: str) -> None:
    answer = await node.ask("PATCH", f"{DOCS}?id=users/1", body)
    assert answer.error[:2] == (400, "BadRequestException") and message in answer.error[2]


async def test_a_patch_of_a_missing_database(node: Node) -> None:
    answer = await node.ask("PATCH", "/databases/no/docs?id=a", {"Patch": {"Script": "x"}})
    assert (answer.status, answer.headers["Database-Missing"]) == (503, "no")


# RFC 6902


async def json_patch(node: Node, document_id: str, *operations: object, match: str = "") -> Answer:
    """Apply operations to one document."""
    headers = {"If-Match": f'"{match}"'} if match else {}
    target = f"/databases/db/json-patch?id={document_id}"
    return await node.ask("PATCH", target, {"Operations": operations}, headers=headers)


async def test_operations_are_applied(node: Node) -> None:
    await node.put("users/1", name="x", tags=["a"], old=1)
    answer = await json_patch(
        node,
        "users/1",
        {"op": "test", "path": "/name", "value": "x"},
        {"op": "add", "path": "/tags/-", "value": "b"},
        {"op": "move", "from": "/old", "path": "/new"},
        {"op": "add", "path": "/@metadata/mine", "value": 1},
    )
    assert (answer.status, answer.json["Status"]) == (200, "Patched")
    assert answer.json["ModifiedDocument"] == {
        "name": "x",
        "tags": ["a", "b"],
        "new": 1,
        "@metadata": {"@collection": "Users", "mine": 1},
    }
    assert (await load(node, "users/1"))["tags"] == ["a", "b"]


async def test_operations_that_change_nothing_or_have_nothing_to_change(node: Node) -> None:
    await node.put("users/1", name="x")
    same = await json_patch(node, "users/1", {"op": "replace", "path": "/name", "value": "x"})
    assert (same.status, same.json["Status"]) == (200, "NotModified")
    missing = await json_patch(node, "users/2", {"op": "add", "path": "/name", "value": "x"})
    assert (missing.status, missing.body) == (404, b"")


async def test_operations_that_fail_write_nothing_and_are_named(node: Node) -> None:
    await node.put("users/1", name="x")
    change = {"op": "replace", "path": "/name", "value": "y"}
    failed = await json_patch(node, "users/1", change, {"op": "remove", "path": "/none"})
    assert failed.error == (
        400,
        "InvalidOperationException",
        "Operations[1] ('remove' '/none'): there is no property 'none'",
    )
    whole = await json_patch(node, "users/1", {"op": "add", "path": "", "value": 5})
    assert whole.error[:2] == (400, "InvalidOperationException")
    assert (await load(node, "users/1"))["name"] == "x"
    late = await json_patch(node, "users/1", change, match="A:9-old")
    assert late.error[:2] == (409, "ConcurrencyException")


# What the leader is asked


async def test_a_leader_that_cannot_be_asked_has_done_nothing(node: Node) -> None:
    await node.put("users/1", n=1)
    node.log.ask_fails = NotAsked("the link is down")
    answer = await patch(node, "users/1", "this.n++")
    assert answer.error[:2] == (503, "NoLeaderException"), "another node may try"


async def test_a_leader_that_does_not_answer_may_have_done_it(node: Node) -> None:
    await node.put("users/1", n=1)
    node.log.ask_fails = NoAnswer("the link broke")
    answer = await patch(node, "users/1", "this.n++")
    assert answer.error[:2] == (500, "RavenTimeoutException"), "nobody may send it again"
    assert "may have been or may yet be applied" in answer.error[2]


@pytest.mark.parametrize(
    ("error", "status"), [(NotProposed("no leader"), 503), (FateUnknown("no quorum"), 500)]
)
async def test_what_the_log_says_comes_back_from_the_leader(
    node: Node, error: NotProposed | FateUnknown, status: int
) -> None:
    await node.put("users/1", n=1)
    node.log.propose_fails = error
    assert (await patch(node, "users/1", "this.n++")).status == status


async def test_a_patch_is_proposed_with_a_check_of_all_it_has_read(node: Node) -> None:
    vector = await node.put("users/1", n=1)
    other = await node.put("users/2", n=5)
    proposed: list[bytes] = []
    propose = node.log.propose

    async def watched(command: bytes, *, timeout_seconds: float) -> Any:
        proposed.append(command)
        return await propose(command, timeout_seconds=timeout_seconds)

    node.log.propose = watched  # type: ignore[method-assign]
    await patch(node, "users/1", "this.n = load('users/2').n; load('users/3')")
    (command,) = map(decode, proposed)
    assert isinstance(command, SaveCheckedBatch)
    assert command.checks == (
        CheckDocument("users/1", vector),
        CheckDocument("users/2", other),
        CheckDocument("users/3", ""),
    )
    assert command.commands == (
        PutDocument("users/1", b'{"n":5}', b'{"@collection":"Users"}', "Users"),
    )


@pytest.mark.parametrize(
    "script",
    [
        "let o = {}; for (let i = 0; i < %d; i++) o = i % 2 ? {o} : [o]; this.o = o",
        "let o = {}; for (let i = 0; i < %d; i++) o = {o}; this['@metadata'].o = o",
        "let o = {}; for (let i = 0; i < %d; i++) o = [o]; put('users/1', {o}); this.other = 1",
    ],
    ids=["body", "metadata", "put"],
)
async def test_a_patch_makes_no_document_that_could_not_be_stored_again(
    node: Node, script: str
) -> None:
    await node.put("users/2", n=1)
    beyond = 128 - ("@metadata" in script) - 1
    answer = await patch(node, "users/2", script.replace("%d", str(beyond)))
    assert answer.error[:2] == (400, "InvalidDataException")
    assert "nested too deep, 128 levels" in answer.error[2]
    assert (await patch(node, "users/2", script.replace("%d", str(beyond - 1)))).status == 200
    for document_id in ("users/1", "users/2"):
        loaded = await node.get(f"{DOCS}?id={document_id}")
        if loaded.status == 200:
            (document,) = loaded.json["Results"]
            again = await node.ask("PUT", f"{DOCS}?id={document_id}", document)
            assert again.status == 201, again.body


async def test_a_json_patch_nests_no_deeper_than_what_is_read(node: Node) -> None:
    await node.put("users/1", a={}, b={})
    inner = json.loads('{"o":' * 70 + "1" + "}" * 70)
    operations = [
        {"op": "add", "path": "/a", "value": inner},
        {"op": "copy", "from": "/a", "path": "/a" + "/o" * 70},
    ]
    body = {"Operations": operations}
    answer = await node.ask("PATCH", "/databases/db/json-patch?id=users/1", body)
    assert answer.error[:2] == (400, "InvalidDataException")
    assert "nested too deep, 128 levels" in answer.error[2]
