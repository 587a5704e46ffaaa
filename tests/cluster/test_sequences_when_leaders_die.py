"""Numbers have no gap and no duplicate, while callers time out, resend and die, and leaders do.

The callers speak plain HTTP. Each sends its request again under the same id until it has an answer;
some of them are impatient, so that they send again what is still under way; some never come back.
"""

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import requests

from quoth_node.testing.checkers.uniqueness import Taken, given_backwards, given_twice
from scripts.local_cluster import LocalCluster, quoth, wait_for

MORE = 40  # numbers told before and after the kill, of all callers together
PATIENCE_SECONDS = 60.0
REQUEST_SECONDS_MAX = 30.0
IMPATIENT_SECONDS = (0.003, 0.02, 5.0)


class Caller:
    """Takes one number after the other into an invoice that is named by it."""

    def __init__(self, number: int, urls: list[str]) -> None:
        self.taken: list[Taken] = []
        self.strange: list[str] = []
        self.sent_again = 0
        self._name = f"c{number}"
        self._urls = urls
        self._dice = random.Random(number)
        self._stop = Event()
        self._http = requests.Session()
        self._thread = Thread(target=self._run, name=self._name, daemon=True)

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self._take(f"{self._name}-{number}", dies=self._dice.random() < 0.1)

    def _take(self, request_id: str, *, dies: bool) -> None:
        """Send it until it is answered; but one who dies sends it once, and does not listen."""
        asked_at = time.monotonic()
        while True:
            seconds = IMPATIENT_SECONDS[0] if dies else self._dice.choice(IMPATIENT_SECONDS)
            answer = self._send(request_id, seconds)
            if answer is not None and answer.status_code == 201:
                (number,) = answer.json()["Results"][-1]["Numbers"]
                self.taken.append(Taken(number, asked_at, time.monotonic()))
                return
            if answer is not None and answer.status_code not in (500, 503):
                self.strange.append(f"{answer.status_code} {answer.text[:300]}")
                return
            if dies:
                return
            self.sent_again += 1

    def _send(self, request_id: str, seconds: float) -> requests.Response | None:
        document = {"Number": None, "@metadata": {"@collection": "Invoices"}}
        body: dict[str, Any] = {
            "Commands": [
                {"Type": "PUT", "Id": "invoices/{number}", "Document": document},
                {
                    "Type": "QuothTakeNumbers",
                    "Sequence": "invoices",
                    "Places": [{"Command": 0, "InId": True}, {"Command": 0, "Path": "/Number"}],
                },
            ]
        }
        url = self._dice.choice(self._urls)
        try:
            return self._http.post(
                f"{url}/databases/load/bulk_docs",
                params={"raft-request-id": request_id},
                json=body,
                timeout=seconds,
            )
        except requests.RequestException:
            return None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within the block it calls."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join(PATIENCE_SECONDS)
            assert not self._thread.is_alive(), f"{self._name} hangs"


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


@pytest.mark.parametrize("count", [1, 32])
def test_numbers_are_without_a_gap_when_the_leader_dies(
    hardy_cluster: LocalCluster, count: int
) -> None:
    cluster = hardy_cluster
    callers = [Caller(number, cluster.urls) for number in range(count)]
    with ExitStack() as stack:
        for caller in callers:
            stack.enter_context(caller.running())
        wait_for_more(callers)
        leader, term = cluster.leader(), cluster.term()
        cluster.kill(leader)
        cluster.leader(after_term=term)
        wait_for_more(callers)
        cluster.wait_until_ready(leader)
        wait_for_more(callers)

    died = [line for line in cluster.errors.splitlines() if "SIGKILL" not in line]
    assert died == [], "a node died that nobody killed"
    assert [strange for caller in callers for strange in caller.strange] == []
    assert any(caller.sent_again for caller in callers), "nobody was impatient"
    taken = [each for caller in callers for each in caller.taken]
    assert given_twice(taken) == []
    assert given_backwards(taken) == []
    last = 0
    for tag in cluster.tags:
        cluster.wait_until_ready(tag)
        proven = subprocess.run(
            quoth(
                "sequence", "verify", "invoices", "--database", "load", "--url", cluster.url(tag)
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert proven.returncode == 0, proven.stdout[-2_000:] + proven.stderr
        lines = [line.split("\t") for line in proven.stdout.splitlines()]
        last = len(lines)
        assert lines == [
            [str(number), "document", f"invoices/{number}", "/Number"]
            for number in range(1, last + 1)
        ]
    assert {each.number for each in taken} <= set(range(1, last + 1))


def test_a_number_that_is_planted_or_gone_is_found(hardy_cluster: LocalCluster) -> None:
    cluster = hardy_cluster
    caller = Caller(0, cluster.urls)
    with caller.running():
        wait_for_more([caller])
    url = f"{cluster.urls[0]}/databases/load/docs"
    requests.delete(url, params={"id": "invoices/7"}, timeout=REQUEST_SECONDS_MAX)
    copy = {"Number": 3, "@metadata": {"@collection": "Invoices"}}
    requests.put(url, params={"id": "invoices/copy"}, json=copy, timeout=REQUEST_SECONDS_MAX)
    command = ("sequence", "verify", "invoices", "--database", "load", "--quiet")
    found = subprocess.run(
        quoth(*command, "--url", cluster.urls[1]), capture_output=True, text=True, check=False
    )
    assert found.returncode == 1 and "is not proven: 2 wrong" in found.stderr
    assert found.stdout.splitlines() == [
        "wrong\tnumber 7 is held by invoices/7, and there is no such document",
        "wrong\tinvoices/copy holds 3 at /Number, which is not its (document: invoices/3)",
    ]


def wait_for_more(callers: list[Caller]) -> None:
    """Return when the callers together were told more numbers."""
    enough = told(callers) + MORE
    wait_for(
        lambda: told(callers) >= enough or None, PATIENCE_SECONDS, "the callers get no numbers"
    )


def told(callers: list[Caller]) -> int:
    return sum(len(caller.taken) for caller in callers)
