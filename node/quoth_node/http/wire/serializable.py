"""The two requests of serializable sessions, and their answers.

    read     {"Reads": [{"Type": "Documents", "Ids": [...]}, ...], "Pin": pin, "ReadSet": set}
          -> {"IsMoved": false, "Pin": pin, "Answers": [...], "Read": set}, or {"IsMoved": true}
    commit   {"Commands": [...], "Pin": pin, "ReadSet": set}  ->  as of a cluster transaction, "Pin"

    pin      {"Database": id, "Index": of a command, "Etag": of a document}, null at first
    set      {"Documents": [[id, change vector or ""]...], "Values": [[key, index or 0]...],
              "Prefixes": [prefix...], "Collections": [name, or "" for all documents...],
              "Keys": [[prefix of keys, number of values, newest index]...]}

Each answer is what the ordinary route of that kind of read has for a body.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from quoth_cluster.commands import (
    CheckCollection,
    CheckCompareExchange,
    CheckDocument,
    CheckKeys,
    CheckPrefix,
    ReadCheck,
)
from quoth_cluster.outcomes import TransactionSaved
from quoth_cluster.sequence_outcomes import Taken
from quoth_cluster.serializable import CHECKS_MAX, KEY_RANGES_MAX, RANGES_MAX
from quoth_node.http.errors import BadRequest
from quoth_node.http.query import INT64_MAX, shortened
from quoth_node.http.wire import queries, replies
from quoth_node.http.wire.batches import Batch, batch_of
from quoth_node.http.wire.bodies import (
    IDS_MAX,
    an_object,
    check_count,
    check_document_id,
    check_key,
    described,
    expected,
    text,
)
from quoth_node.http.wire.parsing import parse
from quoth_node.http.wire.queries import IndexQuery
from quoth_node.http.wire.sequences import taking_result

READS_MAX = 1_000
NAME_MAX = 512  # characters of what is only compared, and told again: a name, a change vector
PAGE_SIZE_MAX = queries.PAGE_SIZE_MAX
MOVED = b'{"IsMoved":true}'


@dataclass(frozen=True, slots=True)
class Pin:
    """The state that all reads of a session are of."""

    database_id: str
    index: int  # of the last command of the database
    etag: int  # of its last change of a document

    def to_json(self) -> bytes:
        named = {"Database": self.database_id, "Index": self.index, "Etag": self.etag}
        return orjson.dumps(named)


@dataclass(frozen=True, slots=True)
class DocumentsWanted:
    """Documents by id."""

    ids: tuple[str, ...]
    paths: tuple[str, ...]
    value_paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValuesWanted:
    """Compare-exchange values by key."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeysWanted:
    """A page of the compare-exchange values whose keys begin alike."""

    prefix: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class PrefixWanted:
    """A page of the documents whose ids begin alike."""

    prefix: str
    matches: str | None
    exclude: str | None
    start_after: str | None
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class QueryWanted:
    """Results of a query."""

    query: IndexQuery


Wanted = DocumentsWanted | ValuesWanted | KeysWanted | PrefixWanted | QueryWanted


@dataclass(frozen=True, slots=True)
class ReadAsked:
    """What a session asks next. `checks` is all it has read, None if that was not sent."""

    wanted: tuple[Wanted, ...]
    pin: Pin | None
    checks: tuple[ReadCheck, ...] | None


@dataclass(frozen=True, slots=True)
class CommitAsked:
    """What a session writes, and all it has read."""

    batch: Batch
    pin: Pin | None
    checks: tuple[ReadCheck, ...]


