"""What a proof asks of a node, over one connection."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from quoth_node.admin import text_of
from quoth_node.errors import NotDone

ASK_SECONDS_MAX = 60.0
NOT_FOUND, REFUSED = 404, 400  # and all statuses above it
TOO_LARGE = (400, 413)

Json = dict[str, Any]


class Asking:
    """One database of a node, as a proof reads it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, database: str) -> None:
        """Use `asking`."""
        self._session = session
        self._url = f"{url.rstrip('/')}/databases/{quote(database, safe='')}"

    async def sequence(self, name: str) -> Json:
        """How a sequence stands. Raises NotDone, also if there is none."""
        return await self._get("/quoth/sequences", {"name": name})

    async def sequences(self) -> AsyncIterator[Json]:
        """All sequences, in the order of their names."""
        after: str | None = ""
        while after is not None:
            page = await self._get("/quoth/sequences", {"startAfter": after} if after else {})
            for one in page["Results"]:
                yield one
            after = page["NextAfter"]

    async def holders(self, name: str, *, start: int, size: int) -> Json:
        """A page of who holds which number."""
        parameters = {"name": name, "start": str(start), "pageSize": str(size)}
        return await self._get("/quoth/sequences/holders", parameters)

    async def holders_of(self, name: str, values: Iterable[int]) -> list[Json | None]:
        """Who holds each of these numbers; None where nobody took it."""
        values = list(values)
        if not values:
            return []
        parameters = [("name", name), *(("value", str(value)) for value in values)]
        status, page = await self._ask("GET", "/quoth/sequences/holders", parameters)
        if status == NOT_FOUND:  # it was deleted just now
            return [None] * len(values)
        results: list[Json | None] = self._checked(status, page)["Results"]
        return results

    async def documents(self, ids: list[str]) -> list[Json | None]:
        """Documents in the order of their ids, None for a missing one.

        What is too much for one answer is asked for in halves.
        """
        status, answer = await self._ask("POST", "/docs", body={"Ids": ids})
        if status in TOO_LARGE and len(ids) > 1:
            half = len(ids) // 2
            return [*await self.documents(ids[:half]), *await self.documents(ids[half:])]
        if status == NOT_FOUND and len(ids) == 1:
            return [None]
        if status >= REFUSED:
            raise NotDone(text_of(answer, "Message") or f"the documents are refused: {status}")
        found: list[Json | None] = answer["Results"]
        return found

    async def all_documents(self, *, size: int) -> AsyncIterator[list[Json]]:
        """All documents, page by page, in the order of their ids."""
        after = ""
        while True:
            parameters = {"startsWith": "", "pageSize": str(size)}
            if after:
                parameters["startAfter"] = after
            status, page = await self._ask("GET", "/docs", parameters)
            if status in TOO_LARGE and size > 1:
                size //= 2
                continue
            if status >= REFUSED:
                raise NotDone(text_of(page, "Message") or f"the documents are refused: {status}")
            if not page["Results"]:
                return
            yield page["Results"]
            after = page["Results"][-1]["@metadata"]["@id"]

    async def _get(self, path: str, parameters: Mapping[str, str] | list[tuple[str, str]]) -> Json:
        return self._checked(*await self._ask("GET", path, parameters))

    def _checked(self, status: int, answer: Json) -> Json:
        """An answer that says what was asked. Raises NotDone."""
        if status >= REFUSED:
            raise NotDone(text_of(answer, "Message") or f"{self._url} answered with {status}")
        return answer

    async def _ask(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | list[tuple[str, str]] | None = None,
        *,
        body: object = None,
    ) -> tuple[int, Json]:
        data = None if body is None else orjson.dumps(body)
        url = self._url + path
        try:
            async with self._session.request(method, url, params=parameters, data=data) as answer:
                content, status = await answer.read(), answer.status
        except TimeoutError as error:
            raise NotDone(f"{url} did not answer within {ASK_SECONDS_MAX:g} s") from error
        except aiohttp.ClientError as error:
            raise NotDone(f"{url} cannot be reached: {error}") from error
        try:
            parsed = orjson.loads(content) if content else {}
        except orjson.JSONDecodeError as error:
            raise NotDone(f"{url} does not answer like a node of quoth") from error
        return status, parsed if isinstance(parsed, dict) else {}


@asynccontextmanager
async def asking(url: str, database: str) -> AsyncIterator[Asking]:
    """A connection to ask over."""
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS_MAX)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Asking(session, url, database)
