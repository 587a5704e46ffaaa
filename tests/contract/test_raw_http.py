"""Plain HTTP against real nodes: every node takes every request, and bad input is told apart.

The messages and bodies of each route are tested with the rooms that make them; here it counts that
they hold on the wire, that nothing is written, and that the connection lives on.
"""

import gzip
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from scripts.local_cluster import LocalCluster, wait_for

SECONDS_MAX = 30.0
MIB = 1_024 * 1_024


class Wire:
    """One connection to one database of one node."""

    def __init__(self, url: str, database: str) -> None:
        self.url, self.database = url, database
        self.http = requests.Session()

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        address = f"{self.url}/databases/{self.database}{path}"
        return self.http.request(method, address, timeout=SECONDS_MAX, **options)

    def put(self, document_id: str, **content: Any) -> requests.Response:
        return self.ask("PUT", "/docs", params={"id": document_id}, json=content)

    def count(self) -> int:
        found: int = self.ask("GET", "/stats").json()["CountOfDocuments"]
        return found


@pytest.fixture
def wire(node_url: str, database: str) -> Wire:
    """One node."""
    return Wire(node_url, database)


@pytest.fixture
def wires(shared_cluster: LocalCluster, cluster_database: str) -> list[Wire]:
    """Three nodes, one database."""
    return [Wire(url, cluster_database) for url in shared_cluster.urls]


def test_every_node_takes_every_write_and_all_read_it_at_once(wires: list[Wire]) -> None:
    for number, writer in enumerate(wires * 3):
        assert writer.put(f"users/{number}", n=number).status_code == 201
        for reader in wires:
            found = reader.ask("GET", "/docs", params={"id": f"users/{number}"})
            assert found.json()["Results"][0]["n"] == number


def test_identities_from_all_nodes_are_one_series(wires: list[Wire]) -> None:
    taken = [
        each.ask("POST", "/identity/next", params={"name": "bills|"}).json()["NewIdentityValue"]
        for each in wires * 4
    ]
    assert taken == list(range(1, 13))


def test_a_node_waits_for_what_the_client_has_seen(wires: list[Wire]) -> None:
    put = {"Id": "users/1", "Type": "PUT", "ChangeVector": None, "Document": {"n": 1}}
    saved = wires[0].ask(
        "POST", "/bulk_docs", json={"Commands": [put], "TransactionMode": "ClusterWide"}
    )
    index = saved.json()["TransactionIndex"]
    for each in wires:
        found = each.ask(
            "GET",
            "/docs",
            params={"id": "users/1", "consistency": "local"},
            headers={"Known-Raft-Index": str(index)},
        )
        assert found.status_code == 200


def test_each_node_names_all_and_itself_as_it_was_called(wires: list[Wire]) -> None:
    for each in wires:
        topology = each.http.get(
            f"{each.url}/topology", params={"name": each.database}, timeout=SECONDS_MAX
        ).json()
        assert [node["ClusterTag"] for node in topology["Nodes"]] == ["A", "B", "C"]
        assert each.url in [node["Url"] for node in topology["Nodes"]]
        by_name = each.url.replace("127.0.0.1", "localhost")
        called = each.http.get(
            f"{by_name}/topology", params={"name": each.database}, timeout=SECONDS_MAX
        ).json()
        assert by_name in [node["Url"] for node in called["Nodes"]]


PUT = {"Id": "users/1", "Type": "PUT", "Document": {"n": 1}}
BAD_BATCHES: dict[str, Any] = {
    "malformed": "{nope",
    "not an object": [PUT],
    "no commands": {},
    "an empty batch": {"Commands": []},
    "commands of a wrong type": {"Commands": {"Id": "users/1"}},
    "a command of a wrong type": {"Commands": [PUT, 7]},
    "an unknown command": {"Commands": [PUT, {"Id": "a", "Type": "ZZZ"}]},
    "a command to come": {"Commands": [PUT, {"Id": "a", "Type": "PATCH", "Patch": {}}]},
    "no document": {"Commands": [PUT, {"Id": "a", "Type": "PUT"}]},
    "a document of a wrong type": {"Commands": [PUT, {"Id": "a", "Type": "PUT", "Document": "x"}]},
    "an id of a wrong type": {"Commands": [PUT, {"Id": 5, "Type": "PUT", "Document": {}}]},
    "a long id": {"Commands": [PUT, {"Id": "a" * 513, "Type": "PUT", "Document": {}}]},
    "an unknown mode": {"Commands": [PUT], "TransactionMode": "Sometimes"},
}


