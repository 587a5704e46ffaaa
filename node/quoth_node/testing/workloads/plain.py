"""A client that speaks plain HTTP as the official Python client does: each request to another node.

It takes an answer for no more than it says. No connection, 408 and 503: surely not done. No answer,
and 500, 502, 504: open, also where a node only says that it waited in vain. 409: surely refused.
An error that the node did not foresee is a defect, whatever became of the request.
It sends no session headers and no request ids of its own accord: what it may rely on is that
reads are current, and writes are done once or not. `load_since` is the one read that is no
current one, and tells what the session knows instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import orjson

from quoth_node.testing.clock import pause
from quoth_node.testing.workloads.speaker import (
    Changed,
    DatabaseMissing,
    Decide,
    Document,
    Found,
    Held,
    Json,
    Mode,
    NotDone,
    Open,
    Refused,
    Strange,
)

REQUEST_SECONDS_MAX = 5.0
CONNECT_SECONDS_MAX = 1.0
REPLICAS_SECONDS_MAX = 3  # that a save waits for others
PAUSE_SECONDS = 0.05  # after what was surely not done
PAGE = "1000000"
CLIENT_VERSION = "7.2.7"  # with it come atomic guards
COLLECTION = "Works"

ANSWERS = frozenset({200, 201, 204, 304, 404})
NOT_DONE = frozenset({408, 503})
OPEN = frozenset({500, 502, 504})
CONFLICT, MISSING = 409, 404
UNFORESEEN = "An unexpected error; the log of node"  # so a node tells one

Params = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node told."""

    status: int
    content: Json
    node: str


