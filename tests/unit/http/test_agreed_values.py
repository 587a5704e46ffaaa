"""Identities, HiLo ranges and compare-exchange values over HTTP."""

import pytest

from tests.unit.http.conftest import Node, put

DB = "/databases/db"


async def test_identities_are_taken_and_seeded(node: Node) -> None:
    async def seed(query: str) -> object:
        answer = await node.ask("POST", f"{DB}/identity/seed?{query}")
        assert answer.status == 200
        return answer.json["NewSeedValue"]

    async def take(name: str) -> object:
        answer = await node.ask("POST", f"{DB}/identity/next?name={name}")
        assert answer.status == 200
        return answer.json["NewIdentityValue"]

    assert await seed("name=companies%7C&value=1990") == 1990
    assert await seed("name=companies%7C&value=1200") == 1990
    assert await seed("name=companies%7C&value=1200&force=True") == 1200
    assert await take("Companies|") == 1201
    assert await take("products") == 1
    answer = await node.get(f"{DB}/debug/identities")
    assert answer.json == {"companies|": 1201, "products|": 1}


@pytest.mark.parametrize(
    "target",
    [
        "/identity/next",
        "/identity/next?name=",
        "/identity/seed?name=x",
        "/identity/seed?name=x&value=abc",
        "/identity/seed?name=x&value=9223372036854775808",
        f"/identity/next?name={'x' * 600}",
    ],
)
async def test_an_identity_needs_a_name_and_a_number(node: Node, target: str) -> None:
    answer = await node.ask("POST", DB + target)
    assert answer.error[0] == 400
    assert (await node.get(f"{DB}/debug/identities")).json == {}


async def test_hilo_lends_ranges(node: Node) -> None:
    empty = "lastBatchSize=0&lastRangeAt=&identityPartsSeparator=/&lastMax=0"
    first = await node.get(f"{DB}/hilo/next?tag=users&{empty}")
    assert first.status == 201
    assert first.json == {
        "Prefix": "users/",
        "Low": 1,
        "High": 32,
        "LastSize": 32,
        "ServerTag": "A",
        "LastRangeAt": "2027-01-15T08:00:00.0000000Z",
    }
    again = "lastBatchSize=32&lastRangeAt=2027-01-15T07:59:59.1234567&lastMax=32"
    second = await node.get(f"{DB}/hilo/next?tag=users&{again}")
    assert (second.json["Low"], second.json["High"]) == (33, 96)
    returned = await node.ask("PUT", f"{DB}/hilo/return?tag=users&end=96&last=40")
    assert (returned.status, returned.body) == (200, b"")
    document = await node.get(f"{DB}/docs?id=Raven/Hilo/users")
    assert document.json["Results"][0]["Max"] == 40


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "Query string tag is mandatory, but wasn't specified."),
        (
            "tag=users&lastRangeAt=yesterday",
            "Could not parse query string 'lastRangeAt' as date time val yesterday",
        ),
        (
            "tag=users&lastBatchSize=x",
            "Could not parse query string 'lastBatchSize' as int val x",
        ),
        (
            "tag=users&identityPartsSeparator=ab",
            "Query string identityPartsSeparator must be one character",
        ),
    ],
)
async def test_a_bad_wish_for_a_range_is_named(node: Node, query: str, message: str) -> None:
    answer = await node.get(f"{DB}/hilo/next?{query}")
    assert answer.error == (400, "ArgumentException", message)


async def put_value(node: Node, key: str, index: int, value: object) -> tuple[bool, int, object]:
    answer = await node.ask("PUT", f"{DB}/cmpxchg?key={key}&index={index}", {"Object": value})
    assert answer.status == 200, answer.body
    return answer.json["Successful"], answer.json["Index"], answer.json["Value"]


async def test_a_value_changes_only_at_its_index(node: Node) -> None:
    done, index, value = await put_value(node, "k", 0, {"name": "a"})
    assert done and value == {"Object": {"name": "a"}}
    assert await put_value(node, "k", 0, "b") == (False, index, {"Object": {"name": "a"}})
    done, newer, value = await put_value(node, "K", index, None)
    assert done and newer > index and value == {"Object": None}
    kept = await node.ask("DELETE", f"{DB}/cmpxchg?key=k&index={index}")
    assert kept.json == {"Index": newer, "Value": {"Object": None}, "Successful": False}
    gone = await node.ask("DELETE", f"{DB}/cmpxchg?key=k&index={newer}")
    assert gone.json["Successful"] is True and gone.json["Value"] == {"Object": None}
    missing = await node.ask("DELETE", f"{DB}/cmpxchg?key=k&index={newer}")
    assert missing.json == {"Index": 0, "Value": None, "Successful": False}


