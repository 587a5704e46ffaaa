"""A cluster on paper for tests of the client: what it must be asked, and what it answers.

`/topology` is answered by itself; every other exchange is planned, in order, and what is left
over or comes unasked fails the test.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from quoth.errors import QuothError
from quoth.mock_transport import MockTransport, response
from quoth.transport import HttpRequest, HttpResponse

URL = "http://a:8080"


@dataclass(frozen=True)
class Asked:
    """One request, taken apart."""

    method: str
    node: str
    path: str
    query: Mapping[str, str]
    pairs: list[tuple[str, str]]
    headers: Mapping[str, str]
    json: Any


def asked(request: HttpRequest) -> Asked:
    parts = urlsplit(request.url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    body = None if request.body is None else orjson.loads(request.body)
    node = f"{parts.scheme}://{parts.netloc}"
    return Asked(request.method, node, parts.path, dict(pairs), pairs, request.headers, body)


class Wire:
    """Plans exchanges with the nodes of one cluster, and shows what they were asked."""

    def __init__(self, *urls: str) -> None:
        self.urls = urls or (URL,)
        self.etag = 7
        self.transport = MockTransport(self._answer)
        self._planned: deque[tuple[str, str, HttpResponse | QuothError]] = deque()

    def on(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        fails: QuothError | None = None,
    ) -> None:
        """The next request is this one, below the database if it begins with `/docs` and so on."""
        self._planned.append((method, path, fails or response(status, body, headers)))

    def saved(self, *results: dict[str, Any], index: int | None = None) -> None:
        """The next request is a save; these are its results."""
        body: dict[str, Any] = {"Results": list(results)}
        if index is not None:
            body["TransactionIndex"] = index
        self.on("POST", "/bulk_docs", body, status=201)

    def loaded(self, *documents: dict[str, Any] | None, **includes: Any) -> None:
        """The next request is a load; these are its documents."""
        self.on("GET", "/docs", {"Results": list(documents), "Includes": includes})

    @property
    def asked(self) -> list[Asked]:
        """All requests so far but those for the topology."""
        every = [asked(each) for each in self.transport.requests]
        return [each for each in every if not each.path.endswith("/topology")]

    @property
    def commands(self) -> list[dict[str, Any]]:
        """The commands of the last save."""
        found: list[dict[str, Any]] = self.asked[-1].json["Commands"]
        return found

    def finish(self) -> None:
        """Nothing that was planned may be left."""
        assert not self._planned, f"never asked for: {list(self._planned)}"

    def _answer(self, request: HttpRequest) -> HttpResponse | QuothError:
        one = asked(request)
        if one.path == "/topology":
            nodes = [
                {"Url": url, "ClusterTag": tag, "ServerRole": "Member", "Database": "shop"}
                for url, tag in zip(self.urls, "ABCDE", strict=False)
            ]
            return response(200, {"Nodes": nodes, "Etag": self.etag})
        if one.path == "/cluster/topology":
            members = dict(zip("ABCDE", self.urls, strict=False))
            return response(200, {"Topology": {"Members": members}, "Etag": self.etag})
        assert self._planned, f"nothing is planned for {one.method} {one.path}"
        method, path, answer = self._planned.popleft()
        assert (one.method, one.path.removeprefix("/databases/shop")) == (method, path)
        return answer


def document(document_id: str, change_vector: str = "A:1-x", **fields: Any) -> dict[str, Any]:
    """A stored document, as a node sends it."""
    metadata = {
        "@collection": fields.pop("collection", "Companies"),
        "@change-vector": change_vector,
        "@id": document_id,
        "@last-modified": "2026-01-01T10:00:00.1234567Z",
    }
    return {**fields, "@metadata": metadata}


def put_result(document_id: str, change_vector: str = "A:2-x") -> dict[str, Any]:
    """What a node answers to a PUT in a batch."""
    return {
        "Type": "PUT",
        "@id": document_id,
        "@collection": "Companies",
        "@change-vector": change_vector,
        "@last-modified": "2026-01-01T10:00:00.1234567Z",
    }
