"""Several reads in one request, each answered as if it had come alone."""

from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import orjson

from quoth.commands import Command, Reply, WireRequest, read_reply
from quoth.errors import FateUnknown, QuothError
from quoth.replies import error_of
from quoth.serialization import JsonObject, encode
from quoth.transport import HttpResponse

PARTS_MAX = 1_000  # what a node takes in one request

Answer = tuple[Any, QuothError | None]  # of one part: its result, or why there is none


@dataclass(frozen=True, slots=True)
class MultiGet:
    """Reads of one database that travel together. The result has one answer for each, in order."""

    database: str
    commands: tuple[Command[Any], ...]
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def __post_init__(self) -> None:
        assert all(each.is_read and each.is_for_database for each in self.commands)

    def to_request(self) -> WireRequest:
        parts = [each.to_request() for each in self.commands]
        body = encode({"Requests": [self._part(each) for each in parts]})
        waits = sum(each.wait_seconds for each in parts)  # one after the other, at the worst
        return WireRequest("POST", "/multi_get", (), body, waits)

    def read(self, reply: Reply) -> list[Answer]:
        found = reply.json()["Results"]
        if len(found) != len(self.commands):
            raise FateUnknown(f"{len(self.commands)} reads were sent, {len(found)} answered")
        return [_answer(each, part) for each, part in zip(self.commands, found, strict=True)]

    def _part(self, request: WireRequest) -> JsonObject:
        return {
            "Url": f"/databases/{quote(self.database, safe='')}{request.path}",
            "Query": "?" + urlencode(request.query, quote_via=quote, safe=""),
            "Method": request.method,
            "Headers": dict(request.headers),
            "Content": None if request.body is None else orjson.Fragment(request.body),
        }


def _answer(command: Command[Any], part: JsonObject) -> Answer:
    status, found = int(part["StatusCode"]), part["Result"]
    headers = {name.lower(): value for name, value in (part.get("Headers") or {}).items()}
    # By itself a missing document has no body; here it has one, which tells the same.
    error = None
    if status != 404:
        error = error_of(HttpResponse(status, headers, orjson.dumps(found) if found else b""))
    if error is not None:
        return None, error
    reply = Reply(status, b"" if found is None else b"{}", headers, found)
    try:
        return read_reply(command, reply), None
    except QuothError as failure:
        return None, failure
