"""Batches with patches in them: each command sees those before it, and all are saved or none."""

from typing import Any

from tests.unit.http.conftest import Node, delete, put

DOCS = "/databases/db/docs"
STAMP = "2027-01-15T08:00:00.0000000Z"


def patch(document_id: str, script: str, **more: Any) -> dict[str, Any]:
    """A PATCH command, as clients send it."""
    values = more.pop("values", {})
    return {
        "Id": document_id,
        "ChangeVector": None,
        "Patch": {"Script": script, "Values": values},
        "Type": "PATCH",
        **more,
    }


def json_patch(document_id: str, *operations: object, **more: Any) -> dict[str, Any]:
    """A JsonPatch command, as clients send it."""
    return {
        "Id": document_id,
        "ChangeVector": None,
        "JsonPatch": {"Operations": operations},
        "ReturnDocument": False,
        "Type": "JsonPatch",
        **more,
    }


async def load(node: Node, document_id: str) -> dict[str, Any]:
    answer = await node.get(f"{DOCS}?id={document_id}")
    assert answer.status == 200
    found: dict[str, Any] = answer.json["Results"][0]
    return found


async def test_results_answer_commands_one_by_one(node: Node) -> None:
    await node.put("users/1", n=1)
    answer = await node.bulk(
        put("users/2", n=5),
        patch("users/1", "this.n += args.val_0", values={"val_0": 2}),
        json_patch("users/2", {"op": "replace", "path": "/n", "value": 6}),
        patch("users/none", "this.n = 1"),
        patch("users/1", "this.n = 3"),
        {"Type": "ForceRevisionCreation", "Id": "users/1"},
        delete("users/none"),
    )
    assert answer.status == 201, answer.body
    results = answer.json["Results"]
    vectors = [result.get("ChangeVector") for result in results]
    assert results[0].items() >= {"Type": "PUT", "@id": "users/2"}.items()
    assert results[1] == {
        "Id": "users/1",
        "ChangeVector": vectors[1],
        "LastModified": STAMP,
        "Type": "PATCH",
        "PatchStatus": "Patched",
        "Debug": None,
    }
    assert results[2].items() >= {"Type": "JsonPatch", "PatchStatus": "Patched"}.items()
    assert results[3].items() >= {"PatchStatus": "DocumentDoesNotExist", "Debug": None}.items()
    assert results[3]["ChangeVector"] is None
    assert results[4]["PatchStatus"] == "NotModified"
    assert results[5] == {"Type": "ForceRevisionCreation", "RevisionCreated": False}
    assert results[6] == {"Id": "users/none", "Type": "DELETE", "Deleted": False}
    assert [str(vector)[:4] for vector in vectors[1:3]] == ["A:3-", "A:4-"]
    assert (await load(node, "users/1"))["n"] == 3
    assert (await load(node, "users/2"))["n"] == 6


async def test_a_command_sees_those_before_it(node: Node) -> None:
    await node.put("logs/1", n=1)
    answer = await node.bulk(
        put("users/1", n=1),
        patch("users/1", "this.n += 1"),
        patch("USERS/1", "this.n *= 10; this.seen = load('users/1').n"),
        delete("logs/", IdPrefixed=True),
        patch("logs/1", "this.n = 5"),
        put("logs/1", n=2),
        patch("logs/1", "this.n += 1"),
        delete("users/1"),
        patch("users/1", "this.n = 1", PatchIfMissing={"Script": "this.n = 'anew'"}),
    )
    statuses = [result.get("PatchStatus") for result in answer.json["Results"]]
    assert statuses == [
        *(None, "Patched", "Patched", None),
        *("DocumentDoesNotExist", None, "Patched", None, "Created"),
    ]
    assert (await load(node, "logs/1"))["n"] == 3
    assert (await load(node, "users/1"))["n"] == "anew"


async def test_a_patch_sees_what_scripts_before_it_wrote(node: Node) -> None:
    await node.put("users/1", n=1)
    await node.bulk(
        patch("users/1", "put('users/2', {n: this.n, '@metadata': {'@collection': 'Users'}})"),
        patch("users/2", "this.n += 1; this.at = id(this)"),
        patch("users/1", "this.n = load('users/2').n; del('users/2')"),
        patch("users/2", "this.n = 'gone'"),
    )
    assert (await load(node, "users/1"))["n"] == 2
    assert (await node.get(f"{DOCS}?id=users/2")).status == 404


async def test_many_documents_are_patched_by_one_command(node: Node) -> None:
    first = await node.put("users/1", n=1)
    await node.put("users/2", n=2)
    ids = [{"Id": "users/1", "ChangeVector": first}, {"Id": "users/2"}, {"Id": "users/3"}]
    command = {"Ids": ids, "Patch": {"Script": "this.n *= 2"}, "Type": "BatchPATCH"}
    answer = await node.bulk(command, put("users/4"))
    (many, _) = answer.json["Results"]
    assert many["Type"] == "BatchPATCH"
    assert [(one["Id"], one["PatchStatus"]) for one in many["Results"]] == [
        ("users/1", "Patched"),
        ("users/2", "Patched"),
        ("users/3", "DocumentDoesNotExist"),
    ]
    assert (await load(node, "users/2"))["n"] == 4
    assert (await node.bulk(command)).status == 409, "the first one was changed by that"
    assert (await load(node, "users/2"))["n"] == 4


async def test_a_document_is_stored_where_it_is_missing(node: Node) -> None:
    entity = {"n": 7, "@metadata": {"@collection": "Users", "Raven-Python-Type": "app.User"}}
    command = patch("users/1", "this.n++", CreateIfMissing=entity, ReturnDocument=True)
    created = (await node.bulk(command)).json["Results"][0]
    assert (created["PatchStatus"], created["ModifiedDocument"]) == ("Created", entity)
    patched = (await node.bulk(command)).json["Results"][0]
    assert (patched["PatchStatus"], patched["ModifiedDocument"]["n"]) == ("Patched", 8)
    assert patched["ModifiedDocument"]["@metadata"] == entity["@metadata"]


