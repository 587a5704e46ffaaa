"""Outcomes, documents and errors -> JSON bodies. Stored bytes are spliced in, never decoded."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from quoth_cluster.clock import to_wire
from quoth_cluster.compare_exchange import CompareExchangeValue
from quoth_cluster.documents import StoredDocument
from quoth_cluster.outcomes import (
    BatchSaved,
    CompareExchangeAnswer,
    DocumentDeleted,
    DocumentPut,
    HiLoRange,
    Refusal,
    Refused,
    TransactionSaved,
)

TARGET_CHARACTERS_MAX = 2_048
NULL = b"null"


def error(
    target: str, official: str, message: str, extras: Mapping[str, object] | None = None
) -> bytes:
    """The body of every error: four strings that clients insist on, and perhaps more."""
    message = printable(message)
    return orjson.dumps(
        {
            "Url": printable(target[:TARGET_CHARACTERS_MAX]),
            "Type": official,
            "Message": message,
            "Error": f"{official}: {message}",
            **(extras or {}),
        }
    )


def refused_extras(refused: Refused) -> dict[str, object]:
    """What an error body says about a refused change beyond its message."""
    extras: dict[str, object] = {
        "Id": refused.document_id,
        "ExpectedChangeVector": refused.expected_change_vector,
        "ActualChangeVector": refused.actual_change_vector,
    }
    if refused.refusal in (Refusal.CLUSTER_TRANSACTION, Refusal.SERIALIZATION):
        extras["ConcurrencyViolations"] = [
            {
                "Type": violation.kind,
                "Id": violation.key,
                "Expected": violation.expected_index,
                "Actual": violation.actual_index,
            }
            for violation in refused.violations
        ]
    return extras


def printable(text: str) -> str:
    """`text` without the lone surrogates that raw bytes of a request line turn into."""
    return text.encode("utf-8", "replace").decode()


def documents(
    results: Iterable[bytes],
    *,
    includes: Mapping[str, bytes] | None = None,
    compare_exchange_includes: bytes | None = None,
) -> bytes:
    """Documents in order; `includes` by id unless it is None."""
    # Joined once: an answer may be long, and every join is a copy of it.
    parts = [b'{"Results":[']
    for result in results:
        parts += [result, b","]
    if len(parts) > 1:
        parts.pop()
    parts.append(b"]")
    if includes is not None:
        comma = b',"Includes":{'
        for name, json in includes.items():
            parts += [comma, orjson.dumps(name), b":", json]
            comma = b","
        parts.append(b"}" if includes else comma + b"}")
    if compare_exchange_includes is not None:
        parts += [b',"CompareExchangeValueIncludes":', compare_exchange_includes]
    parts.append(b"}")
    return b"".join(parts)


def one(document: StoredDocument | None, metadata_only: bool) -> bytes:
    """A document as it stands in an answer; null for a missing one."""
    if document is None:
        return NULL
    return document.metadata_json() if metadata_only else document.to_json()


class Lines:
    """Documents as JSON lines; an error is a line of its own, which alone has no `@metadata`."""

    content_type = "application/x-ndjson; charset=utf-8"
    start = b""
    end = b""

    def joined(self, items: Iterable[bytes], *, is_first: bool) -> bytes:
        return b"".join(b"%b\n" % item for item in items)

    def failed(self, error_body: bytes) -> bytes:
        return error_body + b"\n"


class Results:
    """Documents in one JSON object; an error is told in it, behind them."""

    content_type = "application/json; charset=utf-8"
    start = b'{"Results":['
    end = b"]}"

    def joined(self, items: Iterable[bytes], *, is_first: bool) -> bytes:
        return (b"" if is_first else b",") + b",".join(items)

    def failed(self, error_body: bytes) -> bytes:
        return b"]," + error_body[1:]


LINES, RESULTS = Lines(), Results()


def put_saved(put: DocumentPut) -> bytes:
    """The answer to `PUT /docs`."""
    return orjson.dumps({"Id": put.document_id, "ChangeVector": put.change_vector})


def batch_saved(saved: BatchSaved, more: Iterable[dict[str, Any]] = ()) -> bytes:
    """Result i answers command i; no extra keys, for clients copy them into their metadata."""
    return orjson.dumps({"Results": [*map(batch_result, saved.results), *more]})


def batch_result(result: DocumentPut | DocumentDeleted) -> dict[str, Any]:
    match result:
        case DocumentPut():
            return {
                "Type": "PUT",
                "@id": result.document_id,
                "@collection": result.collection,
                "@change-vector": result.change_vector,
                "@last-modified": to_wire(result.at_micros),
            }
        case DocumentDeleted(deleted=True):
            return {
                "Id": result.document_id,
                "Type": "DELETE",
                "Deleted": True,
                "ChangeVector": result.change_vector,
            }
        case DocumentDeleted():
            return {"Id": result.document_id, "Type": "DELETE", "Deleted": False}


def transaction_saved(saved: TransactionSaved, more: Iterable[dict[str, Any]] = ()) -> bytes:
    """Documents first, then compare-exchange values, whatever the order of the commands."""
    results = [transaction_result(result) for result in saved.documents]
    results += [
        {
            "Type": "CompareExchangeDELETE" if changed.deleted else "CompareExchangePUT",
            "Key": changed.key,
            "Index": saved.command_index,
        }
        for changed in saved.compare_exchange
    ]
    results += more
    return orjson.dumps({"Results": results, "TransactionIndex": saved.command_index})


def transaction_result(result: DocumentPut | DocumentDeleted) -> dict[str, Any]:
    is_put = isinstance(result, DocumentPut)
    return {
        "Type": "PUT" if is_put else "DELETE",
        "@last-modified": to_wire(result.at_micros),
        "@id" if is_put else "Id": result.document_id,
        "@change-vector": result.change_vector,
    }


def hilo_range(lent: HiLoRange) -> bytes:
    return orjson.dumps(
        {
            "Prefix": lent.prefix,
            "Low": lent.low,
            "High": lent.high,
            "LastSize": lent.size,
            "ServerTag": lent.node_tag,
            "LastRangeAt": to_wire(lent.at_micros),
        }
    )


def identity_taken(value: int) -> bytes:
    return orjson.dumps({"NewIdentityValue": value})


def identity_seeded(value: int) -> bytes:
    return orjson.dumps({"NewSeedValue": value})


def identities(latest: Mapping[str, int]) -> bytes:
    return orjson.dumps(latest)


def compare_exchange_answer(answer: CompareExchangeAnswer) -> bytes:
    successful = b"true" if answer.successful else b"false"
    value = answer.value or NULL
    return b'{"Index":%d,"Value":%b,"Successful":%b}' % (answer.index, value, successful)


def compare_exchange_values(items: Iterable[bytes]) -> bytes:
    return b'{"Results":[' + b",".join(items) + b"]}"


def compare_exchange_item(key: str, found: CompareExchangeValue | None, more: bytes = b"") -> bytes:
    """A value by the key that was asked for; null and -1 for a missing one."""
    value, index = (found.value, found.index) if found else (NULL, -1)
    name = orjson.dumps(found.key if found else key)
    return b'{"Key":%b,"Value":%b,"Index":%d%b}' % (name, value, index, more)


def guard_item(guard: CompareExchangeValue, cluster_transaction_id: str) -> bytes:
    """An atomic guard, with the change vector that proves it."""
    vector = orjson.dumps(f"TRXN:{guard.index}-{cluster_transaction_id}")
    return compare_exchange_item(guard.key, guard, b',"ChangeVector":' + vector)


def compare_exchange_includes(items: Mapping[str, bytes]) -> bytes:
    """Included values by key."""
    members = (orjson.dumps(key) + b":" + item for key, item in items.items())
    return b"{" + b",".join(members) + b"}"
