"""A machine with the database `db`, and what builds its indexes, one round after the other."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from quoth_cluster import documents
from quoth_cluster.commands import ChangeIndexes, DeleteDocument, DeleteIndex, PutDocument, PutIndex
from quoth_cluster.indexes import AUTOMATIC, STATIC
from quoth_cluster.machine import Database
from quoth_cluster.outcomes import Refused
from quoth_cluster.store.environment import ReadTxn
from quoth_node.indexing.auto_mapping import AutoDefinition
from quoth_node.indexing.builder import Builder
from quoth_node.indexing.built import BuiltIndex
from quoth_node.indexing.definition import Definition
from quoth_node.indexing.messages import (
    Command,
    Defined,
    Done,
    Look,
    Report,
    Reset,
    Serves,
    Source,
    Sources,
)
from quoth_node.indexing.shape import Shape
from quoth_node.indexing.store import Progress
from tests.unit.indexing.thread import Borrowed, borrowed
from tests.unit.state.story import AT, Story, delete, put


@dataclass
class StoppedClock:
    """A clock that stands."""

    micros: int = AT

    def monotonic(self) -> float:
        return self.micros / 1_000_000

    def now_micros(self) -> int:
        return self.micros


@dataclass
class Workshop:
    """Files, machine and builder of a node."""

    folder: Path
    clock: StoppedClock = field(default_factory=StoppedClock)
    story: Story = field(init=False)
    builder: Builder = field(init=False)
    reports: list[Report] = field(default_factory=list)
    opened: int = 0
    generation: int = 1
    tickets: int = 0

    def __post_init__(self) -> None:
        self.story = Story(self.folder / "state")
        self.begin()

    def begin(self) -> None:
        """A new life of the indexer."""
        self.builder = Builder(
            self.folder / "indexes",
            self.clock,
            tell=self.reports.append,
            hear=lambda: None,
            open_source=self._open,
        )
        self.tell_sources()

    def kill(self) -> None:
        """The end of a life, and the next: files are let go as the system does it."""
        self.builder.close()
        self.begin()

    # -- what is done to the database

    def save(self, *commands: PutDocument | DeleteDocument) -> None:
        self.story.save(*commands)

    def put(self, document_id: str, collection: str = "Users", **body: Any) -> None:
        self.save(put(document_id, collection=collection, body=orjson.dumps(body)))

    def delete(self, document_id: str) -> None:
        self.save(delete(document_id))

    def define(self, name: str, *maps: str, reduce: str | None = None, **more: Any) -> None:
        definition = Definition(name=name, maps=maps, reduce=reduce, **more)
        command = PutIndex(
            "db", name, STATIC, definition.to_json(), AT, priority=definition.priority
        )
        assert not isinstance(outcome := self.story.run(command), Refused), outcome

    def define_automatic(self, collection: str, *fields: str) -> str:
        definition = AutoDefinition(collection, fields)
        self.story.run(PutIndex("db", definition.name, AUTOMATIC, definition.to_json(), AT))
        return definition.name

    def change(self, name: str, **what: str) -> None:
        assert not isinstance(self.story.run(ChangeIndexes("db", (name,), **what)), Refused)

    def drop(self, name: str) -> None:
        self.story.run(DeleteIndex("db", name))

    # -- what is said to the builder

    def tell_sources(self, *, is_disabled: bool = False) -> None:
        sources = [
            Source(one.record.folder, one.record.name, "", 0, self.generation, is_disabled)
            for one in self.story.machine.open_databases()
        ]
        self.builder.take(Sources(tuple(sources)))

    def say(self, command: Any) -> None:
        """A command with a ticket, which must be answered in the next round."""
        self.tickets += 1
        self.builder.take(replace(command, ticket=self.tickets, folder=self.database))
        self.round()
        self.builder.sweep()
        assert Done(self.tickets) in self.reports

    def say_reset(self, name: str) -> None:
        """Build an index anew."""
        self.say(Reset(0, "", name))

    def round(self) -> bool:
        self.builder.take(Look(hurries=False))
        return self.builder.round()

    def go(self, rounds: int = 1_000) -> int:
        """Rounds until nothing is left to do; how many."""
        for number in range(1, rounds + 1):
            if not self.round():
                self.builder.sweep()
                return number
        raise AssertionError("it does not come to an end")

    # -- what came of it

    @property
    def database(self) -> str:
        """The folder of the database."""
        return self._database().record.folder

    def served(self, name: str) -> BuiltIndex:
        """An index as the node has been told of it."""
        told = self.told(name)
        shape = None if told.shape is None else Shape.of(told.shape)
        folder = self.folder / "indexes" / told.folder / told.build
        index = BuiltIndex(told.record, folder, shape, error=told.error, is_paused=told.is_paused)
        for report in self.reports[self.reports.index(told) :]:
            match report:
                case Serves() if report is told:
                    index.progress = Progress(told.document_etag, told.tombstone_etag)
                case _ if getattr(report, "name", None) == name:
                    assert not isinstance(report, Command.__args__)
                    index.progress = Progress(report.document_etag, report.tombstone_etag)  # type: ignore[union-attr]
        return index

    def told(self, name: str) -> Serves:
        """What was last said of an index as a whole."""
        said = [one for one in self.reports if isinstance(one, Serves) and one.record.name == name]
        return said[-1]

    def names(self) -> list[str]:
        """The indexes there are, folded."""
        return sorted([one for one in self.reports if isinstance(one, Defined)][-1].names)

    def terms(self, name: str, field_name: str) -> list[str]:
        return self.served(name).terms(field_name, None, 10_000)

    def entries(self, name: str) -> int:
        return self.served(name).stats().entries

    def builds(self) -> list[str]:
        """The folders of index files that are there."""
        return sorted(path.name for path in (self.folder / "indexes").glob("*/*"))

    def snapshot(self) -> AbstractContextManager[ReadTxn]:
        return self._database().read()

    def last_etag(self) -> int:
        with self.snapshot() as txn:
            return documents.last_etag(txn)

    def _database(self) -> Database:
        database = self.story.machine.database("db")
        assert database is not None
        return database

    def _open(self, source: Source) -> Borrowed:
        self.opened += 1
        return borrowed(self.story.machine, source)