class Plain:
    """One client of one database."""

    modes: tuple[Mode, ...] = (Mode.SINGLE, Mode.CLUSTER)

    def __init__(
        self,
        urls: Mapping[str, str],
        database: str,
        *,
        first: int = 0,
        chance: Random | None = None,
        seconds_max: float = REQUEST_SECONDS_MAX,
    ) -> None:
        """`first`: which node comes first; with `chance` any node may be the next, not in turn."""
        self.node = ""
        self._urls = dict(urls)
        self._database = database
        self._place = f"/databases/{quote(database, safe='')}"
        self._sent = first
        self._chance = chance
        self._seconds_max = seconds_max
        self._failed = 0  # requests in a row that were surely not done
        self._etag: object = None  # of the topology
        self._open_http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._open_http is not None:
            await self._open_http.close()

    # Nodes.

    @property
    def urls(self) -> dict[str, str]:
        """The nodes that it knows now, by their tags."""
        return self._urls

    async def learn_nodes(self) -> None:
        """Ask for the topology, as the official client does when it is told that it has changed."""
        for tag in list(self._urls):
            try:
                query = [("name", self._database)]
                answer = await self._send("GET", tag, "/topology", query, None, {})
            except (NotDone, Open):
                continue
            nodes = {one["ClusterTag"]: one["Url"] for one in answer.content.get("Nodes", ())}
            if nodes:
                self._urls, self._etag = nodes, answer.content.get("Etag")
                return

    def _next_node(self) -> str:
        tags = list(self._urls)
        if self._chance is not None:
            return self._chance.choice(tags)
        self._sent += 1
        return tags[self._sent % len(tags)]

    # Requests.

    async def ask(
        self,
        method: str,
        path: str,
        params: Params = (),
        body: object = None,
        *,
        node: str = "",
        is_local: bool = False,
        known_index: int | None = None,
        seconds_max: float | None = None,
    ) -> Answer:
        """The answer of the next node, or of the one that is named. 404 is one.

        `is_local`: what that node has itself, which may be old, but not older than the command
        that has `known_index`; nothing, if it has yet to hear of the database. Raises as a Speaker
        does.
        """
        if self._failed > len(self._urls):
            self._failed = 0
            await self.learn_nodes()
        tag = self.node = node or self._next_node()
        headers = {"Raven-Client-Version": CLIENT_VERSION}
        if self._etag is not None:
            headers["Topology-Etag"] = f'"{self._etag}"'
        if known_index is not None:
            headers["Known-Raft-Index"] = str(known_index)
        query = [*params, *([("consistency", "local")] if is_local else [])]
        data = None if body is None else orjson.dumps(body)
        try:
            answer = await self._send(
                method, tag, self._place + path, query, data, headers, seconds_max
            )
        except Refused:
            self._failed = 0
            raise
        except DatabaseMissing:
            if not is_local:
                raise
            answer = Answer(MISSING, {}, tag)
        except NotDone:
            self._failed += 1
            await pause(PAUSE_SECONDS)
            raise
        self._failed = 0
        return answer

    async def _send(
        self,
        method: str,
        tag: str,
        path: str,
        params: Params,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds_max: float | None = None,
    ) -> Answer:
        url = self._urls.get(tag)
        if url is None:  # whoever named it has heard of an older topology
            raise NotDone(f"{tag} is not known any more")
        seconds = seconds_max or self._seconds_max
        patience = aiohttp.ClientTimeout(
            total=seconds, sock_connect=min(seconds, CONNECT_SECONDS_MAX)
        )
        try:
            async with self._http().request(
                method,
                url + path,
                params=params,
                data=body,
                headers=headers,
                timeout=patience,
                allow_redirects=False,
            ) as response:
                content = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotDone(f"{tag} was not reached: {error}") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Open(f"{tag} did not answer: {error!r}") from error
        answer = read_answer(f"{method} {path}", response.status, response.headers, content, tag)
        if "Refresh-Topology" in response.headers:
            await self.learn_nodes()
        return answer

    def _http(self) -> aiohttp.ClientSession:
        if self._open_http is None:
            self._open_http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            # aiohttp would send a PUT or DELETE again when a kept connection breaks under it.
            self._open_http._retry_connection = False
        return self._open_http

    # Compare-exchange values.

    async def get_value(self, key: str) -> Held | None:
        return (await self.get_values([key]))[key]

    async def get_values(self, keys: Sequence[str]) -> dict[str, Held | None]:
        answer = await self.ask("GET", "/cmpxchg", [("key", key) for key in keys])
        if answer.status == MISSING:
            return dict.fromkeys(keys)
        found = answer.content["Results"]
        return {
            key: None if one["Value"] is None else Held(one["Value"]["Object"], one["Index"])
            for key, one in zip(keys, found, strict=True)
        }

    async def put_value(self, key: str, value: Any, index: int) -> Changed:
        return await self._change("PUT", key, index, {"Object": value})

    async def delete_value(self, key: str, index: int) -> Changed:
        return await self._change("DELETE", key, index, None)

    async def _change(self, method: str, key: str, index: int, body: object) -> Changed:
        params = [("key", key), ("index", str(index))]
        told = (await self.ask(method, "/cmpxchg", params, body)).content
        value, at = told["Value"], told["Index"]
        held = None if value is None else Held(value["Object"], at)
        return Changed(told["Successful"], held, at if told["Successful"] else None)

    # Documents.

    async def load(self, ids: Sequence[str]) -> dict[str, Document | None]:
        return documents_of(ids, await self.ask("GET", "/docs", [("id", one) for one in ids]))

    async def load_since(self, ids: Sequence[str], known_index: int) -> dict[str, Document | None]:
        """What the next node has itself, once it has applied what the session has done."""
        params = [("id", one) for one in ids]
        answer = await self.ask("GET", "/docs", params, is_local=True, known_index=known_index)
        return documents_of(ids, answer)

    async def load_prefix(
        self, prefix: str, *, node: str = "", is_local: bool = False
    ) -> dict[str, Json]:
        params = [("startsWith", prefix), ("start", "0"), ("pageSize", PAGE)]
        answer = await self.ask("GET", "/docs", params, node=node, is_local=is_local)
        if answer.status == MISSING:
            return {}
        return {each["@metadata"]["@id"]: body_of(each) for each in answer.content["Results"]}

    async def put_document(
        self, document_id: str, body: Json, vector: str | None = None, *, replicas: int = 0
    ) -> str:
        command = put(document_id, body, vector)
        answer = await self.save([command], replicas=replicas)
        stored: str = answer.content["Results"][0]["@id"]
        return stored

    async def delete_document(self, document_id: str) -> None:
        await self.ask("DELETE", "/docs", [("id", document_id)])

    async def save(
        self,
        commands: Sequence[Json],
        *,
        is_cluster_wide: bool = False,
        replicas: int = 0,
        request_id: str = "",
        seconds_max: float | None = None,
    ) -> Answer:
        """Send a batch, all of it or nothing."""
        params: list[tuple[str, str]] = [("raft-request-id", request_id)] if request_id else []
        if replicas:
            count = "majority" if replicas < 0 else str(replicas)
            params += [
                ("waitForReplicasTimeout", f"00:00:0{REPLICAS_SECONDS_MAX}"),
                ("throwOnTimeoutInWaitForReplicas", "true"),
                ("numberOfReplicasToWaitFor", count),
            ]
        body: Json = {"Commands": list(commands)}
        if is_cluster_wide:
            body["TransactionMode"] = "ClusterWide"
        return await self.ask("POST", "/bulk_docs", params, body, seconds_max=seconds_max)

    async def transact(
        self, ids: Sequence[str], keys: Sequence[str], decide: Decide, *, mode: Mode
    ) -> int | None:
        assert mode in self.modes, "plain HTTP has no serializable sessions"
        try:
            documents = await self.load(ids) if ids else {}
            values = await self.get_values(keys) if keys else {}
        except Open as error:
            raise NotDone(f"nothing was read: {error}") from error
        found = Found(
            {one: document.body if document else None for one, document in documents.items()},
            {key: held.value if held else None for key, held in values.items()},
        )
        writes = decide(found)
        if writes is None:
            return None
        is_cluster_wide = mode is Mode.CLUSTER
        commands = [
            put_read(one, body, documents[one], is_cluster_wide=is_cluster_wide)
            for one, body in writes.documents.items()
        ]
        for key, value in writes.values.items():
            held = values[key]
            commands.append(put_value(key, value, held.index if held else 0))
        answer = await self.save(commands, is_cluster_wide=is_cluster_wide)
        index: int | None = answer.content.get("TransactionIndex")
        return index

    # Identities.

    async def next_identity(self, name: str) -> int:
        answer = await self.ask("POST", "/identity/next", [("name", name)])
        return int(answer.content["NewIdentityValue"])

    async def seed_identity(self, name: str, value: int) -> int:
        params = [("name", name), ("value", str(value))]
        answer = await self.ask("POST", "/identity/seed", params)
        return int(answer.content["NewSeedValue"])


