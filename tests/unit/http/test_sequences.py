"""Gapless sequences over HTTP: the commands of a batch, and the routes beside it."""

from typing import Any

import pytest

from tests.unit.http.conftest import Node, delete, put
from tests.unit.http.test_patches_in_batches import json_patch, load, patch

DB = "/databases/db"
SEQUENCES = f"{DB}/quoth/sequences"
SECOND = 1_000_000


def take(sequence: str, *places: dict[str, Any], **more: object) -> dict[str, Any]:
    """The command of a batch that takes numbers."""
    return {"Type": "QuothTakeNumbers", "Sequence": sequence, "Places": places, **more}


def place(command: int = 0, path: str = "/Number", **more: object) -> dict[str, Any]:
    return {"Command": command, "Path": path, **more}


def in_id(command: int = 0) -> dict[str, Any]:
    return {"Command": command, "InId": True}


async def ask(node: Node, what: str, **body: object) -> Any:
    answer = await node.ask("POST", f"{SEQUENCES}/{what}", body)
    assert answer.status == 200, answer.body
    return answer.json


async def holders(node: Node, query: str = "name=invoices") -> Any:
    answer = await node.get(f"{SEQUENCES}/holders?{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_batch_gets_numbers_into_documents_and_ids(node: Node) -> None:
    answer = await node.bulk(
        put("invoices/{number}", "Invoices", Number=None),
        take("invoices", in_id(0), place(0), InitialValue=100),
    )
    assert answer.status == 201
    saved, taken = answer.json["Results"]
    assert (saved["Type"], saved["@id"]) == ("PUT", "invoices/100")
    assert taken == {"Type": "QuothTakeNumbers", "Sequence": "invoices", "Numbers": [100]}
    assert (await load(node, "invoices/100"))["Number"] == 100
    told = await holders(node)
    assert told["Results"] == [
        {
            "Ordinal": 1,
            "Number": 100,
            "Count": 1,
            "State": "Document",
            "At": "2027-01-15T08:00:00.0000000Z",
            "Holder": "invoices/100",
            "Path": "/Number",
            "All": False,
        }
    ]


async def test_results_of_takings_come_last_whatever_their_place(node: Node) -> None:
    answer = await node.bulk(
        take("a", place(1)),
        put("one", "X"),
        take("b", place(3, Index=1), place(4, Index=0), Count=2),
        put("two", "X"),
        put("three", "X"),
        delete("none"),
    )
    results = answer.json["Results"]
    assert [result["Type"] for result in results] == [
        *("PUT", "PUT", "PUT", "DELETE", "QuothTakeNumbers", "QuothTakeNumbers")
    ]
    assert [result["Numbers"] for result in results[-2:]] == [[1], [1, 2]]
    found = [(await load(node, name))["Number"] for name in ("one", "two", "three")]
    assert found == [1, 2, 1]


async def test_a_cluster_transaction_gets_numbers(node: Node) -> None:
    value = {"Type": "CompareExchangePUT", "Id": "k", "Index": 0, "Document": {"Object": 1}}
    answer = await node.transact(value, put("i/{number:04}", "I"), take("i", in_id(1), place(1)))
    assert answer.status == 201
    assert [result["Type"] for result in answer.json["Results"]] == [
        *("PUT", "CompareExchangePUT", "QuothTakeNumbers")
    ]
    assert (await load(node, "i/0001"))["Number"] == 1
    refused = await node.transact(value, put("i/{number}", "I"), take("i", in_id(1)))
    assert refused.error[0] == 409
    assert (await node.get(f"{SEQUENCES}?name=i")).json["Taken"] == 1


async def test_a_serializable_commit_gets_numbers(node: Node) -> None:
    body = {"Commands": [put("i/{number}", "I"), take("i", in_id(), place())]}
    target = f"{DB}/serializable/commit?raft-request-id=r"
    answer = await node.ask("POST", target, body)
    assert answer.status == 201, answer.body
    assert [result["Type"] for result in answer.json["Results"]] == ["PUT", "QuothTakeNumbers"]
    assert answer.json["Results"][-1]["Numbers"] == [1] and "Pin" in answer.json
    assert (await node.ask("POST", target, body)).json == answer.json
    assert (await load(node, "i/1"))["Number"] == 1


async def test_patches_get_numbers_where_they_write(node: Node) -> None:
    await node.put("users/1", n=1)
    answer = await node.bulk(
        patch("users/1", "this.n = 2"),
        {"Type": "ForceRevisionCreation", "Id": "users/1"},
        put("users/2", n=1),
        json_patch("users/2", {"op": "replace", "path": "/n", "value": 1}),
        take("s", place(0), place(2, "/n", Index=1), Count=2),
    )
    assert answer.status == 201, answer.body
    assert answer.json["Results"][-1]["Numbers"] == [1, 2]
    assert ((await load(node, "users/1"))["Number"], (await load(node, "users/2"))["n"]) == (1, 2)
    for unwritten in (patch("users/1", "this.n = 2"), patch("users/none", "this.n = 1")):
        refused = await node.bulk(unwritten, take("s", place(0, "/other")))
        assert refused.error[:2] == (400, "NumberPlaceException")
    assert (await node.get(f"{SEQUENCES}?name=s")).json["Taken"] == 2


async def test_the_same_request_gets_the_same_numbers(node: Node) -> None:
    batches = (
        (put("i/{number}", "I"), take("i", in_id())),
        (put("u", "I"), patch("u", "this.n = 1"), take("i", place(1))),
    )
    for number, batch in enumerate(batches):
        query = f"?raft-request-id=r{number}"
        first = await node.bulk(*batch, query=query)
        assert first.status == 201, first.body
        for _ in range(3):
            assert (await node.bulk(*batch, query=query)).json == first.json
    taken = [await ask(node, "take?raft-request-id=t", Name="i") for _ in range(3)]
    assert [one["Numbers"] for one in taken] == [[3]] * 3
    other = await node.bulk(put("u", "I"), query="?raft-request-id=r0")
    assert other.error[0] == 400


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Sequence": None}, "Sequence"),
        ({"Sequence": ""}, "Sequence"),
        ({"Sequence": "x" * 513}, "512 bytes"),
        ({"Places": []}, "Places"),
        ({"Places": {}}, "Places"),
        ({"Places": [{}]}, "Command"),
        ({"Places": [{"Command": 0}]}, "Path"),
        ({"Places": [{"Command": 1, "Path": "/n"}]}, "writes no document"),
        ({"Places": [{"Command": "0", "Path": "/n"}]}, "Command"),
        ({"Places": [{"Command": 0, "Path": "/n", "InId": True}]}, "not both"),
        ({"Places": [{"Command": 0, "Path": "/n", "Index": 0, "All": True}]}, "not both"),
        ({"Places": [{"Command": 0, "Path": "n"}]}, "JSON pointer"),
        ({"Places": [{"Command": 0, "InId": True}]}, "{number}"),
        ({"Count": 0}, "Count"),
        ({"Count": 10_001}, "Count"),
        ({"Count": 2}, "2 numbers"),
        ({"Count": 1.5}, "Count"),
        ({"InitialValue": "1"}, "InitialValue"),
        ({"InitialValue": 5, "ResetValue": 5}, "above the initial value"),
        ({"ResetValue": 2**63}, "64 bits"),
    ],
)
async def test_what_is_wrong_with_a_taking_is_told(
    node: Node, fields: dict[str, Any], words: str
) -> None:
    answer = await node.bulk(put("i/a", "I"), {**take("i", place(0)), **fields})
    status, _, message = answer.error
    assert status == 400 and words in message, message
    assert (await node.get(f"{DB}/docs?id=i/a")).status == 404
    assert (await node.get(f"{SEQUENCES}?name=i")).status == 404


