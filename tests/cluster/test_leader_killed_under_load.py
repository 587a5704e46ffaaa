"""What was acknowledged survives: writers on every node, and the leader is killed twice.

The writers speak plain HTTP, one node each at a time. An answer counts as a promise; no answer, or
one that leaves the outcome open, promises nothing.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import requests

from quoth_node.testing.checkers.uniqueness import (
    Created,
    Taken,
    created_twice,
    given_backwards,
    given_twice,
)
from scripts.local_cluster import LocalCluster, wait_for

KILLS = 2
MORE = 60  # acknowledged requests of every writer before and after each kill
PATIENCE_SECONDS = 60.0
REQUEST_SECONDS_MAX = 30.0
KEYS_IN_A_RACE = 10_000


class Writer:
    """A client: does one thing again and again, through one node after another."""

    def __init__(self, name: str, urls: list[str], act: Callable[["Writer", int], bool]) -> None:
        self.name = name
        self.told = 0  # how many answers were promises
        self.strange: list[str] = []  # answers that no client should get
        self._urls = urls
        self._act = act
        self._stop = Event()
        self._http = requests.Session()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def ask(self, method: str, number: int, path: str, **options: Any) -> requests.Response | None:
        """The answer of one node; None if it is no promise."""
        url = self._urls[number % len(self._urls)]
        try:
            answer = self._http.request(
                method, f"{url}/databases/load{path}", timeout=REQUEST_SECONDS_MAX, **options
            )
        except requests.RequestException:
            return None
        if answer.status_code in (500, 503):  # the outcome is open; surely not done
            return None
        if answer.status_code >= 400:
            self.strange.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self.told += self._act(self, number)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within the block it writes."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join(REQUEST_SECONDS_MAX)
            assert not self._thread.is_alive(), f"{self.name} hangs"


class Load:
    """The writers and what they were promised."""

    def __init__(self, urls: list[str]) -> None:
        self.documents: list[str] = []
        self.taken: list[Taken] = []
        self.created: list[Created] = []
        # Started at different nodes, so that every node gets every kind of request.
        turned = [urls[start:] + urls[:start] for start in range(len(urls))]
        acts = (self._write, self._take, self._create, self._create)
        self.writers = [
            Writer(f"{act.__name__.strip('_')}-{number}", turned[number % len(urls)], act)
            for number, act in enumerate(acts)
        ]

    def _write(self, writer: Writer, number: int) -> bool:
        document_id = f"orders/{writer.name}-{number}"
        body = {"number": number, "@metadata": {"@collection": "Orders"}}
        answer = writer.ask("PUT", number, "/docs", params={"id": document_id}, json=body)
        if answer is None:
            return False
        self.documents.append(document_id)
        return True

    def _take(self, writer: Writer, number: int) -> bool:
        asked_at = time.monotonic()
        answer = writer.ask("POST", number, "/identity/next", params={"name": "bills|"})
        if answer is None:
            return False
        self.taken.append(Taken(answer.json()["NewIdentityValue"], asked_at, time.monotonic()))
        return True

    def _create(self, writer: Writer, number: int) -> bool:
        key, value = f"race/{number % KEYS_IN_A_RACE}", f"{writer.name}-{number}"
        answer = writer.ask(
            "PUT", number, "/cmpxchg", params={"key": key, "index": 0}, json={"Object": value}
        )
        if answer is None:
            return False
        if answer.json()["Successful"]:
            self.created.append(Created(key, value))
        return True

    def wait_for_more(self) -> None:
        """Return when every writer has been promised more."""
        enough = {writer.name: writer.told + MORE for writer in self.writers}
        for writer in self.writers:
            wait_for(
                lambda writer=writer: writer.told >= enough[writer.name] or None,  # type: ignore[misc]
                PATIENCE_SECONDS,
                f"{writer.name} gets no answers",
            )


@pytest.fixture
def hardy_cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """Three nodes; one that dies is started again."""
    with LocalCluster(tmp_path / "cluster", options=("--restart",)) as running:
        requests.put(
            f"{running.urls[0]}/admin/databases",
            params={"name": "load"},
            json={"DatabaseName": "load"},
            timeout=REQUEST_SECONDS_MAX,
        ).raise_for_status()
        yield running


def test_no_promise_is_broken_when_leaders_die(hardy_cluster: LocalCluster) -> None:
    cluster, load = hardy_cluster, Load(hardy_cluster.urls)
    with ExitStack() as stack:
        for writer in load.writers:
            stack.enter_context(writer.running())
        load.wait_for_more()
        for _ in range(KILLS):
            leader, term = cluster.leader(), cluster.term()
            cluster.kill(leader)
            cluster.leader(after_term=term)
            load.wait_for_more()
            cluster.wait_until_ready(leader)
            load.wait_for_more()

    died = [line for line in cluster.errors.splitlines() if "SIGKILL" not in line]
    assert died == [], "a node died that nobody killed"
    assert [strange for writer in load.writers for strange in writer.strange] == []
    assert given_twice(load.taken) == []
    assert given_backwards(load.taken) == []
    assert created_twice(load.created) == []
    for tag in cluster.tags:
        cluster.wait_until_ready(tag)
        assert set(load.documents) <= set(documents(cluster.url(tag))), f"node {tag} lost some"
        values = compare_exchange(cluster.url(tag))
        assert {each.key: values.get(each.key) for each in load.created} == {
            each.key: each.value for each in load.created
        }
    held = [documents(cluster.url(tag)) for tag in cluster.tags]
    assert held[0] == held[1] == held[2], "the nodes agree on every change vector"


def documents(url: str) -> dict[str, str]:
    """Ids and change vectors of all orders, as the node at `url` has them."""
    found = get(url, "/docs", {"startsWith": "orders/", "start": "0", "pageSize": "100000"})
    stored = [result["@metadata"] for result in found["Results"]]
    return {metadata["@id"]: metadata["@change-vector"] for metadata in stored}


def compare_exchange(url: str) -> dict[str, str]:
    """Keys and values of the race, as the node at `url` has them."""
    found = get(url, "/cmpxchg", {"startsWith": "race/", "start": "0", "pageSize": "100000"})
    return {result["Key"]: result["Value"]["Object"] for result in found["Results"]}


def get(url: str, path: str, parameters: dict[str, str]) -> dict[str, Any]:
    answer = requests.get(
        f"{url}/databases/load{path}", params=parameters, timeout=REQUEST_SECONDS_MAX
    )
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content
