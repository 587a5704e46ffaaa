"""The methods that a query has whatever its text is made of: pages, waiting, being told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Self

from quoth.errors import Misuse
from quoth.operations.checks import check_kind, check_number, check_text
from quoth.queries.choices import ProjectionBehavior
from quoth.queries.draft import NON_STALE_TIMEOUT, QueryDraft
from quoth.queries.index_query import IndexQuery, QueryResult, QueryStatistics, QueryTimings
from quoth.serialization import JsonObject

WAIT_MAX = timedelta(days=1)


class Carrying:
    """How a query is asked and answered. Each method changes the query and returns it."""

    _draft: QueryDraft

    def __str__(self) -> str:
        return self.index_query.query

    @property
    def index_query(self) -> IndexQuery:
        """The query as it would be sent now. Raises Misuse if something was begun and not ended."""
        return self._draft.index_query()

    def skip(self, count: int) -> Self:
        """Leave out the first results."""
        self._draft.start = _checked(count, "skip")
        return self

    def take(self, count: int) -> Self:
        """At most so many results."""
        self._draft.page_size = _checked(count, "take")
        return self

    def add_parameter(self, name: str, value: object) -> Self:
        """A value for what the text calls `$name`."""
        self._draft.parameters.name(name, value)
        return self

    def wait_for_non_stale_results(self, wait_timeout: timedelta | None = None) -> Self:
        """Answer when the index has caught up with all changes so far.

        Takes 15 seconds at most if nothing is said, and a day whatever is said; then the query
        raises StaleResults.
        """
        asked = NON_STALE_TIMEOUT if wait_timeout is None else wait_timeout
        check_kind(asked, timedelta, "wait_timeout")
        if not timedelta(0) < asked <= WAIT_MAX:
            raise Misuse(f"a query waits for more than no time, and at most a day: {asked}")
        known = self._draft.wait_timeout
        self._draft.wait_timeout = asked if known is None else max(known, asked)
        return self

    def no_tracking(self) -> Self:
        """The session keeps nothing of the results: changes of them are not saved."""
        self._draft.is_untracked = True
        return self

    def no_caching(self) -> Self:
        """The server looks everything up anew."""
        self._draft.disable_caching = True
        return self

    def with_tag(self, tag: str) -> Self:
        """A word that the server notes beside the query."""
        check_text(tag, "the tag of a query")
        self._draft.tag = tag
        return self

    def statistics(self, stats_callback: Callable[[QueryStatistics], object]) -> Self:
        """Tell how the query was answered.

        The callback is given QueryStatistics at once; they are filled in with the answer.
        """
        stats_callback(self._draft.told.statistics)
        return self

    def timings(self, timings_callback: Callable[[QueryTimings], object]) -> Self:
        """Tell what the node spent its time on; the callback as in `statistics`."""
        if self._draft.told.timings is None:
            self._draft.told.timings = QueryTimings()
        timings_callback(self._draft.told.timings)
        return self

    def add_before_query_executed_listener(self, action: Callable[[IndexQuery], object]) -> Self:
        """Call this with each query before it is sent."""
        self._draft.told.before.append(action)
        return self

    def remove_before_query_executed_listener(self, action: Callable[[IndexQuery], object]) -> Self:
        """No longer call this."""
        self._draft.told.before.remove(action)
        return self

    def add_after_query_executed_listener(self, action: Callable[[QueryResult], object]) -> Self:
        """Call this with each answer, before entities are made of it."""
        self._draft.told.after.append(action)
        return self

    def remove_after_query_executed_listener(self, action: Callable[[QueryResult], object]) -> Self:
        """No longer call this."""
        self._draft.told.after.remove(action)
        return self

    def add_after_stream_executed_listener(self, action: Callable[[JsonObject], object]) -> Self:
        """Call this with each document of a stream, before an entity is made of it."""
        self._draft.told.after_streamed.append(action)
        return self

    def remove_after_stream_executed_listener(self, action: Callable[[JsonObject], object]) -> Self:
        """No longer call this."""
        self._draft.told.after_streamed.remove(action)
        return self


def _checked(count: int, what: str) -> int:
    check_number(count, f"what {what}() takes")
    return count


class QueryCustomization(Carrying):
    """What a handler of `before_query` may still change of a query."""

    def __init__(self, draft: QueryDraft) -> None:
        self._draft = draft

    def random_ordering(self, seed: str | None = None) -> Self:
        """Any order; the same one for the same seed."""
        self._draft.order_randomly(seed)
        return self

    def projection(self, projection_behavior: ProjectionBehavior) -> Self:
        """Where selected fields are taken from."""
        self._draft.projection_behavior = projection_behavior
        return self