def read_asked(body: bytes | bytearray) -> ReadAsked:
    """Raises BadBody, BadRequest, OverLimit."""
    whole = an_object(parse(body), "The body")
    reads = _list(whole.get("Reads"), "Reads")
    check_count(reads, READS_MAX, "reads")
    if not reads:
        raise BadRequest("Reads is empty: there is nothing to read")
    wanted = tuple(_wanted(value, f"Reads[{number}]") for number, value in enumerate(reads))
    if len(wanted) > 1 and any(isinstance(one, QueryWanted) for one in wanted):
        raise BadRequest("Reads: a query comes alone")
    check_count([one for one in wanted if isinstance(one, PrefixWanted)], RANGES_MAX, "prefixes")
    ranges_of_keys = [one for one in wanted if isinstance(one, KeysWanted)]
    check_count(ranges_of_keys, KEY_RANGES_MAX, "prefixes of keys")
    sent = whole.get("ReadSet")
    return ReadAsked(wanted, _pin(whole), None if sent is None else _checks(sent))


def read_commit(body: bytes | bytearray, *, new_id: Callable[[], str]) -> CommitAsked:
    """Raises BadBody, BadRequest, OverLimit, UnknownCommandType, NotSupported."""
    whole = an_object(parse(body), "The body")
    batch = batch_of({**whole, "TransactionMode": "ClusterWide"}, new_id=new_id)
    return CommitAsked(batch, _pin(whole), _checks(whole.get("ReadSet") or {}))


def read_answer(pin: Pin, answers: Iterable[bytes], checks: Sequence[ReadCheck]) -> bytes:
    """What was read, with what a later check of it needs."""
    named: dict[str, list[object]] = {
        "Documents": [],
        "Values": [],
        "Prefixes": [],
        "Collections": [],
        "Keys": [],
    }
    for one in checks:
        match one:
            case CheckDocument():
                named["Documents"].append((one.document_id, one.expected_change_vector))
            case CheckCompareExchange():
                named["Values"].append((one.key, one.expected_index))
            case CheckPrefix():
                named["Prefixes"].append(one.prefix)
            case CheckCollection():
                named["Collections"].append(one.collection)
            case CheckKeys():
                named["Keys"].append((one.prefix, one.count, one.newest_index))
    return b'{"IsMoved":false,"Pin":%b,"Answers":[%b],"Read":%b}' % (
        pin.to_json(),
        b",".join(answers),
        orjson.dumps(named),
    )


def committed(
    saved: TransactionSaved, database_id: str, taken: tuple[Taken, ...] = ()
) -> bytes:
    """As of a cluster transaction, with the pin of the state that it left."""
    pin = Pin(database_id, saved.command_index, saved.last_etag)
    told = replies.transaction_saved(saved, map(taking_result, taken))
    return b'%b,"Pin":%b}' % (told[:-1], pin.to_json())


def _wanted(value: object, where: str) -> Wanted:
    fields = an_object(value, where)
    kind = text(fields, "Type", where, required=True) or ""
    match kind:
        case "Documents":
            ids = _texts(fields.get("Ids"), f"{where}.Ids")
            check_count(ids, IDS_MAX, "ids")
            if not ids:
                raise BadRequest(f"{where}.Ids is empty: there is nothing to load")
            for document_id in ids:
                check_document_id(document_id, where)
            paths = _texts(fields.get("Includes") or [], f"{where}.Includes")
            value_paths = _texts(fields.get("ValueIncludes") or [], f"{where}.ValueIncludes")
            return DocumentsWanted(ids, paths, value_paths)
        case "Values":
            keys = _texts(fields.get("Keys"), f"{where}.Keys")
            check_count(keys, IDS_MAX, "keys")
            for key in keys:
                check_key(key)
            return ValuesWanted(keys)
        case "Keys":
            prefix = text(fields, "StartsWith", where) or ""
            check_key(prefix)
            return KeysWanted(prefix, *_page(fields, where))
        case "Prefix":
            prefix = text(fields, "StartsWith", where) or ""
            check_document_id(prefix, where)
            return PrefixWanted(
                prefix,
                text(fields, "Matches", where),
                text(fields, "Exclude", where),
                text(fields, "StartAfter", where) or None,
                *_page(fields, where),
            )
        case "Query":
            query = an_object(fields.get("Query"), f"{where}.Query")
            return QueryWanted(queries.query_of(query, f"{where}.Query"))
    raise BadRequest(
        f"{where}.Type is Documents, Prefix, Values, Keys or Query, not '{shortened(kind)}'"
    )