async def test_a_batch_is_saved_whole_or_not_at_all(node: Node) -> None:
    await node.put("users/1", n=1)
    failing = [
        (patch("users/1", "throw 'no'"), 400, "Commands[2], the patch of 'users/1': no"),
        (patch("users/1", "x = = 1"), 400, "Commands[2], the patch of 'users/1': Failed to parse"),
        (json_patch("users/1", {"op": "remove", "path": "/x"}), 400, "Commands[2], the JSON patch"),
        (patch("users/1", "this.n = 9", ChangeVector="A:9-x"), 409, "Could not patch document"),
        ({**put("users/1"), "ChangeVector": ""}, 409, "expecting new document"),
        ({"Type": "Counters", "Id": "users/1"}, 400, "Commands[2]: commands of type Counters"),
        ({"Type": "TimeSeries", "Id": "a"}, 400, "Commands[2]: commands of type TimeSeries"),
        ({"Type": "AttachmentDELETE", "Id": "a"}, 400, "Commands[2]: commands of type Attach"),
    ]
    for command, status, message in failing:
        answer = await node.bulk(put("users/2"), patch("users/1", "this.n = 5"), command)
        assert answer.status == status and message in answer.error[2]
    assert (await load(node, "users/1"))["n"] == 1
    assert (await node.get(f"{DOCS}?id=users/2")).status == 404


async def test_a_batch_is_saved_while_what_was_tracked_is_as_it_was(node: Node) -> None:
    first = await node.put("users/1", n=1)
    tracked = {"Type": "BatchTrackChanges", "TrackedEntities": {"users/1": first, "no": None}}
    saved = await node.bulk(tracked, put("users/2"))
    assert (saved.status, saved.json["Results"][0]) == (201, {"Type": "BatchTrackChanges"})
    assert saved.json["Results"][1]["@id"] == "users/2"
    changed = await node.put("users/1", n=2)
    refused = await node.bulk(tracked, put("users/3"))
    assert refused.error[:2] == (409, "ConcurrencyException")
    assert (
        refused.json.items()
        >= {
            "Id": "users/1",
            "ExpectedChangeVector": first,
            "ActualChangeVector": changed,
        }.items()
    )
    assert (await node.get(f"{DOCS}?id=users/3")).status == 404
    assert (await node.bulk(tracked)).status == 409, "also where nothing else is to be saved"


async def test_what_was_tracked_may_be_patched_and_refused_for_it(node: Node) -> None:
    first = await node.put("users/1", n=1)
    tracked = {"Type": "BatchTrackChanges", "TrackedEntities": {"users/1": "A:9-x"}}
    assert (await node.bulk(tracked, patch("users/1", "this.n = 5"))).status == 409
    tracked["TrackedEntities"] = {"users/1": first}
    assert (await node.bulk(tracked, patch("users/1", "this.n = 5"))).status == 201


async def test_a_put_that_expects_what_its_own_batch_has_patched_is_refused(node: Node) -> None:
    first = await node.put("users/1", n=1)
    stale = {**put("users/1", n=9), "ChangeVector": first}
    answer = await node.bulk(patch("users/1", "this.n = 5"), stale)
    assert answer.error[:2] == (409, "ConcurrencyException")
    assert (await load(node, "users/1"))["n"] == 1


async def test_a_repeated_request_gets_its_first_answer(node: Node) -> None:
    await node.put("users/1", n=1)
    commands = (put("users/2"), patch("users/1", "this.n += 1", ReturnDocument=True))
    first = await node.bulk(*commands, query="?raft-request-id=one")
    node.clock.micros += 1
    again = await node.bulk(*commands, query="?raft-request-id=one")
    assert again.status == 201 and (await load(node, "users/1"))["n"] == 2
    vectors = [one.json["Results"][1]["ChangeVector"] for one in (first, again)]
    assert vectors[0] == vectors[1]
    assert "ModifiedDocument" not in again.json["Results"][1], "it was computed anew, not saved"
    node.clock.micros += 1
    other = await node.bulk(patch("users/1", "this.n += 1"), query="?raft-request-id=one")
    assert other.error[:2] == (400, "BadRequestException") and "used before" in other.error[2]


async def test_a_save_with_patches_waits_for_replicas(node: Node) -> None:
    await node.put("users/1", n=1)
    query = "?waitForReplicasTimeout=00:00:03&numberOfReplicasToWaitFor=2"
    answer = await node.bulk(patch("users/1", "this.n = 2"), query=query)
    assert answer.error[:2] == (500, "RavenTimeoutException")
    vector = (await load(node, "users/1"))["@metadata"]["@change-vector"]
    assert f"'{vector}' was replicated to 2 servers" in answer.error[2]
    node.log.applied_elsewhere = 2
    assert (await node.bulk(patch("users/1", "this.n = 3"), query=query)).status == 201
    assert (await node.bulk(patch("users/1", "this.n = 3"), query=query)).status == 201, "no write"


async def test_a_put_that_is_refused_beside_a_patch_is_told_at_once(node: Node) -> None:
    await node.put("users/1", n=1)
    stale = {**put("users/2"), "ChangeVector": "A:9-x"}
    before = node.log.proposals
    answer = await node.bulk(patch("users/1", "this.n += Math.random()"), stale)
    assert answer.error[:2] == (409, "ConcurrencyException")
    assert node.log.proposals == before + 1, "the refusal is for what the sender expects"
