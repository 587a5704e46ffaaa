"""One node behind HTTP, with a plain log and a real machine."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDictProxy
from yarl import URL

from quoth_cluster.clock import SeededChance
from quoth_cluster.machine import Machine
from quoth_node.database.background import open_background
from quoth_node.database.operations import Operations
from quoth_node.http import HttpConfig, Services, make_runner
from quoth_node.patching import Patches
from quoth_node.querying.covered import Covering
from quoth_node.querying.door import Indexes
from quoth_node.querying.scripts import Projecting
from quoth_node.scripting import ScriptProcesses
from tests.unit.http.indexing import building
from tests.unit.http.plain_log import PlainLog

START_MICROS = 1_800_000_000_000_000
BODY_BYTES_MAX = 100_000


@dataclass
class StoppedClock:
    """A clock that moves when a test says so."""

    micros: int = START_MICROS

    def monotonic(self) -> float:
        return self.micros / 1_000_000

    def now_micros(self) -> int:
        return self.micros


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, the last segment of the type, and the message, of a whole error body."""
        told = self.json
        assert all(isinstance(told[key], str) for key in ("Url", "Type", "Message", "Error"))
        return self.status, told["Type"].rpartition(".")[2], told["Message"]


@dataclass
class Node:
    """Node A, listening."""

    log: PlainLog
    machine: Machine
    clock: StoppedClock
    url: str
    session: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=lambda: {"Raven-Client-Version": "7.2.7"})

    async def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, its target sent as it is; a body that is no bytes is sent as JSON."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {**self.headers, **(headers or {})}
        url = URL(self.url + target, encoded=True)
        async with self.session.request(method, url, data=data, headers=sent) as response:
            answer = Answer(response.status, response.headers, await response.read())
        assert answer.headers["Raven-Server-Version"] == "7.2.0.72"
        return answer

    async def get(self, target: str, **headers: str) -> Answer:
        return await self.ask(
            "GET", target, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    async def bulk(self, *commands: object, query: str = "", **more: object) -> Answer:
        body = {"Commands": commands, **more}
        return await self.ask("POST", f"/databases/db/bulk_docs{query}", body)

    async def put(self, document_id: str, **properties: object) -> str:
        """Store one document; its change vector."""
        answer = await self.bulk(put(document_id, "Users", **properties))
        assert answer.status == 201, answer.body
        vector = answer.json["Results"][0]["@change-vector"]
        assert isinstance(vector, str)
        return vector

    async def transact(self, *commands: object, query: str = "") -> Answer:
        """A cluster transaction."""
        return await self.bulk(*commands, query=query, TransactionMode="ClusterWide")


def put(document_id: str | None, collection: str = "Users", **properties: object) -> dict[str, Any]:
    """A PUT command, as clients send it."""
    return {
        "Id": document_id,
        "ChangeVector": None,
        "Document": {**properties, "@metadata": {"@collection": collection}},
        "Type": "PUT",
    }


def delete(document_id: str, **more: object) -> dict[str, Any]:
    """A DELETE command, as clients send it."""
    return {"Id": document_id, "ChangeVector": None, "Type": "DELETE", **more}


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


CONFIG = HttpConfig(body_bytes_max=BODY_BYTES_MAX, url_bytes_max=4_096, reply_bytes_max=50_000)


@asynccontextmanager
async def running_node(
    folder: Path,
    clock: StoppedClock,
    config: HttpConfig,
    make_indexes: Callable[[Machine], Indexes] | None = None,
) -> AsyncIterator[Node]:
    """A node of a cluster of one, without a database, with limits of its own."""
    machine = Machine.open(folder)
    log = PlainLog(machine)
    log.found()
    chance, scripts = SeededChance(7), ScriptProcesses()
    async with open_background() as background, building(folder, machine, log, clock) as live:
        services = Services(
            raft=log,
            machine=machine,
            patches=Patches(log, machine, scripts, clock=clock, chance=chance, node_tag="A"),
            clock=clock,
            chance=chance,
            node_tag="A",
            server_id="0efcfa05-2cca-4587-acac-0335fc4cc9d4",
            peer_address="127.0.0.1:9080",
            operations=Operations(log),
            background=background,
            projecting=Projecting(scripts, clock, chance, "A"),
            indexes=live if make_indexes is None else make_indexes(machine),
            live=live,
            covering=Covering(log, machine, live, "A"),
            config=config,
        )
        runner = make_runner(services)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        connector = aiohttp.TCPConnector(limit=1)  # one connection: it must survive everything
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            yield Node(log, machine, clock, f"http://127.0.0.1:{port}", session)
        await runner.cleanup()
    await scripts.close()
    machine.close()


@pytest.fixture
async def bare_node(tmp_path: Path, clock: StoppedClock) -> AsyncIterator[Node]:
    """A node of a cluster of one, without a database."""
    async with running_node(tmp_path, clock, CONFIG) as started:
        yield started


async def with_database(bare_node: Node) -> Node:
    """The node, now with the database `db`."""
    answer = await bare_node.ask("PUT", "/admin/databases?name=db", {"DatabaseName": "db"})
    assert answer.status == 201, answer.body
    return bare_node


@pytest.fixture
async def node(bare_node: Node) -> Node:
    """A node with the database `db`."""
    return await with_database(bare_node)