def _page(fields: dict[str, Any], where: str) -> tuple[int, int]:
    start, size = fields.get("Start", 0), fields.get("PageSize", PAGE_SIZE_MAX)
    return (
        _number(start, f"{where}.Start", PAGE_SIZE_MAX),
        _number(size, f"{where}.PageSize", PAGE_SIZE_MAX),
    )


def _pin(whole: dict[str, Any]) -> Pin | None:
    if (sent := whole.get("Pin")) is None:
        return None
    fields = an_object(sent, "Pin")
    database_id = text(fields, "Database", "Pin", required=True)
    assert database_id is not None, "it is required"
    _check_length(database_id, "Pin.Database")
    index, etag = fields.get("Index"), fields.get("Etag")
    return Pin(database_id, _number(index, "Pin.Index"), _number(etag, "Pin.Etag"))


def _checks(sent: object) -> tuple[ReadCheck, ...]:
    """Everything that was read, each once."""
    fields = an_object(sent, "ReadSet")
    found: dict[ReadCheck, None] = {}
    for number, pair in enumerate(_list(fields.get("Documents") or [], "ReadSet.Documents")):
        where = f"ReadSet.Documents[{number}]"
        name, vector = _named(pair, where, 1)
        check_document_id(name, where)
        if not isinstance(vector, str):
            raise expected(f"{where}[1]", "a string", vector)
        _check_length(vector, f"{where}[1]")
        found[CheckDocument(name, vector)] = None
    for number, pair in enumerate(_list(fields.get("Values") or [], "ReadSet.Values")):
        where = f"ReadSet.Values[{number}]"
        name, index = _named(pair, where, 1)
        check_key(name)
        found[CheckCompareExchange(name, _number(index, f"{where}[1]"))] = None
    for prefix in _texts(fields.get("Prefixes") or [], "ReadSet.Prefixes"):
        check_document_id(prefix, "ReadSet.Prefixes")
        found[CheckPrefix(prefix)] = None
    for name in _texts(fields.get("Collections") or [], "ReadSet.Collections"):
        _check_length(name, "ReadSet.Collections")
        found[CheckCollection(name)] = None
    for number, row in enumerate(_list(fields.get("Keys") or [], "ReadSet.Keys")):
        where = f"ReadSet.Keys[{number}]"
        prefix, count, newest = _named(row, where, 2)
        check_key(prefix)
        counted = _number(count, f"{where}[1]"), _number(newest, f"{where}[2]")
        found[CheckKeys(prefix, *counted)] = None
    check_count(found, CHECKS_MAX, "things that were read")
    return tuple(found)


def _named(value: object, where: str, facts: int) -> list[Any]:
    """A name, and so many facts about it."""
    if not isinstance(value, list) or len(value) != 1 + facts or not isinstance(value[0], str):
        raise expected(where, f"an array of a name and {facts} more", value)
    return value


def _check_length(name: str, where: str) -> None:
    if len(name) > NAME_MAX:
        raise BadRequest(f"{where}: a string of {NAME_MAX} characters at most was expected")


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise expected(where, "an array", value)
    return value


def _texts(value: object, where: str) -> tuple[str, ...]:
    for number, item in enumerate(found := _list(value, where)):
        if not isinstance(item, str):
            raise expected(f"{where}[{number}]", "a string", item)
    return tuple(found)


def _number(value: object, where: str, high: int = INT64_MAX) -> int:
    if type(value) is not int or not 0 <= value <= high:
        raise BadRequest(
            f"{where}: a whole number up to {high} was expected, not {described(value)}"
        )
    return value
