"""What the stories about patches stand on: a machine, a plain log, and scripts in this process."""

import orjson

from quoth_cluster import documents
from quoth_cluster.clock import SeededChance
from quoth_cluster.commands import (
    ChangeCompareExchange,
    Command,
    CreateDatabase,
    PutCompareExchange,
    PutDocument,
    SaveBatch,
    encode,
)
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import Refused
from quoth_cluster.sequence_commands import TakeNumbers
from quoth_node.patching import (
    PatchBatch,
    PatchCommand,
    PatchDocument,
    Patches,
    PatchesSaved,
    Script,
)
from quoth_node.scripting import Missing, Ran, Scripts, ScriptTask
from quoth_node.scripting.engine import Engine
from quoth_node.scripting.task import read_result
from tests.unit.http.conftest import StoppedClock
from tests.unit.http.plain_log import PlainLog
from tests.unit.state.story import AT, DATABASE_ID, TOPOLOGY_ID, TRANSACTION_ID

METADATA = b'{"@collection":"Users"}'


class ScriptsHere:
    """Runs scripts at once; counts them."""

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, task: ScriptTask) -> Ran | Missing:
        self.runs += 1
        return read_result(Engine().run(task.to_json()))


class Ground:
    """Node A, with the database `db`."""

    def __init__(self, machine: Machine, scripts: Scripts | None = None) -> None:
        self.machine = machine
        self.log = PlainLog(machine)
        self.log.found()
        self.clock = StoppedClock()
        self.scripts = ScriptsHere()
        self.patches = Patches(
            self.log,
            machine,
            scripts or self.scripts,
            clock=self.clock,
            chance=SeededChance(7),
            node_tag="A",
        )

    async def create(self) -> None:
        """Create the database."""
        await self.apply(CreateDatabase("db", AT, DATABASE_ID, TOPOLOGY_ID, TRANSACTION_ID, b"{}"))

    async def apply(self, command: Command) -> object:
        """Apply a command at once, whatever proposals are held back."""
        hold, self.log.hold = self.log.hold, None
        applied = await self.log.propose(encode(command), timeout_seconds=1.0)
        self.log.hold = hold
        assert not isinstance(applied.outcome, Refused), applied.outcome
        return applied.outcome

    async def put(self, document_id: str, **properties: object) -> None:
        """Store a document."""
        put = PutDocument(document_id, orjson.dumps(properties), METADATA, "Users")
        await self.apply(SaveBatch("db", AT, "A", (put,)))

    async def put_value(self, key: str, value: object, *, index: int = 0) -> None:
        """Store a compare-exchange value."""
        change = PutCompareExchange(key, index, orjson.dumps({"Object": value}))
        await self.apply(ChangeCompareExchange("db", change))

    def load(self, document_id: str) -> dict[str, object] | None:
        """The document as it stands, without metadata."""
        database = self.machine.database("db")
        assert database is not None
        with database.read() as txn:
            stored = documents.load(txn, document_id)
        if stored is None:
            return None
        body: dict[str, object] = orjson.loads(stored.body)
        return body

    async def save(
        self,
        *commands: PatchCommand,
        patience_ms: int = 5_000,
        database: str = "db",
        request_id: str | None = None,
        takings: tuple[TakeNumbers, ...] = (),
    ) -> PatchesSaved | Refused:
        """Save a batch with patches in it."""
        batch = PatchBatch(database, commands, patience_ms, request_id, takings=takings)
        return await self.patches.save(batch)

    async def patch(self, document_id: str, script: str) -> PatchesSaved | Refused:
        """Run one script on one document."""
        return await self.save(patch(document_id, script))


def patch(document_id: str, script: str) -> PatchDocument:
    """A script on a document."""
    return PatchDocument(document_id, Script(script, b"{}"))
