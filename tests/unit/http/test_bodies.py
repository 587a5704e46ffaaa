"""JSON bodies: what is read, and what each wrong field is told."""

import tracemalloc
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from quoth_cluster.commands import (
    DeleteCompareExchange,
    DeleteDocument,
    PutCompareExchange,
    PutDocument,
)
from quoth_node.http.errors import (
    BadBody,
    BadRequest,
    HttpError,
    KeyTooBig,
    NotSupported,
    OverLimit,
    UnknownCommandType,
)
from quoth_node.http.wire.administration import ToDelete, read_database, read_deletion
from quoth_node.http.wire.batches import read_batch
from quoth_node.http.wire.bodies import (
    check_document_id,
    put_document,
    read_ids,
)
from quoth_node.http.wire.parsing import check_numbers, parse

PUT = {"Id": "users/1", "ChangeVector": None, "Document": {"name": "x"}, "Type": "PUT"}
DELETE = {"Id": "users/1", "ChangeVector": None, "Type": "DELETE"}
RESERVE = {"Id": "k", "Index": 0, "Document": {"Object": 1}, "Type": "CompareExchangePUT"}
RELEASE = {"Id": "k", "Index": 5, "Type": "CompareExchangeDELETE"}


def batch_of(*commands: object, **more: object) -> bytes:
    return orjson.dumps({"Commands": commands, **more})


def read(*commands: object, **more: object) -> Any:
    return read_batch(batch_of(*commands, **more), new_id=lambda: "made-up")


def test_a_put_is_split_into_body_and_metadata() -> None:
    metadata = {
        "@collection": "Users",
        "Raven-Python-Type": "app.User",
        "@expires": "2030-01-01T00:00:00.0000000Z",
        "mine": 1,
        "@id": "users/1",
        "@change-vector": "A:1-x",
        "@last-modified": "t",
        "@flags": "HasRevisions",
    }
    (command,) = read({**PUT, "Document": {"name": "x", "@metadata": metadata}}).documents
    assert command == PutDocument(
        document_id="users/1",
        body=b'{"name":"x"}',
        metadata=orjson.dumps(
            {
                "@collection": "Users",
                "Raven-Python-Type": "app.User",
                "@expires": "2030-01-01T00:00:00.0000000Z",
                "mine": 1,
            }
        ),
        collection="Users",
    )


def test_order_and_kinds_are_kept() -> None:
    batch = read(RESERVE, DELETE, PUT, RELEASE, TransactionMode="ClusterWide")
    assert [type(command) for command in batch.documents] == [DeleteDocument, PutDocument]
    assert batch.compare_exchange == (
        PutCompareExchange(key="k", expected_index=0, value=b'{"Object":1}'),
        DeleteCompareExchange(key="k", expected_index=5),
    )
    assert batch.cluster_wide


@pytest.mark.parametrize("name", [None, "", "missing"])
def test_a_put_without_an_id_gets_one(name: str | None) -> None:
    command = {**PUT, "Id": name}
    if name == "missing":
        del command["Id"]
    assert read(command).documents[0].document_id == "made-up"


def test_a_document_without_a_collection_is_in_empty() -> None:
    for metadata in ({}, {"@collection": None}, {"@collection": ""}, None):
        command = {**PUT, "Document": {"a": 1, "@metadata": metadata}}
        (put,) = read(command).documents
        assert (put.collection, put.metadata, put.body) == ("@empty", b"{}", b'{"a":1}')


def test_a_cluster_transaction_learns_the_guard_from_the_metadata() -> None:
    loaded = {"name": "x", "@metadata": {"@change-vector": "RAFT:1-x,TRXN:8-y"}}
    command = {**PUT, "Document": loaded}
    (put,) = read(command, TransactionMode="ClusterWide").documents
    assert put.original_change_vector == "RAFT:1-x,TRXN:8-y"
    (told,) = read(
        {**command, "OriginalChangeVector": "z"}, TransactionMode="ClusterWide"
    ).documents
    assert told.original_change_vector == "z"
    (single,) = read(command).documents
    assert single.original_change_vector is None