@pytest.mark.parametrize("body", BAD_BATCHES.values(), ids=BAD_BATCHES)
def test_a_bad_batch_is_told_what_was_wrong_and_writes_nothing(wire: Wire, body: Any) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    refused = wire.ask("POST", "/bulk_docs", data=text)
    assert 400 <= refused.status_code < 500
    told = refused.json()
    assert {"Url", "Type", "Message", "Error"} <= told.keys()
    assert told["Message"] and "Traceback" not in refused.text
    assert wire.count() == 0
    assert wire.put("users/2", n=2).status_code == 201, "the same connection goes on"


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/docs?id=a&nonsense=1", "nonsense"),
        ("GET", "/docs?start=x", "start"),
        ("PUT", f"/docs?id={'a' * 513}", "512"),
        ("POST", "/identity/next", "name"),
        ("POST", "/identity/seed?name=x&value=many", "value"),
        ("PUT", "/cmpxchg?key=a&index=x", "index"),
        ("POST", "/bulk_docs?waitForReplicasTimeout=soon", "waitForReplicasTimeout"),
        ("GET", "/no-such-route", "GET /databases/"),
        ("DELETE", "/bulk_docs", "DELETE /databases/"),
    ],
)
def test_a_bad_request_is_told_what_was_wrong(
    wire: Wire, method: str, path: str, said: str
) -> None:
    body = {"Commands": [PUT]} if "bulk" in path else {"n": 1} if method == "PUT" else None
    refused = wire.ask(method, path, json=body)
    assert refused.status_code == 400
    assert said in refused.json()["Message"]
    assert wire.count() == 0


def test_an_unknown_database_is_named(wire: Wire) -> None:
    questions = (("GET", "/docs?id=a"), ("GET", "/stats"), ("POST", "/identity/next?name=x"))
    for method, path in questions:
        missing = Wire(wire.url, "nowhere").ask(method, path)
        assert missing.status_code == 503
        assert missing.headers["Database-Missing"] == "nowhere"
        assert "'nowhere' does not exist" in missing.json()["Message"]


def test_a_body_over_the_limit_is_refused_before_it_is_read(wire: Wire) -> None:
    address = urlsplit(wire.url)
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS_MAX) as line:
        head = (
            f"POST /databases/{wire.database}/bulk_docs HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Content-Length: {65 * MIB}\r\n\r\n"
        )
        line.sendall(head.encode())
        assert line.recv(MIB).startswith(b"HTTP/1.1 413 ")


def test_a_small_body_that_inflates_over_the_limit_is_refused(wire: Wire) -> None:
    bomb = gzip.compress(b'{"Commands":[' + b" " * (65 * MIB), compresslevel=9)
    refused = wire.ask("POST", "/bulk_docs", data=bomb, headers={"Content-Encoding": "gzip"})
    assert refused.status_code == 413
    assert wire.count() == 0


def test_a_batch_of_many_megabytes_is_saved_whole(wires: list[Wire]) -> None:
    text = "x" * 100_000
    commands = [
        {"Id": f"big/{number}", "Type": "PUT", "Document": {"text": text}} for number in range(80)
    ]
    saved = wires[1].ask("POST", "/bulk_docs", json={"Commands": commands})
    assert saved.status_code == 201
    assert [each.count() for each in wires] == [80, 80, 80]


def test_a_request_may_be_compressed(wire: Wire) -> None:
    body = gzip.compress(json.dumps({"Commands": [PUT]}).encode())
    saved = wire.ask("POST", "/bulk_docs", data=body, headers={"Content-Encoding": "gzip"})
    assert saved.status_code == 201
    assert wire.count() == 1


