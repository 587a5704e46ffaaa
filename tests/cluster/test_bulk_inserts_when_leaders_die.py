"""A bulk insert in whose middle the leader is killed tells of every document what became of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from quoth import BulkInsertAborted, BulkInsertProgress, CreateDatabaseOperation, DocumentStore
from scripts.local_cluster import LocalCluster, wait_for

DOCUMENTS = 20_000
BACK_SECONDS_MAX = 60.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path / "cluster", options=("--restart",)) as running:
        yield running


def stored_on(url: str) -> set[str]:
    """The ids of all documents that one node has."""
    what = {"startsWith": "things/", "format": "jsonl"}
    answer = requests.get(f"{url}/databases/shop/streams/docs", params=what, timeout=30)
    answer.raise_for_status()
    return {json.loads(line)["@metadata"]["@id"] for line in answer.text.splitlines()}


def test_nothing_acknowledged_is_lost_and_the_error_tells_the_truth(cluster: LocalCluster) -> None:
    leader = cluster.leader()
    taken: list[str] = []

    def kill_once(progress: BulkInsertProgress) -> None:
        if progress.batch_count == 3:
            cluster.kill(leader)

    with DocumentStore(cluster.url(leader), "shop") as store:
        store.maintenance.server.send(CreateDatabaseOperation("shop", 3))
        told = BulkInsertAborted("none", stored=DOCUMENTS, unknown_ids=(), not_stored_ids=())
        try:
            with store.bulk_insert() as bulk_insert:
                bulk_insert.on_progress(kill_once)
                for number in range(DOCUMENTS):
                    bulk_insert.store_as({"n": number}, f"things/{number}")
                    taken.append(f"things/{number}")
        except BulkInsertAborted as aborted:
            told = aborted
    cluster.wait_until_ready(leader)
    certain = set(taken) - {*told.unknown_ids, *told.not_stored_ids}
    assert told.stored == len(certain) >= 3_000
    assert len(taken) == told.stored + len(told.unknown_ids) + len(told.not_stored_ids)

    def all_agree() -> set[str] | None:
        first, *others = [stored_on(url) for url in cluster.urls]
        return first if certain <= first and all(each == first for each in others) else None

    there = wait_for(all_agree, BACK_SECONDS_MAX, "the nodes do not have all that was acknowledged")
    assert there.isdisjoint(told.not_stored_ids)
    assert there <= certain | set(told.unknown_ids)
