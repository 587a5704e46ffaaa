"""Whatever is asked of whatever documents: it is answered, or refused by name. No error is ours."""

from dataclasses import replace
from itertools import cycle
from typing import Any

from hypothesis import HealthCheck, given, settings

from quoth_node.rql import Page, Query, Source, SourceKind
from tests.unit.http.conftest import Node, put
from tests.unit.rql.printing import printed
from tests.unit.rql.test_round_trip import queries

EXAMPLES = 200
# Values where somebody may expect others.
VALUES: list[Any] = [
    *(None, True, 5, -3, 2.5, 2**63, 1e308, "", "x", "users/1"),
    *([], [1, "users/1", None], [[1], {"b": 2}], {"a": [1]}),
]
DOCUMENTS = [
    put("users/1", "Users", a="Ann", b=5, c=["a", {"x": 1}], d="users/2"),
    put("users/2", "Users", a=None, b="5", c=None, d=["users/1", "no", 7]),
    put("users/3", "Users", a={"a": 1}, b=[1, [2]], d={"z": "users/1"}),
]


def texts() -> list[str]:
    """Queries of a collection, the same in every run."""
    made: list[str] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(queries())
    def collect(query: Query) -> None:
        source = Source(SourceKind.COLLECTION, "Users", query.source.alias)
        bare = replace(query, source=source, where=None, order_by=(), group_by=(), update=None)
        made.append(printed(replace(bare, page=Page())))

    collect()
    return made


async def test_every_query_is_answered_or_refused_by_name(node: Node) -> None:
    assert (await node.bulk(*DOCUMENTS)).status == 201
    values, answered = cycle(VALUES), 0
    for text in texts():
        names = {word.strip("$(),") for word in text.split() if "$" in word}
        body = {"Query": text, "QueryParameters": {name: next(values) for name in names}}
        for target in ("queries", "streams/queries?format=jsonl"):
            answer = await node.ask("POST", f"/databases/db/{target}", body)
            assert answer.status in (200, 304, 400), (text, answer.body)
            if answer.status == 400:
                assert answer.error[1] != "RavenException", text
        answered += answer.status == 200
    assert answered > EXAMPLES // 10, "these queries try little"
