"""From a query to entities, as steps of a session: yields commands, is sent their results."""

import types
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_origin
from uuid import UUID

from quoth.commands import fold
from quoth.core import SessionCore
from quoth.errors import ManyResults, Misuse, NoResult, StaleResults, WrongType
from quoth.events import BeforeQueryEventArgs
from quoth.queries.carrying import QueryCustomization
from quoth.queries.draft import QueryDraft
from quoth.queries.facets import FacetResult
from quoth.queries.index_query import QueryResult, RunQuery
from quoth.queries.suggestions import SuggestionResult
from quoth.reads import stored_value
from quoth.serialization import METADATA, JsonObject, from_json
from quoth.steps import Steps, ask

T = TypeVar("T")
# Types that a single value is read as; any other is made of the fields of a result.
_PLAIN = (str, bytes, int, float, bool, date, timedelta, Decimal, UUID, Enum)
_VALUES = (*_PLAIN, list, tuple, set, frozenset)


def prepared(core: SessionCore, draft: QueryDraft) -> QueryDraft:
    """The query as handlers of the session leave it."""
    if not core.events.before_query:
        return draft
    draft = draft.copy()
    for handler in core.events.before_query:
        handler(BeforeQueryEventArgs(draft.session, QueryCustomization(draft)))
    return draft


def answer(core: SessionCore, draft: QueryDraft) -> Steps[QueryResult]:
    """The whole answer. Raises StaleResults if it was to wait for an index, and that took long."""
    return (yield from _asked(prepared(core, draft)))


def _asked(draft: QueryDraft) -> Steps[QueryResult]:
    query = draft.index_query()
    for before in draft.told.before:
        before(query)
    result = yield from ask(RunQuery(query))
    draft.told.update(result)
    if result.is_stale and draft.wait_timeout is not None:
        waited = draft.wait_timeout.total_seconds()
        raise StaleResults(
            f"index {result.index_name} had not caught up after {waited:g} s: ask again, wait"
            " longer, or query without wait_for_non_stale_results()"
        )
    return result


def results(core: SessionCore, draft: QueryDraft, object_type: type[T]) -> Steps[list[T]]:
    """The results as entities; the session keeps those that are documents."""
    draft = prepared(core, draft)
    is_tracked = not (draft.is_untracked or core.options.no_tracking)
    if not is_tracked and (draft.includes or draft.included_values):
        raise Misuse("without tracking the session keeps nothing, so it cannot include")
    if draft.included_values and not core.options.is_cluster_wide:
        how = "open_session(transaction_mode=TransactionMode.CLUSTER_WIDE)"
        raise Misuse(f"to include compare-exchange values needs a cluster-wide session: {how}")
    found = yield from _asked(draft)
    if is_tracked:
        _keep_included(core, found)
    return [entity_of(core, each, object_type, is_tracked=is_tracked) for each in found.results]


def first(core: SessionCore, draft: QueryDraft, object_type: type[T]) -> Steps[T]:
    found = yield from results(core, draft.page(page_size=1), object_type)
    if not found:
        raise NoResult(f"there is no result: {draft.index_query()}")
    return found[0]


def first_or_none(core: SessionCore, draft: QueryDraft, object_type: type[T]) -> Steps[T | None]:
    found = yield from results(core, draft.page(page_size=1), object_type)
    return found[0] if found else None


def single(core: SessionCore, draft: QueryDraft, object_type: type[T]) -> Steps[T]:
    found = yield from single_or_none(core, draft, object_type)
    if found is None:
        raise NoResult(f"there is no result: {draft.index_query()}")
    return found


def single_or_none(core: SessionCore, draft: QueryDraft, object_type: type[T]) -> Steps[T | None]:
    size = 2 if draft.page_size is None else min(2, draft.page_size)
    found = yield from results(core, draft.page(page_size=size), object_type)
    if len(found) > 1:
        raise ManyResults(f"there is more than one result: {draft.index_query()}")
    return found[0] if found else None


def count(core: SessionCore, draft: QueryDraft) -> Steps[int]:
    """How many results there are on all pages."""
    found = yield from answer(core, draft.page(page_size=0))
    return found.total_results if found.long_total_results is None else found.long_total_results


def is_there_any(core: SessionCore, draft: QueryDraft) -> Steps[bool]:
    found = yield from answer(core, draft.page(page_size=1))
    return bool(found.results)


def facets(core: SessionCore, draft: QueryDraft) -> Steps[dict[str, FacetResult]]:
    found = yield from answer(core, draft)
    if not (draft.is_untracked or core.options.no_tracking):
        _keep_included(core, found)
    made = map(FacetResult.from_json, found.results)
    return {each.name: each for each in made}


def suggestions(core: SessionCore, draft: QueryDraft) -> Steps[dict[str, SuggestionResult]]:
    found = yield from answer(core, draft)
    made = map(SuggestionResult.from_json, found.results)
    return {each.name: each for each in made}


def entity_of(
    core: SessionCore, document: JsonObject, object_type: type[T], *, is_tracked: bool
) -> T:
    """A result as an entity. Groups and selected fields are no documents: nothing keeps them."""
    metadata: Mapping[str, Any] = document.get(METADATA) or {}
    document_id = metadata.get("@id")
    if document_id is None or metadata.get("@projection"):
        name = "a result" if document_id is None else f"the result of document {document_id}"
        fields = {field: value for field, value in document.items() if field != METADATA}
        what = _only(fields, object_type, name) if is_value(object_type) else fields
        return from_json(what, object_type, name=name)
    if is_value(object_type):
        text = f"document {document_id} is no {object_type}: select_fields() selects a field of it"
        raise WrongType(text)
    make = core.adopt if is_tracked else core.entity
    return make(document, object_type)


def is_value(object_type: Any) -> bool:
    """Whether a type stands for one value, not for an object with fields."""
    shape = get_origin(object_type) or object_type
    if shape in (Union, types.UnionType, Literal):
        return True
    return isinstance(shape, type) and issubclass(shape, _VALUES)


def _only(fields: JsonObject, object_type: Any, name: str) -> Any:
    if len(fields) != 1:
        text = f"{name} has {len(fields)} fields: it takes a class to hold them, not {object_type}"
        raise WrongType(text)
    return next(iter(fields.values()))


def _keep_included(core: SessionCore, found: QueryResult) -> None:
    tracking = core.tracking
    for document_id, document in found.includes.items():
        if document is None:
            tracking.missing.add(fold(document_id))
        else:
            tracking.included[fold(document_id)] = document
    values = found.compare_exchange_value_includes
    if core.options.is_cluster_wide:
        there = {
            fold(key): stored_value(key, wire)
            for key, wire in values.items()
            if (wire or {}).get("Value") is not None
        }
        tracking.values.seen(tuple(values), there)
