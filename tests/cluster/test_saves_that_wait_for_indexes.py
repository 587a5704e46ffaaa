"""A save that waits for indexes is found by the next query, whichever node is asked."""

from typing import Any

from scripts.local_cluster import LocalCluster, wait_for
from tests.cluster.indexed import (
    BY_CITY,
    BY_NAME,
    ask,
    counts,
    define,
    gone,
    make,
    query,
    save,
    stats,
    until_read,
    user,
)

WAITING = "?waitForIndexesTimeout=00:00:15&waitForIndexThrow=true"
ROUNDS = 30


def read_up_to(told: dict[str, Any]) -> int:
    collection = told["Collections"]["Users"]
    etags = collection["LastProcessedDocumentEtag"], collection["LastProcessedTombstoneEtag"]
    return int(min(etags))


def last_etag(url: str) -> int:
    return int(ask(url, "GET", "databases/shop/stats").json()["LastDatabaseEtag"])


def settled(cluster: LocalCluster) -> None:
    """All nodes know the indexes and have read everything."""
    for url in cluster.urls:
        wait_for(lambda url=url: len(stats(url)) == 2 or None, 30, "no indexes")  # type: ignore[misc]
        until_read(url)


def test_the_next_query_sees_the_save_on_every_node(cluster: LocalCluster) -> None:
    make(cluster.urls[0])
    define(cluster.urls[0], BY_NAME, BY_CITY)
    settled(cluster)
    for number in range(ROUNDS):
        writer = cluster.urls[number % 3]
        saved = save(writer, user(number, "Oslo"), query=WAITING)
        assert saved.status_code == 201, saved.text
        for url in cluster.urls:
            name = f"name {number}"
            found = query(
                url, "from index 'Users/ByName' where name = $p", QueryParameters={"p": name}
            )
            assert [row["name"] for row in found["Results"]] == [f"Name {number}"]
            assert not found["IsStale"]
            assert counts(url) == {"Oslo": number + 1}
    assert save(cluster.urls[1], gone(0), query=WAITING).status_code == 201
    for url in cluster.urls:
        assert counts(url) == {"Oslo": ROUNDS - 1}
        assert {read_up_to(told) for told in stats(url).values()} == {last_etag(url)}
        assert not any(told["IsStale"] for told in stats(url).values())


def test_an_index_that_rests_on_another_node_is_told(cluster: LocalCluster) -> None:
    here, there, _ = cluster.urls
    make(here)
    define(here, BY_NAME, BY_CITY)
    settled(cluster)
    stopped = ask(there, "POST", "databases/shop/admin/indexes/stop?name=Users/ByName")
    assert stopped.status_code == 204
    short = WAITING.replace("15", "04")
    late = save(here, user(1, "Oslo"), query=short)
    assert late.status_code == 500
    message = late.json()["Message"]
    assert "Users/ByName on node B" in message and "ByCity" not in message
    assert "total paused indexes: 1" in message
    assert save(here, user(2, "Oslo"), query=short.replace("true", "false")).status_code == 201
    specific = f"{WAITING}&waitForSpecificIndex=Users/ByCity"
    assert save(here, user(3, "Oslo"), query=specific).status_code == 201
    assert counts(there) == {"Oslo": 3}, "what was not waited for was saved as well"
    started = ask(there, "POST", "databases/shop/admin/indexes/start?name=Users/ByName")
    assert started.status_code == 204
    assert save(here, user(4, "Oslo"), query=WAITING).status_code == 201
    assert query(there, "from index 'Users/ByName'", PageSize=0)["TotalResults"] == 4


def test_a_node_that_is_down_holds_nobody_up(cluster: LocalCluster) -> None:
    leader = cluster.leader()
    make(cluster.url(leader))
    define(cluster.url(leader), BY_NAME, BY_CITY)
    settled(cluster)
    down = next(tag for tag in cluster.tags if tag != leader)
    cluster.kill(down)

    def is_known() -> bool | None:
        status = cluster.log_status(leader)
        assert status is not None
        return all(not peer["Connected"] for peer in status["Peers"] if peer["Tag"] == down) or None

    wait_for(is_known, 30, "the others do not notice")
    # Who waited for it would be told, when the time is over, that it was in vain.
    assert save(cluster.url(leader), user(1, "Oslo"), query=WAITING).status_code == 201
    for url in (cluster.url(tag) for tag in cluster.tags if tag != down):
        assert counts(url) == {"Oslo": 1}
