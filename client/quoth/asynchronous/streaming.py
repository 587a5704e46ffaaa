"""AsyncStreaming: the methods of a session that give results one by one."""

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar, overload

from quoth.asynchronous.driving import AsyncDriver
from quoth.asynchronous.lines import AsyncLines
from quoth.asynchronous.query import AsyncRunning
from quoth.core import SessionCore
from quoth.errors import BadRequest, FateUnknown, Misuse
from quoth.queries.index_query import PAGE_SIZE_MAX
from quoth.queries.streaming import (
    StreamDocuments,
    StreamQuery,
    StreamQueryStatistics,
    StreamResult,
    item_of,
    refused,
    result_of,
    statistics_of,
    stream_of,
)

T = TypeVar("T")


class AsyncStreaming:
    """Streams of a session. It keeps none of their results, so they may be longer than memory.

    A stream holds a connection until its last result, or until who reads it stops.
    """

    _core: SessionCore
    _drive: AsyncDriver

    def stream(self, query_or_raw_query: AsyncRunning[T]) -> AsyncIterator[StreamResult[T]]:
        """The results of a query, as they come.

            async for result in session.advanced.stream(session.query(object_type=Company)):
                print(result.key, result.document.name)

        Raises FateUnknown if the stream ends early, WrongType if a result does not fit.
        """
        return self.stream_with_statistics(query_or_raw_query, lambda statistics: None)

    async def stream_with_statistics(
        self,
        query_or_raw_query: AsyncRunning[T],
        stats_callback: Callable[[StreamQueryStatistics], object],
    ) -> AsyncIterator[StreamResult[T]]:
        """As `stream`; `stats_callback` is called before the first result."""
        if not isinstance(query_or_raw_query, AsyncRunning):
            raise Misuse(
                f"a stream is of a query of this session, not of {query_or_raw_query!r:.80}"
            )
        draft, kind = query_or_raw_query._draft, query_or_raw_query.query_class
        async with await self._open(stream_of(draft)) as lines:
            is_begun = False
            async for line in lines:
                if not is_begun:
                    is_begun = True
                    stats_callback(statistics_of(line))
                    continue
                document = item_of(line)
                for after in draft.told.after_streamed:
                    after(document)
                yield result_of(self._core, document, kind)
            if not is_begun:
                raise FateUnknown("the stream ended before it began")

    @overload
    def stream_starting_with(
        self,
        starts_with: str,
        matches: str | None = None,
        start: int = 0,
        page_size: int = PAGE_SIZE_MAX,
        start_after: str | None = None,
        object_type: None = None,
    ) -> AsyncIterator[StreamResult[Any]]: ...
    @overload
    def stream_starting_with(
        self,
        starts_with: str,
        matches: str | None = None,
        start: int = 0,
        page_size: int = PAGE_SIZE_MAX,
        start_after: str | None = None,
        *,
        object_type: type[T],
    ) -> AsyncIterator[StreamResult[T]]: ...
    @overload
    def stream_starting_with(
        self,
        starts_with: str,
        matches: str | None,
        start: int,
        page_size: int,
        start_after: str | None,
        object_type: type[T],
    ) -> AsyncIterator[StreamResult[T]]: ...

    async def stream_starting_with(
        self,
        starts_with: str,
        matches: str | None = None,
        start: int = 0,
        page_size: int = PAGE_SIZE_MAX,
        start_after: str | None = None,
        object_type: type[Any] | None = None,
    ) -> AsyncIterator[StreamResult[Any]]:
        """Documents whose ids begin so, in the order of their ids.

        `matches` is what the rest of an id must look like: `*` any characters, `?` one, `|`
        between choices.
        """
        command = StreamDocuments(starts_with, matches, start, page_size, start_after)
        async with await self._drive.open(command) as lines:
            async for line in lines:
                yield result_of(self._core, item_of(line), object_type or object)

    async def _open(self, command: StreamQuery) -> AsyncLines:
        try:
            return await self._drive.open(command)
        except BadRequest as error:
            raise refused(command, error) from error
