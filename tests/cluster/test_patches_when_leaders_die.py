"""A patch counts once or not at all, also while the leader that computes it is killed.

Every patch leaves a mark of its own in one hot document, which says what became of it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import requests

from scripts.local_cluster import LocalCluster, wait_for

REQUEST_SECONDS_MAX = 30.0
PATIENCE_SECONDS = 60.0
MORE = 25  # acknowledged patches of every client before and after the kill
HOT = {"id": "hot"}


class Patcher:
    """A client that leaves mark after mark, through one node after another."""

    def __init__(self, name: str, urls: list[str]) -> None:
        self.name = name
        self.told: list[str] = []  # marks that were acknowledged
        self.refused: list[str] = []  # marks that were surely not left
        self.strange: list[str] = []
        self._urls = urls
        self._stop = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self._leave(f"{self.name}-{number}", self._urls[number % len(self._urls)])

    def _leave(self, mark: str, url: str) -> None:
        body = {"Patch": {"Script": "this.marks.push(args.mark)", "Values": {"mark": mark}}}
        try:
            answer = requests.patch(
                f"{url}/databases/load/docs", params=HOT, json=body, timeout=REQUEST_SECONDS_MAX
            )
        except requests.ConnectionError:
            return
        if answer.status_code == 200:
            self.told.append(mark)
        elif answer.status_code == 503:
            self.refused.append(mark)
        elif answer.status_code != 500:
            self.strange.append(f"{mark}: {answer.status_code} {answer.text[:300]}")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within the block it patches."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join(REQUEST_SECONDS_MAX)
            assert not self._thread.is_alive(), f"{self.name} hangs"


@pytest.fixture
def hardy_cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """Three nodes; one that dies is started again."""
    with LocalCluster(tmp_path / "cluster", options=("--restart",)) as running:
        url = running.urls[0]
        requests.put(
            f"{url}/admin/databases?name=load", json={"DatabaseName": "load"}, timeout=30
        ).raise_for_status()
        requests.put(
            f"{url}/databases/load/docs", params=HOT, json={"marks": []}, timeout=30
        ).raise_for_status()
        yield running


def wait_for_more(patchers: list[Patcher]) -> None:
    """Return when everybody has been told of more."""
    for patcher in patchers:
        enough = len(patcher.told) + MORE
        wait_for(
            lambda patcher=patcher, enough=enough: len(patcher.told) >= enough or None,  # type: ignore[misc]
            PATIENCE_SECONDS,
            f"{patcher.name} gets no answers",
        )


def test_every_patch_counts_once_or_not_at_all(hardy_cluster: LocalCluster) -> None:
    cluster, urls = hardy_cluster, hardy_cluster.urls
    patchers = [Patcher(name, urls[start:] + urls[:start]) for start, name in enumerate("abc")]
    with ExitStack() as stack:
        for patcher in patchers:
            stack.enter_context(patcher.running())
        wait_for_more(patchers)
        leader, term = cluster.leader(), cluster.term()
        cluster.kill(leader)
        cluster.leader(after_term=term)
        wait_for_more(patchers)
        cluster.wait_until_ready(leader)
        wait_for_more(patchers)

    assert [strange for patcher in patchers for strange in patcher.strange] == []
    for tag in cluster.tags:
        answer = requests.get(f"{cluster.url(tag)}/databases/load/docs", params=HOT, timeout=30)
        left = Counter(answer.json()["Results"][0]["marks"])
        assert [mark for mark, count in left.items() if count > 1] == []
        assert {mark for patcher in patchers for mark in patcher.told} <= left.keys()
        assert not {mark for patcher in patchers for mark in patcher.refused} & left.keys()