async def test_values_are_read_by_key_and_by_prefix(node: Node) -> None:
    for key in ("k/b", "k/a", "other"):
        await put_value(node, key, 0, key)
    one = await node.get(f"{DB}/cmpxchg?key=K%2Fa")
    (found,) = one.json["Results"]
    assert (found["Key"], found["Value"]) == ("k/a", {"Object": "k/a"})
    many = await node.get(f"{DB}/cmpxchg?&key=none&key=other")
    assert many.json["Results"][0] == {"Key": "none", "Value": None, "Index": -1}
    assert many.json["Results"][1]["Key"] == "other"

    async def keys(query: str) -> list[str]:
        answer = await node.get(f"{DB}/cmpxchg?{query}")
        return [result["Key"] for result in answer.json["Results"]]

    assert await keys("") == ["k/a", "k/b", "other"]
    assert await keys("&startsWith=k/&start=1&pageSize=5") == ["k/b"]
    assert await keys("startsWith=none") == []


@pytest.mark.parametrize("content", [None, True, 5, 1.5, "", "x", [], [1, [None]], {}, {"a": {}}])
async def test_a_value_is_any_json(node: Node, content: object) -> None:
    metadata = {"mine": content, "@expires": "2030-01-01T00:00:00.0000000Z"}
    body = {"Object": content, "@metadata": metadata}
    answer = await node.ask("PUT", f"{DB}/cmpxchg?key=k&index=0", body)
    assert answer.json["Successful"] is True and answer.json["Value"] == body
    (found,) = (await node.get(f"{DB}/cmpxchg?key=k")).json["Results"]
    assert found == {"Key": "k", "Value": body, "Index": answer.json["Index"]}


async def test_a_value_that_is_not_there_changes_under_no_index_but_0(node: Node) -> None:
    assert await put_value(node, "k", 7, "x") == (False, 0, None)
    gone = await node.ask("DELETE", f"{DB}/cmpxchg?key=k&index=0")
    assert gone.json["Successful"] is True and gone.json["Value"] is None
    assert (await node.get(f"{DB}/cmpxchg?key=k")).status == 404


async def test_pages_follow_the_order_of_keys_whatever_their_case(node: Node) -> None:
    keys = ["B", "a", "C/2", "c/1", "d", "x" * 512]
    for key in keys:
        await put_value(node, key, 0, key)
    listed: list[str] = []
    for start in range(0, 8, 2):
        page = await node.get(f"{DB}/cmpxchg?start={start}&pageSize=2")
        listed += [one["Key"] for one in page.json["Results"]]
    assert listed == ["a", "B", "c/1", "C/2", "d", "x" * 512]


async def test_the_guard_of_the_longest_id_can_be_read(node: Node) -> None:
    document_id = "i" * 512
    assert (await node.transact(put(document_id))).status == 201
    answer = await node.get(f"{DB}/cmpxchg?key=rvn-atomic/{document_id}")
    assert answer.json["Results"][0]["Value"] == {"Object": {"Id": document_id}}


async def test_an_expiry_that_is_no_date_is_refused_by_name(node: Node) -> None:
    body = {"Object": 1, "@metadata": {"@expires": "tomorrow"}}
    proposals = node.log.proposals
    answer = await node.ask("PUT", f"{DB}/cmpxchg?key=k&index=0", body)
    assert answer.error[:2] == (400, "InvalidOperationException")
    assert answer.error[2].startswith("The due date format for compare exchange 'k' is not valid")
    command = {"Id": "k", "Index": 0, "Document": body, "Type": "CompareExchangePUT"}
    both = await node.transact(put("users/1"), command)
    assert both.error[:2] == (400, "InvalidOperationException")
    assert node.log.proposals == proposals, "what is wrong costs no log entry"
    assert (await node.get(f"{DB}/docs?id=users/1")).status == 404


async def test_one_missing_value_is_404_without_a_body(node: Node) -> None:
    answer = await node.get(f"{DB}/cmpxchg?key=none")
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize(
    ("target", "body", "status_and_kind"),
    [
        ("?key=k", b'{"Object":1}', (400, "ArgumentException")),
        ("?index=0", b'{"Object":1}', (400, "ArgumentException")),
        ("?key=k&index=x", b'{"Object":1}', (400, "ArgumentException")),
        ("?key=k&index=0", b"{}", (400, "BadRequestException")),
        ("?key=k&index=0", b"5", (400, "BadRequestException")),
        ("?key=k&index=0", b'{"Object":1,"@metadata":5}', (400, "BadRequestException")),
        ("?key=k&index=0", b"{", (400, "InvalidDataException")),
        (f"?key={'k' * 513}&index=0", b'{"Object":1}', (400, "CompareExchangeKeyTooBigException")),
    ],
)
async def test_a_wrong_value_is_refused(
    node: Node, target: str, body: bytes, status_and_kind: tuple[int, str]
) -> None:
    answer = await node.ask("PUT", f"{DB}/cmpxchg{target}", body)
    assert answer.error[:2] == status_and_kind
    assert (await node.get(f"{DB}/cmpxchg")).json == {"Results": []}
