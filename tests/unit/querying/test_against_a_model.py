"""Automatic indexes and their SQL give what a search through all documents gives."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quoth_cluster.clock import SystemClock
from quoth_node.indexing.auto_mapping import AutoDefinition, AutoMapper, options_of
from quoth_node.indexing.batches import Batch, write_batch
from quoth_node.indexing.mapping import SourceDocument
from quoth_node.indexing.sqlite import Connection
from quoth_node.indexing.store import FILE_NAME, IndexStore, StoredField
from quoth_node.querying.index_view import IndexView
from quoth_node.querying.needs import needs_of
from quoth_node.querying.running import IndexReader, Page
from quoth_node.rql import Query, parse
from tests.unit.querying.model import Doc, answer

STEADY = settings(
    derandomize=True,
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TEXTS = ("", "a", "A", "ab", "Ab", "b", "5", "10", "true", "ä", "zz", "%", "_", "a b", "x'y")
# Few, so that they meet: a number and its text, two cases of a letter, an end of a range.
SCALARS = st.sampled_from([None, True, 5, 5.0, 10, -1, 0.5, "5", "10", "a", "A", "ab", "true"])
ODD = st.one_of(SCALARS, st.sampled_from(TEXTS), st.sampled_from([-1.5, 7]), st.integers(0, 12))
NUMBERS = st.sampled_from([-1, 0.5, 5, 5.0, 10, 12])
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "name": ODD,
        "age": NUMBERS,
        "tags": st.lists(SCALARS, max_size=3),
        "address": st.fixed_dictionaries({}, optional={"city": SCALARS}),
    },
)
DOCUMENTS = st.lists(BODIES, max_size=12)


def literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value)


PATHS = st.sampled_from(["name", "name", "age", "tags", "tags", "address.city", "nowhere"])
BOUNDS = st.sampled_from([-1, 0.5, 5, 10, "a", "ab", "A", "zz"])
LEAVES = st.one_of(
    st.builds(
        lambda path, sign, value: f"{path} {sign} {literal(value)}",
        PATHS,
        st.sampled_from(["=", "!="]),
        SCALARS,
    ),
    st.builds(
        lambda path, sign, value: f"{path} {sign} {literal(value)}",
        PATHS,
        st.sampled_from(["<", "<=", ">", ">="]),
        BOUNDS,
    ),
    st.builds(
        lambda path, word, values: f"{path} {word} ({', '.join(map(literal, values))})",
        PATHS,
        st.sampled_from(["in", "all in"]),
        st.lists(SCALARS, min_size=1, max_size=3),
    ),
    st.builds(
        lambda path, ends: f"{path} between {ends[0]} and {ends[1]}",
        PATHS,
        st.sampled_from([(-1, 5), (5, 5), (0.5, 10), (10, 5)]),
    ),
    st.builds(lambda path: f"exists({path})", PATHS),
    st.builds(
        lambda path, text: f"startsWith({path}, {literal(text)})",
        PATHS,
        st.sampled_from(["a", "A", "5", "-", "tr", "x'"]),
    ),
    st.builds(
        lambda path, value: f"exact({path} = {literal(value)})",
        st.sampled_from(["name", "tags"]),
        st.sampled_from(TEXTS),
    ),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: f"({a} and {b})", inner, inner),
        st.builds(lambda a, b: f"({a} or {b})", inner, inner),
        st.builds(lambda a: f"(true and not ({a}))", inner),
    ),
    max_leaves=5,
)
ORDERS = st.sampled_from(
    [
        *("", "name", "name desc", "age as long", "age as double desc", "tags", "id() desc"),
        *("address.city, age as double", "age", "age desc"),
    ]
)


class Indexed:
    """Documents in an automatic index, which was written in batches and over itself."""

    def __init__(self, folder: Path, definition: AutoDefinition) -> None:
        self.mapper = AutoMapper(definition)
        self.folder = folder
        self.store = IndexStore.open(
            folder, digest=b"x", group_by=self.mapper.group_by, fields=self.mapper.fields
        )
        self._etag = 0

    def put(self, documents: Sequence[Doc]) -> None:
        sources = []
        for document in documents:
            self._etag += 1
            body = json.dumps(document.body).encode()
            sources.append(
                SourceDocument(document.document_id, "Users", self._etag, "", 0, body, b"{}")
            )
        mapped = self.mapper.map(sources, lambda _: None)
        write_batch(self.store, Batch(mapped, (), self._etag, 0), self.mapper)

    def delete(self, ids: Sequence[str]) -> None:
        self._etag += 1
        write_batch(self.store, Batch((), ids, self._etag, self._etag), self.mapper)

    def ask(
        self, query: Query, parameters: Mapping[str, Any] | None = None, **page: Any
    ) -> Page:
        connection = Connection(self.folder / FILE_NAME, is_reader=True)
        try:
            reader = IndexReader(connection, SystemClock())
            return reader.run(query, parameters or {}, _view, **page)
        finally:
            connection.close()


def _view(stored: dict[str, StoredField], fans_out: bool) -> IndexView:
    return IndexView(stored, lambda name: options_of(name)[1], True)


@STEADY
@given(bodies=DOCUMENTS, changed=DOCUMENTS, condition=CONDITIONS, order=ORDERS)
def test_a_query_finds_what_a_search_through_all_documents_finds(
    bodies: list[dict[str, Any]],
    changed: list[dict[str, Any]],
    condition: str,
    order: str,
) -> None:
    text = f"from Users where {condition}" + (f" order by {order}" if order else "")
    query = parse(text)
    with tempfile.TemporaryDirectory() as folder:
        indexed = Indexed(Path(folder), needs_of(query))
        before = [Doc(f"Users/{number}", body) for number, body in enumerate(bodies)]
        indexed.put(before)
        after = [Doc(f"users/{number}", body) for number, body in enumerate(changed)]
        indexed.put(after)
        gone = [document.document_id for document in before[len(after) :][::2]]
        indexed.delete(gone)
        left = [one for one in before[len(after) :] if one.document_id not in gone]
        expected = [one.document_id for one in answer(query, [*left, *after])]
        page = indexed.ask(query)
        found = [one.document_id for one in page.rows]
        assert sorted(map(str, found)) == sorted(expected), text
        if order:
            assert found == expected, text
        assert page.total == len(expected)
        part = indexed.ask(query, skip=1, take=2)
        assert [one.document_id for one in part.rows] == found[1:3]
        assert part.total == len(expected), "however small the page"
        indexed.store.close()


GROUPED = st.lists(
    st.fixed_dictionaries(
        {"city": st.sampled_from(["Rome", "rome", "Oslo", None, 5])},
        optional={"age": st.integers(-5, 5)},
    ),
    max_size=30,
)


@STEADY
@given(first=GROUPED, second=GROUPED)
def test_groups_are_counted_and_summed_whatever_changed(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    query = parse("from Users group by city select city, count(), sum(age)")
    with tempfile.TemporaryDirectory() as folder:
        indexed = Indexed(Path(folder), needs_of(query))
        indexed.put([Doc(f"users/{number}", body) for number, body in enumerate(first)])
        indexed.put([Doc(f"users/{number}", body) for number, body in enumerate(second)])
        indexed.delete([f"users/{number}" for number in range(0, len(first), 3)])
        left = dict(enumerate(first)) | dict(enumerate(second))
        for number in range(0, len(first), 3):
            left.pop(number, None)
        expected: dict[Any, list[int]] = {}
        for body in left.values():
            known = expected.setdefault(body["city"], [0, 0])
            known[0] += 1
            known[1] += body.get("age", 0)
        results = [one.result for one in indexed.ask(query).rows]
        assert all(result is not None for result in results)
        found = {one["city"]: [one["Count"], one["age"]] for one in results if one is not None}
        assert found == expected
        indexed.store.close()