async def test_parameters_must_be_those_of_the_sequence(node: Node) -> None:
    await ask(node, "take", Name="i", InitialValue=10, ResetValue=20)
    for parameters in ({"InitialValue": 1}, {"ResetValue": 21}, {"ResetValue": None}):
        answer = await node.ask("POST", f"{SEQUENCES}/take", {"Name": "i", **parameters})
        assert answer.error[:2] == (400, "SequenceParametersException")
    assert (await ask(node, "take", Name="i", ResetValue=20))["Numbers"] == [11]
    assert (await ask(node, "take", Name="i", Count=10))["Numbers"] == [*range(12, 20), 10, 11]


async def test_a_sequence_is_told_and_ends_with_its_numbers(node: Node) -> None:
    answer = await node.get(f"{SEQUENCES}?name=i")
    assert answer.error[:2] == (404, "SequenceDoesNotExistException")
    await ask(node, "take", Name="i", InitialValue=2**63 - 1, Holder="me")
    assert (await node.get(f"{SEQUENCES}?name=i")).json == {
        "Name": "i",
        "LastValue": 2**63 - 1,
        "InitialValue": 2**63 - 1,
        "ResetValue": None,
        "Taken": 1,
        "Reserved": 0,
        "Void": 0,
    }
    answer = await node.ask("POST", f"{SEQUENCES}/take", {"Name": "i"})
    assert answer.error[:2] == (400, "SequenceEndedException")


