"""Documents for static indexes, and what comes of them."""

from collections.abc import Callable, Mapping, Sequence

import orjson

from quoth_node.indexing.compiling import compile_static
from quoth_node.indexing.javascript.mapper import StaticMapper
from quoth_node.indexing.mapping import Entry, Mapped, SourceDocument

Body = Mapping[str, object]

AT_MICROS = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z


def document(name: str, body: Body, **metadata: object) -> SourceDocument:
    """A document of the collection that its id begins with: `users/1` is one of 'Users'."""
    collection = name.partition("/")[0].capitalize()
    return SourceDocument(
        document_id=name,
        collection=collection,
        etag=1,
        change_vector="A:1-id",
        last_modified_micros=AT_MICROS,
        body=orjson.dumps(body),
        metadata=orjson.dumps({"@collection": collection, **metadata}),
    )


def compiled(
    *maps: str,
    reduce: str | None = None,
    fields: Mapping[str, Mapping[str, object]] | None = None,
    sources: Mapping[str, str] | None = None,
) -> StaticMapper:
    """The mapper of a definition. Raises DefinitionRefused."""
    return compile_static(maps=maps, reduce=reduce, fields=fields, additional_sources=sources)


def mapped(mapper: StaticMapper, *documents: SourceDocument) -> list[Mapped]:
    """What comes of the documents, which may load one another."""
    return mapper.map(documents, _among(documents))


def entries(mapper: StaticMapper, *documents: SourceDocument) -> list[Entry]:
    """All entries of all documents; none may fail."""
    found = mapped(mapper, *documents)
    errors = [one.error for one in found if one.error is not None]
    assert not errors, errors
    return [entry for one in found for entry in one.entries]


def reduced(mapper: StaticMapper, *documents: SourceDocument) -> list[Entry]:
    """The results of each key, in the order in which the keys come up."""
    assert mapper.group_by is not None, "only results of a reduce are reduced"
    keys: dict[bytes, list[Entry]] = {}
    for entry in entries(mapper, *documents):
        key = orjson.dumps([entry.get(name) for name in mapper.group_by])
        keys.setdefault(key, []).append(entry)
    return [result for results in keys.values() for result in reduce_twice(mapper, results)]


def reduce_twice(mapper: StaticMapper, results: Sequence[Entry]) -> list[Entry]:
    """In two halves, and then what came of them: as large keys are reduced."""
    half = len(results) // 2
    if half == 0:
        return mapper.reduce(results)
    return mapper.reduce([*mapper.reduce(results[:half]), *mapper.reduce(results[half:])])


def _among(documents: Sequence[SourceDocument]) -> Callable[[str], SourceDocument | None]:
    known = {one.document_id.lower(): one for one in documents}
    return lambda name: known.get(name.lower())
