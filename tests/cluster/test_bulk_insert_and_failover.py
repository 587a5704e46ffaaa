"""A stream of documents outlives the leader, and nobody takes a silent node's word for no."""

import json
from collections.abc import Iterator
from typing import Any

import requests

from scripts.local_cluster import LocalCluster

DOCUMENTS = 20_000
PIECE_DOCUMENTS = 250
ASK_SECONDS_MAX = 60.0


def ask(url: str, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, f"{url}/{path}", timeout=ASK_SECONDS_MAX, **options)


def test_a_leader_that_dies_midway_costs_no_document(cluster: LocalCluster) -> None:
    leader = cluster.leader()
    mine, other = (cluster.url(tag) for tag in cluster.tags if tag != leader)
    term = cluster.term()
    made = ask(mine, "PUT", "admin/databases?name=shop", json={"DatabaseName": "shop"})
    assert made.status_code == 201, made.text
    # The id is of the node that is going to die.
    given = ask(cluster.url(leader), "GET", "databases/shop/operations/next-operation-id").json()
    operation = f"databases/shop/operations/state?id={given['Id']}"

    def pieces() -> Iterator[bytes]:
        for start in range(0, DOCUMENTS, PIECE_DOCUMENTS):
            if start == DOCUMENTS // 2:
                cluster.kill(leader)
            documents = (
                {"Id": f"notes/{n}", "Type": "PUT", "Document": {"n": n, "text": "x" * 400}}
                for n in range(start, start + PIECE_DOCUMENTS)
            )
            yield (b"," if start else b"[") + ",".join(map(json.dumps, documents)).encode()
        yield b"]"

    sent = ask(mine, "POST", f"databases/shop/bulk_insert?id={given['Id']}", data=pieces())
    assert sent.status_code == 201, sent.text
    cluster.leader(after_term=term)
    for url in (mine, other):
        stats = ask(url, "GET", "databases/shop/stats").json()
        assert stats["CountOfDocuments"] == DOCUMENTS
        told = ask(url, "GET", operation).json()
        assert (told["Status"], told["Result"]["Total"]) == ("Completed", DOCUMENTS)
    unknown = ask(other, "GET", "databases/shop/operations/state?id=77")
    assert unknown.status_code == 503 and f"nodes {leader} could not" in unknown.json()["Message"]
    again = ask(other, "GET", "databases/shop/operations/next-operation-id").json()
    assert abs(again["Id"] - given["Id"]) >= 1_024
