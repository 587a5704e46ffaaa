"""Send the recorded requests to a node, in order, and say what differs in the answers."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from tests.contract.golden.expected import Deviation
from tests.contract.golden.placeholders import Bindings, differences
from tests.contract.golden.recordings import Exchange

ANSWER_SECONDS_MAX = 60.0
# A time of the client's own clock, sent without a zone: it means now, and must do so here.
CLIENT_NOW = re.compile(r"2026-11-22T\d\d:\d\d:\d\d\.\d{7}(?!Z)")
AS_RECORDED = Deviation("none")
OTHER_DATABASE = "bench"
HEADERS_COMPARED = ("etag", "database-missing", "content-type")


@dataclass(frozen=True, slots=True)
class Answer:
    """What this server said."""

    status: int
    headers: Mapping[str, str]
    body: Any


def replay(
    url: str, exchanges: Sequence[Exchange], deviations: Mapping[str, Deviation]
) -> tuple[dict[str, list[str]], Bindings]:
    """The differences of every exchange, none if it answered as it should."""
    bindings, by_name = Bindings(), {exchange.name: exchange for exchange in exchanges}
    found: dict[str, list[str]] = {}
    connection = HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_SECONDS_MAX)
    for exchange in exchanges:
        deviation = deviations.get(exchange.name, AS_RECORDED)
        sent = exchange
        if deviation.sends is not None:
            sent = replace(sent, body=deviation.sends)
        if deviation.apart:
            sent = replace(sent, path=exchange.path.replace("/golden/", f"/{OTHER_DATABASE}/"))
        if "/queries" in sent.path:
            _settle(connection, sent.path.partition("/queries")[0])
        answer = _send(connection, sent, bindings)
        # What is apart must not bind values that later exchanges use.
        used = Bindings() if deviation.apart else bindings
        expected = _expected(exchange, deviation, by_name)
        found[exchange.name] = _compare(expected, answer, used, deviation)
    connection.close()
    return found, bindings


def _settle(connection: HTTPConnection, database: str) -> None:
    """Return when the indexes have read everything, as those that were recorded had."""
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    is_stale = True
    while is_stale:
        assert time.monotonic() < deadline, "the indexes do not come to the end"
        connection.request("GET", f"{database}/indexes/stats")
        told = json.loads(connection.getresponse().read())
        is_stale = any(index["IsStale"] for index in told.get("Results", ()))


def _send(connection: HTTPConnection, exchange: Exchange, bindings: Bindings) -> Answer:
    now = f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}0"
    path = CLIENT_NOW.sub(now, bindings.rewrite(exchange.path))
    headers = {key: bindings.rewrite(value) for key, value in exchange.headers.items()}
    body = exchange.body if isinstance(exchange.body, str | None) else json.dumps(exchange.body)
    content = None if body is None else bindings.rewrite(body).encode()
    connection.request(exchange.method, path, body=content, headers=headers)
    reply = connection.getresponse()
    data = reply.read()
    lowered = {key.lower(): value for key, value in reply.getheaders()}
    return Answer(reply.status, lowered, _content(data))


def _content(data: bytes) -> Any:
    try:
        return json.loads(data) if data else ""
    except ValueError:
        return data.decode(errors="replace")


def _expected(
    exchange: Exchange, deviation: Deviation, by_name: Mapping[str, Exchange]
) -> Exchange:
    answer = by_name[deviation.like].answer if deviation.like else exchange.answer
    return replace(exchange, answer=answer, status=deviation.status or exchange.status)


def _compare(
    expected: Exchange, answer: Answer, bindings: Bindings, deviation: Deviation
) -> list[str]:
    if answer.status != expected.status:
        return [f"status: expected {expected.status}, got {answer.status} {answer.body}"]
    mine, theirs = answer.body, expected.answer
    if isinstance(mine, dict) and isinstance(theirs, dict):
        left_out = theirs.keys() - mine.keys() if deviation.fewer_keys else set()
        free = deviation.free_keys | left_out
        theirs = {key: value for key, value in theirs.items() if key not in free}
        mine = {key: value for key, value in mine.items() if key not in free}
    anew = deviation.like is not None
    found = list(differences(theirs, mine, bindings, anew=anew))
    for name in HEADERS_COMPARED:
        # A deviation may say by a header what the recorded server says by the status.
        if deviation is AS_RECORDED or name in expected.answer_headers:
            one, other = expected.answer_headers.get(name), answer.headers.get(name)
            found.extend(differences(one, other, bindings, anew=anew, place=f"header {name}"))
    return found
