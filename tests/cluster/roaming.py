"""A client that sends each request to another node than the one before, and notes what it was told.

It speaks plain HTTP and takes an answer for no more than it says: 503 is surely not done, no answer
or a 500 leaves it open, 409 is surely refused. Documents and compare-exchange values hold a version
that is only ever written under the change vector or index of the one before, so versions of a key
are numbered in their order whoever writes them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from threading import Event, Thread
from typing import Any

import requests
from urllib3.exceptions import NewConnectionError

from quoth_node.testing.checkers.sessions import Did, Kind
from quoth_node.testing.checkers.uniqueness import Taken
from scripts.local_cluster import wait_for

REQUEST_SECONDS_MAX = 30.0
SHARED = tuple(f"shared/{number}" for number in range(4))
VALUES = tuple(f"values/{number}" for number in range(2))


@dataclass(frozen=True, slots=True)
class Read:
    """What a key was last seen to hold, and what proves it: a change vector or an index."""

    version: int
    proof: str | int


class NotDone(Exception):
    """Surely not carried out."""


class Open(Exception):
    """Nobody told whether it was carried out."""


def was_never_sent(error: requests.RequestException) -> bool:
    """Whether there was no connection to send a request over."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", None), NewConnectionError)


class Roamer:
    """One session: one request after another, each to the next node."""

    def __init__(self, name: str, urls: Sequence[str], *, database: str, seed: int) -> None:
        self.name = name
        self.history: list[Did] = []
        self.taken: list[Taken] = []
        self.told = 0  # how many requests were answered
        self.strange: list[str] = []  # answers that no client should get
        self._urls = urls
        self._database = database
        self._random = Random(f"{seed} {name}")
        self._own = tuple(f"own/{name}/{number}" for number in range(2))
        self._seen: dict[str, Read] = {}
        self._sent = self._random.randrange(len(urls))
        self._http = requests.Session()
        self._stop = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        self._thread.join(REQUEST_SECONDS_MAX)
        assert not self._thread.is_alive(), f"{self.name} hangs"

    def read_everything(self) -> None:
        """Read every shared key through every node."""
        for key in (*SHARED, *VALUES):
            for _ in self._urls:
                wait_for(lambda key=key: self._has_read(key), REQUEST_SECONDS_MAX, "no answer")  # type: ignore[misc]

    def _has_read(self, key: str) -> bool | None:
        try:
            self._read(key)
        except (NotDone, Open):
            return None
        return True

    def _run(self) -> None:
        acts: tuple[tuple[int, Callable[[], None]], ...] = (
            (30, lambda: self._read(self._any_key())),
            (15, self._read_page),
            (40, self._write_documents),
            (10, self._write_value),
            (5, self._take),
        )
        weights, does = zip(*acts, strict=True)
        while not self._stop.is_set():
            [act] = self._random.choices(does, weights)
            try:
                act()
            except (NotDone, Open):
                continue

    def _any_key(self) -> str:
        return self._random.choice((*SHARED, *self._own, *VALUES))

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """The answer of the next node; raises NotDone or Open if it tells nothing."""
        self._sent += 1
        url = f"{self._urls[self._sent % len(self._urls)]}/databases/{self._database}{path}"
        try:
            answer = self._http.request(method, url, timeout=REQUEST_SECONDS_MAX, **options)
        except requests.RequestException as error:
            raise (NotDone if was_never_sent(error) else Open) from error
        if answer.status_code == 503:
            raise NotDone
        if answer.status_code == 500:
            raise Open
        self.told += 1
        if answer.status_code not in (200, 201, 404, 409):
            self.strange.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _note(
        self,
        kind: Kind,
        key: str,
        version: int,
        value: str,
        asked_at: float,
        *,
        certain: bool = True,
    ) -> None:
        self.history.append(
            Did(
                session=self.name,
                kind=kind,
                key=key,
                version=version,
                value=value,
                asked_at=asked_at,
                told_at=time.monotonic(),
                certain=certain,
            )
        )

    def _read(self, key: str) -> None:
        asked_at = time.monotonic()
        is_value = key in VALUES
        path, parameters = ("/cmpxchg", {"key": key}) if is_value else ("/docs", {"id": key})
        answer = self._ask("GET", path, params=parameters)
        if answer.status_code == 404:
            version, value, proof = 0, "", 0 if is_value else ""
        else:
            [found] = answer.json()["Results"]
            held = found["Value"]["Object"] if is_value else found
            version, value = held["version"], held["value"]
            proof = found["Index"] if is_value else found["@metadata"]["@change-vector"]
        self._seen[key] = Read(version, proof)
        self._note(Kind.READ, key, version, value, asked_at)

    def _read_page(self) -> None:
        """All shared documents from one snapshot; what is not there is not on the page."""
        asked_at = time.monotonic()
        parameters = {"startsWith": "shared/", "start": "0", "pageSize": "100"}
        found = {
            document["@metadata"]["@id"]: document
            for document in self._ask("GET", "/docs", params=parameters).json()["Results"]
        }
        for key in SHARED:
            document = found.get(key, {"version": 0, "value": "", "@metadata": {}})
            proof = document["@metadata"].get("@change-vector", "")
            self._seen[key] = Read(document["version"], proof)
            self._note(Kind.READ, key, document["version"], document["value"], asked_at)

    def _write_documents(self) -> None:
        """The next versions of one document or of two, in one batch."""
        keys = self._random.sample((*SHARED, *self._own), self._random.choice((1, 1, 2)))
        for key in keys:
            if key not in self._seen:
                self._read(key)
        value = f"{self.name} {len(self.history)}"
        written = {key: self._seen.pop(key) for key in keys}
        commands = [
            {
                "Type": "PUT",
                "Id": key,
                "ChangeVector": seen.proof,
                "Document": {
                    "version": seen.version + 1,
                    "value": value,
                    "@metadata": {"@collection": "Versions"},
                },
            }
            for key, seen in written.items()
        ]
        asked_at = time.monotonic()
        certain = True
        try:
            answer = self._ask("POST", "/bulk_docs", json={"Commands": commands})
            if answer.status_code == 409:
                return
            proofs = [result["@change-vector"] for result in answer.json()["Results"]]
            for key, proof in zip(keys, proofs, strict=True):
                self._seen[key] = Read(written[key].version + 1, proof)
        except Open:
            certain = False
        for key, seen in written.items():
            self._note(Kind.WRITE, key, seen.version + 1, value, asked_at, certain=certain)

    def _write_value(self) -> None:
        """The next version of a compare-exchange value."""
        key = self._random.choice(VALUES)
        if key not in self._seen:
            self._read(key)
        seen, value = self._seen.pop(key), f"{self.name} {len(self.history)}"
        asked_at = time.monotonic()
        certain = True
        try:
            answer = self._ask(
                "PUT",
                "/cmpxchg",
                params={"key": key, "index": seen.proof},
                json={"Object": {"version": seen.version + 1, "value": value}},
            ).json()
            if not answer["Successful"]:
                return
            assert answer["Index"] > int(seen.proof), "an index only grows"
            self._seen[key] = Read(seen.version + 1, answer["Index"])
        except Open:
            certain = False
        self._note(Kind.WRITE, key, seen.version + 1, value, asked_at, certain=certain)

    def _take(self) -> None:
        asked_at = time.monotonic()
        answer = self._ask("POST", "/identity/next", params={"name": "tickets|"})
        number = answer.json()["NewIdentityValue"]
        self.taken.append(Taken(number, asked_at, time.monotonic()))
