"""Clients of every kind at the same few documents and values, each request to any of the nodes.

Sessions are the client's own `Isolation`, request by request, over plain HTTP; beside them write
single nodes, cluster transactions, deletions by prefix and compare-exchange, who check less or
nothing. Names come in any case. All is noted as transactions: what was seen, written, and when.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random
from threading import Thread
from typing import Any
from uuid import UUID

import orjson
import requests

from quoth.batches import (
    BatchCommand,
    DeleteDocument,
    DeleteValue,
    PutDocument,
    PutValue,
    SaveBatch,
)
from quoth.commands import Command, Reply, WireRequest, read_reply
from quoth.errors import SerializationConflict
from quoth.queries.index_query import IndexQuery, RunQuery
from quoth.reads import GetDocuments, GetDocumentsStartingWith, GetValues, GetValuesStartingWith
from quoth.serializable import Commit, Isolation
from quoth.steps import Steps, ask
from quoth_node.testing.checkers.strict_serializability import Key, Saw, Transaction
from tests.cluster.roaming import NotDone, Open, was_never_sent

REQUEST_SECONDS_MAX = 30.0
PATIENCE_SECONDS = 60.0
LETTERS = "abc"
PAGE = 1_000


class Player:
    """One client: one transaction after another."""

    def __init__(self, name: str, urls: Sequence[str], *, database: str, seed: object) -> None:
        self.name = name
        self.history: list[Transaction] = []
        self.strange: list[str] = []  # answers that no client should get
        self.conflicts = self.saves = 0
        self._urls = urls
        self._database = database
        self._dice = Random(f"{seed} {name}")
        self._place = ""
        self._written = 0
        self._http = requests.Session()
        self._indexes: dict[str, int] = {}
        self._sent_at = 0.0
        self._expects: list[Saw] = []  # what a save rests on besides what was read

    def play(self, place: str, turns: int) -> Thread:
        """Begin with some transactions on what begins with `place`."""
        self.history, self._place, self._indexes = [], place, {}
        thread = Thread(target=self._run, args=(turns,), name=self.name, daemon=True)
        thread.start()
        return thread

    def look_at_everything(self) -> None:
        """One more reader, until it is answered."""
        for prefix_of in (self._read_documents, self._read_values):
            deadline = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    prefix_of()
                    break
                except (NotDone, Open):
                    assert time.monotonic() < deadline, "no answer"

    def _run(self, turns: int) -> None:
        acts: tuple[tuple[int, Callable[[], None]], ...] = (
            (60, self._session),
            (10, self._write_documents),
            (4, self._delete_prefix),
            (8, self._cluster_transaction),
            (10, self._change_value),
            (4, self._read_documents),
            (4, self._read_values),
        )
        weights, does = zip(*acts, strict=True)
        for _ in range(turns):
            [act] = self._dice.choices(does, weights)
            try:
                act()
            except (NotDone, Open):
                continue
            except Exception as error:
                self.strange.append(f"{type(error).__name__}: {error}")

    # Names and values.

    def _cased(self, name: str) -> str:
        return name.upper() if self._dice.random() < 0.2 else name

    def _name(self) -> str:
        return self._place + self._dice.choice(LETTERS)

    def _value(self) -> str:
        self._written += 1
        return f"{self.name}-{self._place}-{self._written}"

    def _note(self, asked_at: float, saw: Iterable[Saw] = (), **more: Any) -> Transaction:
        told_at = time.monotonic()
        one = Transaction(self.name, asked_at, more.pop("told_at", told_at), list(saw), **more)
        self.history.append(one)
        return one

    # HTTP.

    def _send(self, request: WireRequest, request_id: str | None = None) -> requests.Response:
        """The answer of some node; raises NotDone or Open if it tells nothing."""
        url = f"{self._dice.choice(self._urls)}/databases/{self._database}{request.path}"
        query = [*request.query, *([("raft-request-id", request_id)] if request_id else [])]
        try:
            answer = self._http.request(
                request.method, url, params=query, data=request.body, timeout=REQUEST_SECONDS_MAX
            )
        except requests.RequestException as error:
            raise (NotDone if was_never_sent(error) else Open) from error
        if answer.status_code == 503:
            raise NotDone
        if answer.status_code == 500:
            raise Open
        if answer.status_code not in (200, 201, 204, 404, 409):
            self.strange.append(f"{request.path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _write(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        named = tuple((name, str(value)) for name, value in query.items())
        request = WireRequest(method, path, named, None if body is None else orjson.dumps(body))
        return self._send(request)

    def _carry(self, command: Command[Any]) -> Any:
        """One request of a session; a read, or what surely was not done, is asked of others."""
        request = command.to_request()
        is_write = isinstance(command, Commit)
        request_id = str(UUID(int=self._dice.getrandbits(128))) if is_write else None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._send(request, request_id)
                break
            except Open:
                if is_write and self._dice.random() < 0.5:
                    raise
                # An answer that was lost is asked for with the same id, of another node.
            except NotDone:
                pass
            if time.monotonic() > deadline:
                raise Open
        if answer.status_code == 409:
            raise SerializationConflict(answer.text)
        return read_reply(command, Reply(answer.status_code, answer.content))

    # Serializable sessions.

    def _session(self) -> None:
        begun = time.monotonic()
        attempts = [Transaction(self.name, begun)]
        steps = Isolation().carry(self._program(attempts))
        try:
            command = next(steps)
            while True:
                is_commit = isinstance(command, Commit)
                sent_at = time.monotonic()
                try:
                    answer = self._carry(command)
                except SerializationConflict as conflict:
                    self.conflicts += 1
                    self._give_up(attempts, told_at=attempts[-1].told_at)
                    steps.throw(conflict)
                    raise AssertionError("a program does not go on after a conflict") from conflict
                except Open:
                    doubtful = replace(attempts[-1], saw=[*attempts[-1].saw, *self._expects])
                    self._give_up(attempts, told_at=attempts[-1].told_at)
                    if is_commit:
                        self.history.append(replace(doubtful, told_at=float("inf")))
                    steps.close()
                    return
                attempts[-1].told_at = time.monotonic()
                if is_commit:
                    self.saves += 1
                    self._sent_at = sent_at
                    attempts[-1].saw += self._expects
                command = steps.send(answer)
        except SerializationConflict:
            return
        except StopIteration:
            self.history += [one for one in attempts if one.told_at < float("inf")]

    def _give_up(self, attempts: list[Transaction], told_at: float) -> None:
        """The last one has written nothing, as far as is known, and read what it has read."""
        last = attempts[-1]
        readers = [replace(last, wrote={}, told_at=told_at)] if told_at < float("inf") else []
        self.history += [*attempts[:-1], *readers]

    def _program(self, attempts: list[Transaction]) -> Steps[None]:
        dice = self._dice
        for _ in range(dice.randint(1, 2)):
            one = attempts[-1]
            for _ in range(dice.randint(1, 4)):
                one.saw.append((yield from self._look()))
            if not (commands := self._commands(one)):
                return
            yield from ask(SaveBatch(commands))
            attempts.append(self._gone_on(one))

    def _gone_on(self, one: Transaction) -> Transaction:
        """What a session holds after its save is what its save has left."""
        saw = []
        for each in one.saw:
            found = dict(each.found)
            for (kind, name), value in one.wrote.items():
                if kind == each.kind and each.asks(name):
                    found.pop(name, None)
                    if value is not None:
                        found[name] = value
            saw.append(replace(each, found=found))
        for (kind, name), value in one.wrote.items():
            saw.append(Saw(kind, (name,), "", {} if value is None else {name: value}))
        return Transaction(self.name, self._sent_at, saw=saw, told_at=one.told_at)

    def _look(self) -> Steps[Saw]:
        place = self._cased(self._place)
        match self._dice.randrange(7):
            case 0 | 1 | 2:
                names = tuple({self._name() for _ in range(self._dice.randint(1, 2))})
                loaded = yield from ask(GetDocuments(tuple(self._cased(name) for name in names)))
                return documents(loaded.by_id.values(), names)
            case 3:
                found = yield from ask(GetDocumentsStartingWith(place, page_size=PAGE))
                return documents(found, None, self._place)
            case 4:
                text = "from Plays where startsWith(id(), $place)"
                if self._dice.random() < 0.5:
                    text = "from plays where place = $place"
                asked = IndexQuery(text, {"place": self._place}, page_size=PAGE)
                result = yield from ask(RunQuery(asked))
                return documents(result.results, None, self._place)
            case 5:
                name = self._name()
                values = yield from ask(GetValues((self._cased(name),)))
                return self._values(values.values(), (name,))
        values = yield from ask(GetValuesStartingWith(place, page_size=PAGE))
        return self._values(values.values(), None)

    def _values(self, found: Iterable[Any], names: tuple[str, ...] | None) -> Saw:
        told = {each.key.lower(): each for each in found if each is not None}
        self._indexes.update((name, each.index) for name, each in told.items())
        values = {name: each.value for name, each in told.items()}
        return Saw("value", names, self._place, values)

    def _commands(self, one: Transaction) -> tuple[BatchCommand, ...]:
        commands: list[BatchCommand] = []
        self._expects = []
        known = {n for saw in one.saw if saw.kind == "document" for n in saw.found}
        for letter in self._dice.sample(LETTERS, self._dice.randint(0, 2)):
            name = self._place + letter
            if self._dice.random() < 0.25:
                one.wrote["document", name] = None
                commands.append(DeleteDocument(self._cased(name)))
                continue
            value = one.wrote["document", name] = self._value()
            metadata = {"@collection": "Plays"}
            # What was not read by its id must be new; what came by a prefix need not be.
            original = None if name not in known else self._anything_known(one, name)
            commands.append(
                PutDocument(
                    self._cased(name),
                    {"n": value, "place": self._place},
                    metadata,
                    original_change_vector=original,
                )
            )
            if original is None and not _asked(one, name):
                self._expects.append(Saw("document", (name,), "", {}))
        for saw in one.saw:
            if saw.kind == "value" and saw.names is not None and self._dice.random() < 0.6:
                (name,) = saw.names
                if ("value", name) in one.wrote:
                    continue
                index = self._indexes.get(name, 0) if saw.found else 0
                if saw.found and self._dice.random() < 0.3:
                    one.wrote["value", name] = None
                    commands.append(DeleteValue(self._cased(name), index))
                else:
                    value = one.wrote["value", name] = self._value()
                    commands.append(PutValue(self._cased(name), value, index))
        return tuple(commands)

    def _anything_known(self, one: Transaction, name: str) -> str | None:
        return VECTORS.get(next(s.found[name] for s in one.saw if name in s.found))

    # Others.

    def _document(self, value: str) -> dict[str, Any]:
        return {"n": value, "place": self._place, "@metadata": {"@collection": "Plays"}}

    def _batch(self, commands: list[Any], wrote: dict[Key, str | None], **more: Any) -> None:
        asked_at = time.monotonic()
        try:
            answer = self._write("POST", "/bulk_docs", {"Commands": commands, **more})
        except Open:
            self._note(asked_at, wrote=wrote, told_at=float("inf"))
            raise
        if answer.status_code == 201:
            self._note(asked_at, wrote=wrote)

    def _write_documents(self) -> None:
        commands: list[dict[str, Any]] = []
        wrote: dict[Key, str | None] = {}
        for letter in self._dice.sample(LETTERS, self._dice.randint(1, 2)):
            name = self._place + letter
            if self._dice.random() < 0.4:
                wrote["document", name] = None
                commands.append({"Type": "DELETE", "Id": self._cased(name)})
            else:
                value = wrote["document", name] = self._value()
                put = {"Type": "PUT", "Id": self._cased(name), "Document": self._document(value)}
                commands.append(put)
        self._batch(commands, wrote)

    def _delete_prefix(self) -> None:
        wrote: dict[Key, str | None] = {
            ("document", self._place + letter): None for letter in LETTERS
        }
        command = {"Type": "DELETE", "Id": self._cased(self._place), "IdPrefixed": True}
        self._batch([command], wrote)

    def _cluster_transaction(self) -> None:
        """Under the guard that it has read; refused if that is another one by then."""
        name, value = self._name(), self._value()
        answer = self._write("GET", "/docs", id=name)
        vector = None
        if answer.status_code == 200:
            vector = answer.json()["Results"][0]["@metadata"]["@change-vector"]
        put = {
            "Type": "PUT",
            "Id": self._cased(name),
            "ChangeVector": vector,
            "Document": self._document(value),
        }
        self._batch([put], {("document", name): value}, TransactionMode="ClusterWide")

    def _change_value(self) -> None:
        name, value = self._name(), self._value()
        answer = self._write("GET", "/cmpxchg", key=name)
        index, found = 0, {}
        if answer.status_code == 200:
            stored = answer.json()["Results"][0]
            index, found = stored["Index"], {name: stored["Value"]["Object"]}
        saw = Saw("value", (name,), "", found)
        is_put = not found or self._dice.random() < 0.7
        wrote: dict[Key, str | None] = {("value", name): value if is_put else None}
        asked_at = time.monotonic()
        try:
            told = self._write(
                "PUT" if is_put else "DELETE",
                "/cmpxchg",
                {"Object": value} if is_put else None,
                key=self._cased(name),
                index=index,
            )
        except Open:
            self._note(asked_at, [saw], wrote=wrote, told_at=float("inf"))
            raise
        if told.status_code == 200 and told.json()["Successful"]:
            self._note(asked_at, [saw], wrote=wrote)

    def _read_documents(self) -> None:
        asked_at = time.monotonic()
        place = self._cased(self._place)
        answer = self._write("GET", "/docs", startsWith=place, start=0, pageSize=PAGE)
        found = answer.json()["Results"]
        self._note(asked_at, [documents(found, None, self._place)])

    def _read_values(self) -> None:
        asked_at = time.monotonic()
        place = self._cased(self._place)
        answer = self._write("GET", "/cmpxchg", startsWith=place, start=0, pageSize=PAGE)
        found = {each["Key"].lower(): each["Value"]["Object"] for each in answer.json()["Results"]}
        self._note(asked_at, [Saw("value", None, self._place, found)])


VECTORS: dict[str, str] = {}  # of each value, as some reader saw it


def documents(found: Iterable[Any], names: tuple[str, ...] | None, prefix: str = "") -> Saw:
    """What was seen of documents."""
    values: dict[str, str] = {}
    for each in found:
        metadata = each["@metadata"]
        values[metadata["@id"].lower()] = each["n"]
        VECTORS[each["n"]] = metadata["@change-vector"]
    return Saw("document", names, prefix, values)


def _asked(one: Transaction, name: str) -> bool:
    """Whether it knows a document by its id: then its write need say nothing."""
    return any(saw.kind == "document" and saw.names and name in saw.names for saw in one.saw)
