"""A query that was asked, in the words of its tree: what is wanted, and which page of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quoth_node.http.errors import QueryNotParsed
from quoth_node.http.wire.queries import IndexQuery
from quoth_node.querying.errors import InvalidQuery
from quoth_node.querying.parameters import Parameters, value_of, whole_number
from quoth_node.querying.projecting import Behavior
from quoth_node.rql import (
    FieldPath,
    Include,
    IncludeKind,
    Literal,
    Parameter,
    Query,
    RqlError,
    SourceKind,
    parse,
)

TREES_KEPT = 1_024
SHORT_TEXT = 1_024  # characters: longer ones are not kept
_trees: dict[str, Query] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A query, and which of its results are wanted."""

    text: str
    query: Query
    parameters: Parameters
    start: int
    size: int
    is_capped: bool  # the query itself limits its page
    scan: int | None  # how many documents a filter may look at
    wait_seconds: float | None
    included_paths: tuple[str, ...]
    included_key_paths: tuple[str, ...]
    metadata_only: bool = False
    behavior: Behavior = Behavior.DEFAULT

    def has(self, kind: IncludeKind) -> bool:
        """Whether something of this kind is to be sent along."""
        return any(include.kind is kind for include in self.query.includes)

    @property
    def is_paged_late(self) -> bool:
        """Whether rows must be looked at before it is known which page they are on."""
        select = self.query.select
        return self.query.filter is not None or (select is not None and select.is_distinct)


async def read_asked(
    sent: IndexQuery, *, metadata_only: bool = False, is_update: bool = False
) -> Asked:
    """What is asked. Raises QueryNotParsed, InvalidQuery."""
    query = await parsed(sent.text)
    check_supported(query)
    if (query.update is not None) is not is_update:
        raise InvalidQuery(
            "A patch by query ends with update { ... }"
            if is_update
            else "A query with update changes documents: it is sent with PATCH"
        )
    if query.group_by and query.source.kind is SourceKind.INDEX:
        raise InvalidQuery(
            "Can't use 'group by' when querying on an Index."
            " 'group by' can be used only when querying on collections."
        )
    page, parameters = query.page, sent.parameters
    skip = whole_number(page.skip, parameters, "What limit skips")
    take = whole_number(page.take, parameters, "What limit takes")
    return Asked(
        text=sent.text,
        query=query,
        parameters=parameters,
        # Clients say it twice, so neither is added to the other.
        start=max(sent.start, skip or 0),
        size=sent.size if take is None else min(sent.size, take),
        is_capped=skip is not None or take is not None,
        scan=whole_number(page.scan, parameters, "filter_limit"),
        wait_seconds=sent.wait_seconds,
        included_paths=_paths(query, parameters, IncludeKind.DOCUMENTS),
        included_key_paths=_paths(query, parameters, IncludeKind.COMPARE_EXCHANGE),
        metadata_only=metadata_only,
        behavior=sent.behavior,
    )


async def parsed(text: str) -> Query:
    """The tree of a text; a long one is read beside the event loop.

    Clients send few texts, again and again: what differs are the parameters.
    """
    kept = _trees.get(text)
    if kept is not None:
        return kept
    try:
        if len(text) > SHORT_TEXT:
            return await asyncio.to_thread(parse, text)
        tree = parse(text)
    except RqlError as error:
        raise QueryNotParsed(error.told(text)) from error
    if len(_trees) >= TREES_KEPT:
        _trees.clear()
    _trees[text] = tree
    return tree


def check_supported(query: Query) -> None:
    """Raise InvalidQuery for what this server does not have."""
    if query.unsupported:
        missing = query.unsupported[0]
        at = f"line {missing.position.line}, column {missing.position.column}"
        raise InvalidQuery(f"{missing.feature} are not supported yet ({at})")


def _paths(query: Query, parameters: Parameters, kind: IncludeKind) -> tuple[str, ...]:
    paths: list[str] = []
    for include in query.includes:
        if include.kind is kind:
            paths += _paths_of(include, query, parameters)
    return tuple(dict.fromkeys(paths))


def _paths_of(include: Include, query: Query, parameters: Mapping[str, Any]) -> list[str]:
    match include.what:
        case FieldPath(alias=alias) as path if alias is None or alias == query.source.alias:
            return [path.text]
        case FieldPath(steps=(), alias=alias):  # a loaded document itself
            return [load.path.text for load in query.loads if load.alias == alias]
        case Parameter() | Literal() as value:
            found = value_of(value, parameters)
            texts = found if isinstance(found, list) else [found]
            if all(isinstance(text, str) for text in texts):
                return list(texts)
    raise InvalidQuery("include takes paths within the documents that are found")

