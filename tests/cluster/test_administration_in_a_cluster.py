"""Three processes: a database is disabled under load, and a value ends without its first leader."""

from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import requests

from scripts.local_cluster import LocalCluster, wait_for

SECONDS_MAX = 30.0
WRITES = 40  # of every writer before the database is disabled


class Writer:
    """Stores one document after another through one node, and notes what it was told."""

    def __init__(self, url: str, name: str) -> None:
        self.saved: list[tuple[str, datetime]] = []  # ids, and when the request was sent
        self.refused = 0
        self.strange: list[str] = []
        self.has_saved_some, self._stop = Event(), Event()
        self._url, self._name = url, name
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with requests.Session() as http:
            while not self._stop.is_set():
                number = len(self.saved) + self.refused
                document_id, sent_at = f"{self._name}/{number}", datetime.now(UTC)
                address = f"{self._url}/databases/db/docs"
                answer = http.put(
                    address, params={"id": document_id}, json={}, timeout=SECONDS_MAX
                )
                if answer.status_code == 201:
                    self.saved.append((document_id, sent_at))
                    if len(self.saved) >= WRITES:
                        self.has_saved_some.set()
                elif "DatabaseDisabledException" in answer.text and answer.status_code == 503:
                    self.refused += 1
                else:
                    self.strange.append(f"{answer.status_code} {answer.text[:300]}")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(SECONDS_MAX)


def create(url: str, name: str) -> None:
    address = f"{url}/admin/databases"
    answer = requests.put(address, params={"name": name}, json={}, timeout=SECONDS_MAX)
    assert answer.status_code == 201, answer.text


def toggle(url: str, state: str) -> None:
    body = {"DatabaseNames": ["db"]}
    answer = requests.post(f"{url}/admin/databases/{state}", json=body, timeout=SECONDS_MAX)
    assert answer.json()["Status"][0]["Success"], answer.text


def test_nothing_is_written_once_a_database_is_known_to_be_disabled(cluster: LocalCluster) -> None:
    create(cluster.urls[0], "db")
    writers = [Writer(url, f"w{number}") for number, url in enumerate(cluster.urls * 2)]
    assert all(writer.has_saved_some.wait(SECONDS_MAX) for writer in writers)
    toggle(cluster.urls[1], "disable")
    disabled_at = datetime.now(UTC)
    wait_for(lambda: all(w.refused for w in writers) or None, SECONDS_MAX, "some still write")
    for writer in writers:
        writer.stop()
    assert [strange for writer in writers for strange in writer.strange] == []
    saved = [one for writer in writers for one in writer.saved]
    late = [document_id for document_id, sent_at in saved if sent_at > disabled_at]
    assert late == [], "sent when it was told to be disabled, and written all the same"
    toggle(cluster.urls[2], "enable")
    for url in cluster.urls:
        found = requests.get(f"{url}/databases/db/stats", timeout=SECONDS_MAX).json()
        assert found["CountOfDocuments"] == len(saved), "what was refused is not there"


def test_a_value_ends_though_the_leader_was_killed_before_its_time(cluster: LocalCluster) -> None:
    create(cluster.urls[0], "db")
    at = (datetime.now(UTC) + timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    value = {"Object": 1, "@metadata": {"@expires": at}}
    put(cluster.urls[0], "ends", value)
    put(cluster.urls[0], "lasts", {"Object": 2})
    leader, term = cluster.leader(), cluster.term()
    cluster.kill(leader)
    cluster.leader(after_term=term)
    others = [cluster.url(tag) for tag in cluster.tags if tag != leader]
    wait_for(lambda: status_of(others[0], "ends") == 404 or None, SECONDS_MAX, "it is still there")
    for url in others:
        assert (status_of(url, "ends"), status_of(url, "lasts")) == (404, 200)


def put(url: str, key: str, value: Any) -> None:
    address, params = f"{url}/databases/db/cmpxchg", {"key": key, "index": "0"}
    answer = requests.put(address, params=params, json=value, timeout=SECONDS_MAX)
    assert answer.json()["Successful"], answer.text


def status_of(url: str, key: str) -> int:
    address = f"{url}/databases/db/cmpxchg"
    answer = requests.get(address, params={"key": key}, timeout=SECONDS_MAX)
    return int(answer.status_code)