def read_answer(
    asked: str, status: int, headers: Mapping[str, str], content: bytes, node: str
) -> Answer:
    """What a status and a body say. Raises NotDone, Refused, Open, Strange or DatabaseMissing."""
    told = f"{node} to {asked}: {status} {content[:300].decode(errors='replace')}"
    if status == CONFLICT:
        raise Refused(told)
    if "Database-Missing" in headers:
        raise DatabaseMissing(told)
    if UNFORESEEN in told:
        raise Strange(told)
    if status in NOT_DONE:
        raise NotDone(told)
    if status in OPEN:
        raise Open(told)
    if status not in ANSWERS:
        raise Strange(told)
    try:
        parsed = orjson.loads(content) if content else {}
    except orjson.JSONDecodeError as error:
        raise Strange(told) from error
    if not isinstance(parsed, dict):
        raise Strange(told)
    return Answer(status, parsed, node)


def put(document_id: str, body: Json, vector: str | None) -> Json:
    """A command of a batch that stores a document."""
    document = {**body, "@metadata": {"@collection": COLLECTION}}
    return {"Type": "PUT", "Id": document_id, "ChangeVector": vector, "Document": document}


def put_read(document_id: str, body: Json, read: Document | None, *, is_cluster_wide: bool) -> Json:
    """One for a document that was read: as the official client sends it, with its metadata."""
    if not is_cluster_wide:
        return put(document_id, body, read.vector if read else "")
    command = put(document_id, body, None)
    if read is not None:
        command["Document"]["@metadata"] = read.metadata
    return command


def put_value(key: str, value: Any, index: int) -> Json:
    """A command of a cluster transaction that sets a compare-exchange value."""
    return {
        **{"Type": "CompareExchangePUT", "Id": key, "Index": index},
        **{"Document": {"Object": value}},
    }


def body_of(document: Json) -> Json:
    """A document as it was told, without its metadata."""
    return {name: value for name, value in document.items() if name != "@metadata"}


def document_of(told: Json) -> Document:
    """A document as it was told."""
    metadata = told["@metadata"]
    return Document(body_of(told), metadata["@change-vector"], metadata)


def documents_of(ids: Sequence[str], answer: Answer) -> dict[str, Document | None]:
    """The documents that were asked for by these ids."""
    if answer.status == MISSING:
        return dict.fromkeys(ids)
    return {
        one: None if each is None else document_of(each)
        for one, each in zip(ids, answer.content["Results"], strict=True)
    }