async def test_a_reservation_is_confirmed_or_released(node: Node) -> None:
    first = await ask(node, "reserve", Name="i", Count=2, Holder="me", LeaseSeconds=5)
    assert first["Numbers"] == [1, 2] and first["Until"] == "2027-01-15T08:00:05.0000000Z"
    second = await ask(node, "reserve", Name="i")
    assert second["Token"] > first["Token"]
    told = await ask(node, "confirm", Name="i", Token=first["Token"], Holder="row 7")
    assert (told["Numbers"], told["WasVoid"]) == ([1, 2], False)
    told = await ask(node, "release", Name="i", Token=second["Token"], Reason="rolled back")
    assert (told["Numbers"], told["GivenBack"]) == ([3], True)
    await node.put("u", Number=3)
    third = await ask(node, "reserve", Name="i")
    assert third["Numbers"] == [3]
    await ask(node, "confirm", Name="i", Token=third["Token"], Document="u", Path="/Number")
    fourth, fifth = await ask(node, "reserve", Name="i"), await ask(node, "reserve", Name="i")
    await ask(node, "release", Name="i", Token=fourth["Token"], Reason="rolled back")
    rows = (await holders(node, "name=i"))["Results"]
    assert [(row["Number"], row["Count"], row["State"]) for row in rows] == [
        (1, 2, "Outside"),
        (3, 1, "Document"),
        (4, 1, "Void"),
        (5, 1, "Reserved"),
    ]
    assert rows[2]["Reason"] == "rolled back" and "Holder" not in rows[2]
    assert rows[3]["Token"] == fifth["Token"] and rows[3]["Until"].startswith("2027-01-15T08:01")
    gone = {"Name": "i", "Token": fourth["Token"], "Holder": "x"}
    answer = await node.ask("POST", f"{SEQUENCES}/confirm", gone)
    assert answer.error[:2] == (410, "ReservationEndedException")


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("take", {}),
        ("take", {"Name": "i", "Holder": 7}),
        ("take", {"Name": "i", "Holder": "x" * 513}),
        ("take", {"Name": "a\0b"}),
        ("reserve", {"Name": "i", "LeaseSeconds": 0}),
        ("reserve", {"Name": "i", "LeaseSeconds": "60"}),
        ("reserve", {"Name": "i", "LeaseSeconds": True}),
        ("reserve", {"Name": "i", "LeaseSeconds": 604_801}),
        ("confirm", {"Name": "i", "Token": 1}),
        ("confirm", {"Name": "i", "Token": 1, "Holder": "x", "Document": "y"}),
        ("confirm", {"Name": "i", "Token": 1, "Holder": "x", "Path": "/n"}),
        ("confirm", {"Name": "i", "Token": "1", "Holder": "x"}),
        ("release", {"Name": "i", "Token": 1}),
        ("release", {"Name": "i", "Token": 1, "Reason": ""}),
        ("release", []),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(node: Node, what: str, body: object) -> None:
    answer = await node.ask("POST", f"{SEQUENCES}/{what}", body)
    assert answer.error[0] == 400
    assert (await node.get(SEQUENCES)).json == {"Results": [], "NextAfter": None}


async def test_bodies_are_limited(node: Node) -> None:
    answer = await node.ask("POST", f"{SEQUENCES}/take", {"Name": "i", "x": "y" * 200_000})
    assert answer.status == 413


async def test_sequences_and_holders_come_page_by_page(node: Node) -> None:
    for name in ("c", "a", "b"):
        await ask(node, "take", Name=name)
    page = (await node.get(f"{SEQUENCES}?pageSize=2")).json
    assert [one["Name"] for one in page["Results"]] == ["a", "b"] and page["NextAfter"] == "b"
    page = (await node.get(f"{SEQUENCES}?pageSize=2&startAfter=b")).json
    assert [one["Name"] for one in page["Results"]] == ["c"] and page["NextAfter"] is None
    for count in (3, 1, 2):
        await ask(node, "take", Name="i", Count=count)
    page = await holders(node, "name=i&pageSize=2")
    assert [row["Ordinal"] for row in page["Results"]] == [1, 4] and page["NextStart"] == 5
    page = await holders(node, "name=i&start=3")
    assert [row["Ordinal"] for row in page["Results"]] == [1, 4, 5] and page["NextStart"] is None
    page = await holders(node, "name=i&start=7")
    assert (page["Results"], page["NextStart"]) == ([], None)
    page = await holders(node, "name=i&value=5&value=9&value=1&value=0")
    assert [row and row["Ordinal"] for row in page["Results"]] == [5, None, 1, None]
    for wrong in ("value=x", "start=0", "pageSize=0", "pageSize=10001", "start=x"):
        assert (await node.get(f"{SEQUENCES}/holders?name=i&{wrong}")).error[0] == 400
    assert (await node.get(f"{SEQUENCES}/holders?name=none")).error[0] == 404
    assert (await node.get(f"{SEQUENCES}/holders")).error[0] == 400


async def test_a_sequence_is_deleted(node: Node) -> None:
    await ask(node, "take", Name="i", Count=5)
    for found in (True, False):
        answer = await node.ask("DELETE", f"{SEQUENCES}?name=i")
        assert answer.json == {"Name": "i", "Found": found}
    assert (await ask(node, "take", Name="i"))["Numbers"] == [1]


async def test_a_missing_or_disabled_database_is_told(node: Node) -> None:
    for method, path in (("POST", "/take"), ("GET", "?name=i"), ("DELETE", "?name=i")):
        body = {"Name": "i"} if method == "POST" else None
        answer = await node.ask(method, f"/databases/none/quoth/sequences{path}", body)
        assert answer.status == 503 and answer.headers["Database-Missing"] == "none"