@pytest.mark.parametrize("expected", ["", "A:1-x", None])
def test_expectations_are_passed_on(expected: str | None) -> None:
    put, gone = read(
        {**PUT, "ChangeVector": expected}, {**DELETE, "ChangeVector": expected}
    ).documents
    assert put.expected_change_vector == gone.expected_change_vector == expected


WRONG: Mapping[str, tuple[bytes, type[HttpError], str]] = {
    "nothing": (b"", BadBody, "empty"),
    "not JSON": (b"{nope", BadBody, "not JSON"),
    "cut short": (b'{"Commands":[', BadBody, "not JSON"),
    "a byte order mark": (b"\xef\xbb\xbf{}", BadBody, "not JSON"),
    "not UTF-8": (b'{"Commands":"\xff"}', BadBody, "not JSON"),
    "half a surrogate pair": (b'{"Commands":"\\ud800"}', BadBody, "not JSON"),
    "not a number": (b'{"Commands":NaN}', BadBody, "not JSON"),
    "an infinite number": (b'{"Commands":1e999}', BadBody, "not JSON"),
    "an array": (b"[]", BadRequest, "The body: an object was expected, not an array"),
    "null": (b"null", BadRequest, "The body: an object was expected, not null"),
    "no commands": (b"{}", BadRequest, "Commands: an array was expected, not null"),
    "commands in a string": (b'{"Commands":"x"}', BadRequest, "Commands: an array"),
    "an empty batch": (b'{"Commands":[]}', BadRequest, "The batch holds no commands"),
    "a number as command": (batch_of(7), BadRequest, r"Commands\[0\]: an object.*number 7"),
    "no type": (batch_of({}), BadRequest, r"Commands\[0\]\.Type: a string"),
    "an odd type": (batch_of({"Type": 5}), BadRequest, r"Commands\[0\]\.Type: a string"),
    "an unknown type": (
        batch_of({"Type": "ZZZ"}),
        UnknownCommandType,
        "^Invalid command type: ZZZ$",
    ),
    "a type in other letters": (batch_of({**PUT, "Type": "put"}), UnknownCommandType, "put"),
    "a counter": (batch_of(PUT, {"Type": "Counters"}), NotSupported, r"Commands\[1\].*Counters"),
    "a patch of nothing": (batch_of(PUT, {"Type": "PATCH"}), BadRequest, r"Commands\[1\]\.Id"),
    "a patch without a script": (
        batch_of({"Type": "PATCH", "Id": "a"}),
        BadRequest,
        r"Commands\[0\]\.Patch: an object was expected, not null",
    ),
    "a patch with an empty script": (
        batch_of({"Type": "PATCH", "Id": "a", "Patch": {"Script": " "}}),
        BadRequest,
        r"Commands\[0\]\.Patch\.Script is empty",
    ),
    "a patch whose values are a list": (
        batch_of({"Type": "PATCH", "Id": "a", "Patch": {"Script": "x", "Values": []}}),
        BadRequest,
        r"Commands\[0\]\.Patch\.Values: an object was expected",
    ),
    "a patch of no documents": (
        batch_of({"Type": "BatchPATCH", "Ids": [], "Patch": {"Script": "x"}}),
        BadRequest,
        r"Commands\[0\]\.Ids is empty",
    ),
    "a JSON patch without operations": (
        batch_of({"Type": "JsonPatch", "Id": "a", "JsonPatch": {}}),
        BadRequest,
        r"Commands\[0\]\.JsonPatch: Operations: an array was expected, not null",
    ),
    "tracked documents that are a list": (
        batch_of({"Type": "BatchTrackChanges", "TrackedEntities": []}),
        BadRequest,
        r"Commands\[0\]\.TrackedEntities: an object was expected",
    ),
    "a tracked change vector that is a number": (
        batch_of({"Type": "BatchTrackChanges", "TrackedEntities": {"users/1": 5}}),
        BadRequest,
        r"TrackedEntities\.users/1: a string was expected",
    ),
    "a patch in a cluster transaction": (
        batch_of(
            {"Type": "PATCH", "Id": "a", "Patch": {"Script": "x"}}, TransactionMode="ClusterWide"
        ),
        NotSupported,
        r"Commands\[0\]: PATCH is not for cluster transactions",
    ),
    "an id that is a number": (
        batch_of({**PUT, "Id": 5}),
        BadRequest,
        r"Commands\[0\]\.Id: a string",
    ),
    "no document": (batch_of({**PUT, "Document": None}), BadRequest, r"\.Document: an object"),
    "an array as document": (batch_of({**PUT, "Document": []}), BadRequest, "an array"),
    "a string as document": (batch_of({**PUT, "Document": "x"}), BadRequest, "string 'x'"),
    "metadata that is none": (
        batch_of({**PUT, "Document": {"@metadata": 1}}),
        BadRequest,
        "@metadata: an object",
    ),
    "a collection that is none": (
        batch_of({**PUT, "Document": {"@metadata": {"@collection": 1}}}),
        BadRequest,
        "@collection: a string",
    ),
    "a change vector that is none": (
        batch_of({**PUT, "ChangeVector": 1}),
        BadRequest,
        r"\.ChangeVector: a string",
    ),
    "an original change vector that is none": (
        batch_of({**DELETE, "OriginalChangeVector": True}),
        BadRequest,
        "OriginalChangeVector: a string was expected, not true",
    ),
    "a delete of nothing": (batch_of({"Type": "DELETE"}), BadRequest, r"\.Id: a string with"),
    "a delete of ''": (batch_of({**DELETE, "Id": ""}), BadRequest, r"\.Id: a string with"),
    "an odd prefix flag": (
        batch_of({**DELETE, "IdPrefixed": "yes"}),
        BadRequest,
        "IdPrefixed: true or false",
    ),
    "a prefix in a cluster transaction": (
        batch_of({**DELETE, "IdPrefixed": True}, TransactionMode="ClusterWide"),
        BadRequest,
        "by prefix",
    ),
    "an odd mode": (batch_of(PUT, TransactionMode="Both"), BadRequest, "TransactionMode"),
    "a mode that is a number": (batch_of(PUT, TransactionMode=1), BadRequest, "TransactionMode"),
    "compare exchange in a batch": (batch_of(RESERVE), BadRequest, "needs TransactionMode"),
    "an index that is a string": (
        batch_of({**RESERVE, "Index": "0"}, TransactionMode="ClusterWide"),
        BadRequest,
        r"Commands\[0\]\.Index: a whole number",
    ),
    "an index that is true": (
        batch_of({**RESERVE, "Index": True}, TransactionMode="ClusterWide"),
        BadRequest,
        "Index: a whole number",
    ),
    "an index over 63 bits": (
        batch_of({**RESERVE, "Index": 2**63}, TransactionMode="ClusterWide"),
        BadRequest,
        "Index: a whole number",
    ),
    "no index": (
        batch_of({"Id": "k", "Type": "CompareExchangeDELETE"}, TransactionMode="ClusterWide"),
        BadRequest,
        "Index: a whole number.*not null",
    ),
    "a value without Object": (
        batch_of({**RESERVE, "Document": {}}, TransactionMode="ClusterWide"),
        BadRequest,
        "'Object' is missing",
    ),
    "a value that is none": (
        batch_of({**RESERVE, "Document": 1}, TransactionMode="ClusterWide"),
        BadRequest,
        "Document: an object",
    ),
    "a key over 512 bytes": (
        batch_of({**RESERVE, "Id": "k" * 513}, TransactionMode="ClusterWide"),
        KeyTooBig,
        "513 bytes",
    ),
    "a key with a NUL": (
        batch_of({**RESERVE, "Id": "k\0"}, TransactionMode="ClusterWide"),
        BadRequest,
        "NUL",
    ),
    "an id over 512 bytes": (batch_of({**PUT, "Id": "é" * 257}), BadRequest, "514 bytes"),
    "an id with a NUL": (batch_of({**DELETE, "Id": "a\0b"}), BadRequest, "NUL"),
    "a number over 64 bits": (
        b'{"Commands":[{"Type":"PUT","Document":{"n":18446744073709551616}}]}',
        BadBody,
        "18446744073709551616 does not fit into 64 bits",
    ),
    "a number far over 64 bits": (b'{"n":-%b}' % (b"9" * 300), BadBody, "64 bits"),
    "too many commands": (
        batch_of(*[DELETE] * 10_001),
        OverLimit,
        "10001 commands are over the limit of 10000: send fewer at a time",
    ),
    "nesting that cannot be read": (b"[" * 100_000, BadBody, "not JSON"),
    "nesting that cannot be kept": (
        b'{"Commands":[{"Type":"PUT","Document":{"n":' + b"[" * 600 + b"]" * 600 + b"}}]}",
        BadBody,
        "nested too deep",
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_batch_is_told_what_is_wrong(wrong: tuple[bytes, type[HttpError], str]) -> None:
    body, error, message = wrong
    with pytest.raises(error, match=message):
        read_batch(body, new_id=lambda: "made-up")


@pytest.mark.parametrize(
    "number",
    [b"18446744073709551615", b"-9223372036854775808", b"1e19", b"0.12345678901234567890", b"-0"],
)
def test_what_64_bits_hold_is_kept(number: bytes) -> None:
    parse(
        b'{"n":%b,"digits":"18446744073709551616","quoted\\"":"\\"99999999999999999999"}' % number
    )


@pytest.mark.parametrize("text", [b"0123456789", b'\\"12345678'])
def test_looking_for_long_numbers_takes_no_memory_of_its_own(text: bytes) -> None:
    body = b'{"text":"%b","n":99999999999999999999}' % (text * 200_000)
    tracemalloc.start()
    try:
        with pytest.raises(BadBody, match=" 99999999999999999999 does not fit"):
            check_numbers(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_ids_are_measured_in_lower_cased_bytes() -> None:
    check_document_id("x" * 512)
    check_document_id("É" * 256)
    with pytest.raises(BadRequest):
        check_document_id("x" * 513)
    with pytest.raises(BadRequest):
        check_document_id("İ" * 200)  # two bytes, but three in lower case


def test_a_document_may_be_empty() -> None:
    put = put_document("a", {}, "The body", expected_change_vector=None)
    assert (put.body, put.metadata, put.collection) == (b"{}", b"{}", "@empty")


def test_ids_to_load() -> None:
    assert read_ids(b'{"Ids":["a","b"]}') == ["a", "b"]
    for body in (b"{}", b'{"Ids":"a"}', b'{"Ids":[1]}', b"[]"):
        with pytest.raises(BadRequest):
            read_ids(body)


def test_a_database_may_say_that_it_wants_nothing_special() -> None:
    record = {
        "DatabaseName": "x",
        "Disabled": False,
        "LockMode": None,
        "Indexes": {},
        "PeriodicBackups": [],
        "Settings": {"a": "b", "c": None},
        "Topology": {"Members": ["A"]},
    }
    wanted = read_database(orjson.dumps(record))
    assert (wanted.name, wanted.settings) == ("x", b'{"a":"b","c":null}')
    assert read_database(b"{}").settings == b"{}"


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (b'{"Encrypted":true}', NotSupported, "Encrypted"),
        (b'{"DatabaseState":"RestoreInProgress"}', NotSupported, "DatabaseState"),
        (b'{"LockMode":"Locked"}', BadRequest, "LockMode: one of Unlock, "),
        (b'{"Disabled":1}', BadRequest, "Disabled: true or false"),
        (b'{"Client":[]}', BadRequest, "Client: an object"),
        (b'{"UnusedDatabaseIds":[1]}', BadRequest, "UnusedDatabaseIds: an array"),
        (b'{"Settings":[]}', BadRequest, "Settings: an object"),
        (b'{"Settings":{"a":1}}', BadRequest, "Settings.a: a string"),
        (b'{"DatabaseName":1}', BadRequest, "DatabaseName: a string"),
    ],
)
def test_what_a_database_cannot_be(body: bytes, error: type[HttpError], message: str) -> None:
    with pytest.raises(error, match=message):
        read_database(body)


def test_databases_to_delete() -> None:
    wanted = read_deletion(b'{"DatabaseNames":["a"],"HardDelete":true,"FromNodes":["A"]}')
    assert wanted == ToDelete(names=("a",), hard=True, from_nodes=("A",))
    for body in (
        b"{}",
        b'{"DatabaseNames":[]}',
        b'{"DatabaseNames":[1]}',
        b'{"DatabaseNames":["a"],"HardDelete":"x"}',
        b'{"DatabaseNames":["a"],"FromNodes":"A"}',
    ):
        with pytest.raises(BadRequest):
            read_deletion(body)
