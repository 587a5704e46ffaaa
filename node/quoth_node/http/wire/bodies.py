"""JSON bodies -> values and commands. Every wrong field is named, with what was expected of it."""

from collections.abc import Callable, Sized
from typing import Any

import orjson

from quoth_cluster import expiry
from quoth_cluster.commands import (
    ATOMIC_GUARD_PREFIX,
    COMPARE_EXCHANGE_KEY_BYTES_MAX,
    DOCUMENT_ID_BYTES_MAX,
    DeleteCompareExchange,
    DeleteDocument,
    PutCompareExchange,
    PutDocument,
)
from quoth_cluster.outcomes import Refused
from quoth_node.database.content import EMPTY_COLLECTION, SERVER_METADATA
from quoth_node.http.errors import (
    BadBody,
    BadRequest,
    ChangeRefused,
    KeyTooBig,
    OverLimit,
)
from quoth_node.http.query import INT64_MAX, INT64_MIN, shortened
from quoth_node.http.wire.parsing import parse

IDS_MAX = 10_000
DocumentCommand = PutDocument | DeleteDocument
CompareExchangeCommand = PutCompareExchange | DeleteCompareExchange


def dump(value: object) -> bytes:
    """The bytes of a parsed value; raises BadBody if it is nested too deep to be kept."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise BadBody("The JSON is nested too deep: 254 levels can be kept") from error


def read_put(
    fields: dict[str, Any], where: str, *, cluster_wide: bool, new_id: Callable[[], str]
) -> PutDocument:
    document_id = text(fields, "Id", where) or new_id()
    document = an_object(fields.get("Document"), f"{where}.Document")
    original = text(fields, "OriginalChangeVector", where)
    if cluster_wide and original is None:
        # The official Python client says only here what it loaded; without it, its updates of
        # guarded documents could never succeed.
        original = loaded_change_vector(document)
    return put_document(
        document_id,
        document,
        where,
        expected_change_vector=text(fields, "ChangeVector", where),
        original_change_vector=original,
    )


def loaded_change_vector(document: dict[str, Any]) -> str | None:
    metadata = document.get("@metadata")
    value = metadata.get("@change-vector") if isinstance(metadata, dict) else None
    return value if isinstance(value, str) and value else None


def read_document(
    document_id: str, body: bytes | bytearray, *, expected_change_vector: str | None
) -> PutDocument:
    """The document of `PUT /docs`."""
    document = an_object(parse(body), "The body")
    return put_document(
        document_id, document, "The body", expected_change_vector=expected_change_vector
    )


def put_document(
    document_id: str,
    document: dict[str, Any],
    where: str,
    *,
    expected_change_vector: str | None,
    original_change_vector: str | None = None,
) -> PutDocument:
    """The command that stores `document`, which is taken apart by it."""
    check_document_id(document_id, where)
    metadata = document.pop("@metadata", None)
    kept = {} if metadata is None else an_object(metadata, f"{where}: @metadata")
    kept = {name: value for name, value in kept.items() if name not in SERVER_METADATA}
    collection = text(kept, "@collection", f"{where}: @metadata")
    if not collection:
        kept.pop("@collection", None)
    return PutDocument(
        document_id=document_id,
        body=dump(document),
        metadata=dump(kept),
        collection=collection or EMPTY_COLLECTION,
        expected_change_vector=expected_change_vector,
        original_change_vector=original_change_vector,
    )


def read_delete(fields: dict[str, Any], where: str, *, cluster_wide: bool) -> DeleteDocument:
    document_id = text(fields, "Id", where, required=True)
    assert document_id is not None
    check_document_id(document_id, where)
    prefixed = boolean(fields, "IdPrefixed", where)
    if prefixed and cluster_wide:
        raise BadRequest(f"{where}: a cluster transaction cannot delete by prefix")
    return DeleteDocument(
        document_id=document_id,
        expected_change_vector=text(fields, "ChangeVector", where),
        original_change_vector=text(fields, "OriginalChangeVector", where),
        prefixed=prefixed,
    )


def read_compare_exchange(
    fields: dict[str, Any], where: str, *, is_put: bool
) -> CompareExchangeCommand:
    key = text(fields, "Id", where, required=True)
    assert key is not None
    check_key(key)
    index = integer(fields, "Index", where)
    if not is_put:
        return DeleteCompareExchange(key=key, expected_index=index)
    value = compare_exchange_value(key, fields.get("Document"), f"{where}.Document")
    return PutCompareExchange(key=key, expected_index=index, value=value)


def read_value(key: str, body: bytes | bytearray) -> bytes:
    """The value of `PUT /cmpxchg`."""
    return compare_exchange_value(key, parse(body), "The body")


def compare_exchange_value(key: str, value: object, where: str) -> bytes:
    """The bytes of a compare-exchange value: an object with the property `Object`."""
    fields = an_object(value, where)
    if "Object" not in fields:
        raise BadRequest(f"{where}: the property 'Object' is missing")
    if (metadata := fields.get("@metadata")) is not None:
        an_object(metadata, f"{where}: @metadata")
    dumped = dump(fields)
    expires = expiry.of_value(key, dumped)
    if isinstance(expires, Refused):  # as the state would, without a log entry
        raise ChangeRefused(expires)
    return dumped


def read_ids(body: bytes | bytearray) -> list[str]:
    """The ids of `POST /docs`."""
    ids = an_object(parse(body), "The body").get("Ids")
    if not isinstance(ids, list):
        raise expected("Ids", "an array of strings", ids)
    check_count(ids, IDS_MAX, "ids")
    for number, document_id in enumerate(ids):
        if not isinstance(document_id, str):
            raise expected(f"Ids[{number}]", "a string", document_id)
    return ids


def check_count(items: Sized, limit: int, kind: str) -> None:
    """Raise OverLimit for more `items` than one request may have."""
    if len(items) > limit:
        raise OverLimit(f"{len(items)} {kind} are over the limit of {limit}: send fewer at a time")


def check_document_id(document_id: str, where: str = "id") -> None:
    """Raise BadRequest unless `document_id` can name a document."""
    if "\0" in document_id:
        raise BadRequest(f"{where}: a document id cannot hold a NUL character")
    # A character is at most four bytes, and no lower case longer than three characters: most ids
    # are so short that they need no encoding to tell.
    if len(document_id) * 12 <= DOCUMENT_ID_BYTES_MAX:
        return
    size = len(document_id.lower().encode())
    if size > DOCUMENT_ID_BYTES_MAX:
        raise BadRequest(
            f"{where}: the document id '{shortened(document_id)}' is {size} bytes long, "
            f"over the limit of {DOCUMENT_ID_BYTES_MAX}"
        )


def check_key(key: str) -> None:
    """Raise KeyTooBig or BadRequest unless `key` can name a compare-exchange value."""
    if "\0" in key:
        raise BadRequest("A compare-exchange key cannot hold a NUL character")
    folded = key.lower()
    limit = COMPARE_EXCHANGE_KEY_BYTES_MAX
    if folded.startswith(ATOMIC_GUARD_PREFIX):
        limit += len(ATOMIC_GUARD_PREFIX)  # a guard holds the longest id
    size = len(folded.encode())
    if size > limit:
        raise KeyTooBig(
            f"The compare-exchange key '{shortened(key)}' is {size} bytes long, "
            f"over the limit of {limit}"
        )


def is_name(name: str) -> bool:
    """Whether `name` can name a document or a compare-exchange value; their limits are the same."""
    return "\0" not in name and len(name.lower().encode()) <= DOCUMENT_ID_BYTES_MAX


def an_object(value: object, where: str) -> dict[str, Any]:
    """`value` as a JSON object; raises BadRequest if it is something else."""
    if not isinstance(value, dict):
        raise expected(where, "an object", value)
    return value


def text(fields: dict[str, Any], name: str, where: str, *, required: bool = False) -> str | None:
    """A string field; None if it is null or absent, which `required` forbids, as it does ''."""
    value = fields.get(name)
    if isinstance(value, str) and (value or not required):
        return value
    if required or value is not None:
        raise expected(f"{where}.{name}", "a string" + " with something in it" * required, value)
    return None


def integer(fields: dict[str, Any], name: str, where: str) -> int:
    value = fields.get(name)
    if type(value) is not int or not INT64_MIN <= value <= INT64_MAX:
        raise expected(f"{where}.{name}", "a whole number of 64 bits", value)
    return value


def boolean(fields: dict[str, Any], name: str, where: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise expected(f"{where}.{name}", "true or false", value)
    return bool(value)


def expected(where: str, kind: str, value: object) -> BadRequest:
    """The error that says what a field should have been, and what it was."""
    return BadRequest(f"{where}: {kind} was expected, not {described(value)}")


def described(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the string '{shortened(value)}'"
        case list():
            return "an array"
        case _:
            return "an object"