def test_what_one_node_gave_every_node_confirms(wires: list[Wire]) -> None:
    for number in range(3):
        assert wires[0].put(f"users/{number}", n=number).status_code == 201
    for query in ("?id=users/0", "?id=users/0&id=users/1&id=users/9", "?id=users/0&include=x"):
        etag = wires[0].ask("GET", f"/docs{query}").headers["ETag"]
        known = {"If-None-Match": etag}
        asked = [wire.ask("GET", f"/docs{query}", headers=known) for wire in wires]
        assert [(one.status_code, one.content) for one in asked] == [(304, b"")] * 3
    known = {"If-None-Match": wires[0].ask("GET", "/docs?id=users/0").headers["ETag"]}
    assert wires[1].put("users/0", n=7).status_code == 201
    for wire in wires:
        changed = wire.ask("GET", "/docs?id=users/0", headers=known)
        assert changed.status_code == 200 and changed.json()["Results"][0]["n"] == 7


def test_a_bulk_insert_through_a_follower_is_on_every_node(wires: list[Wire]) -> None:
    commands = [
        {"Id": f"users/{n}", "Type": "PUT", "Document": {"n": n, "text": "x" * 500}}
        for n in range(6_000)
    ]
    body = json.dumps(commands).encode()
    pieces = (body[at : at + 50_000] for at in range(0, len(body), 50_000))
    operation = wires[2].ask("GET", "/operations/next-operation-id").json()
    saved = wires[1].ask("POST", f"/bulk_insert?id={operation['Id']}", data=pieces)
    assert (saved.status_code, saved.content) == (201, b"")
    assert [wire.count() for wire in wires] == [6_000] * 3
    states = [wire.ask("GET", f"/operations/state?id={operation['Id']}").json() for wire in wires]
    assert states[0] == states[1] == states[2]
    assert states[0]["Progress"]["DocumentsProcessed"] == 6_000
    streamed = wires[0].ask("GET", "/streams/docs?startsWith=users/&format=jsonl", stream=True)
    assert sum(1 for _ in streamed.iter_lines()) == 6_000


def test_a_bulk_insert_that_is_cut_off_is_told_as_such(wire: Wire) -> None:
    address = urlsplit(wire.url)
    with socket.create_connection((address.hostname, address.port), SECONDS_MAX) as line:
        head = (
            f"POST /databases/{wire.database}/bulk_insert?id=12345 HTTP/1.1\r\n"
            f"Host: {address.netloc}\r\nTransfer-Encoding: chunked\r\n"
            "Expect: 100-continue\r\n\r\n"
        )
        line.sendall(head.encode())
        assert line.recv(MIB) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(b'1\r\n[\r\n3e\r\n{"Id":')
    state = wait_for(lambda: ended(wire, 12345), SECONDS_MAX, "nobody noticed")
    assert state["Status"] == "Faulted" and "went away" in state["Result"]["Message"]
    assert wire.count() == 0


def ended(wire: Wire, operation_id: int) -> Any:
    state = wire.ask("GET", f"/operations/state?id={operation_id}").json()
    return state if state["Status"] != "InProgress" else None


def test_a_bulk_insert_takes_documents_of_any_size_in_between(wire: Wire) -> None:
    texts = ["small", "x" * 3 * MIB, "small", '},{"Id":"a","Type":"' * 100_000, "y" * 20 * MIB]
    commands = [
        {"Id": f"texts/{n}", "Type": "PUT", "Document": {"text": text, "parts": [{"Id": n}] * 3}}
        for n, text in enumerate(texts)
    ]
    body = json.dumps(commands).encode()
    pieces = (body[at : at + MIB] for at in range(0, len(body), MIB))
    assert wire.ask("POST", "/bulk_insert?id=1", data=pieces).status_code == 201
    found = wire.ask("GET", "/docs?startsWith=texts/").json()["Results"]
    assert [document["text"] for document in found] == texts
    over = json.dumps([{"Id": "a", "Type": "PUT", "Document": {"text": "z" * 65 * MIB}}]).encode()
    refused = wire.ask("POST", "/bulk_insert?id=2", data=over)
    assert refused.status_code == 413 and "over the limit" in refused.json()["Message"]
