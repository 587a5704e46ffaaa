"""Whatever is filtered, made distinct, skipped and taken: the same as on a plain list.

Chunks are made so small that every page crosses some.
"""

from itertools import product
from typing import Any

import pytest

from quoth_node.http import results
from tests.unit.http.conftest import Node, put

COUNT = 23


@pytest.fixture
async def numbers(node: Node, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node with numbered documents, that reads a few rows at a time."""
    monkeypatch.setattr(results, "CHUNK_ROWS", 3)
    monkeypatch.setattr(results, "SCANNED_MAX", 5)
    documents = [put(f"numbers/{n}", "Numbers", n=n, third=n % 3) for n in range(COUNT)]
    assert (await node.bulk(*documents)).status == 201
    return node


def expected(*, above: int, start: int, size: int, scan: int, kind: str) -> list[int]:
    """The page, computed of a list."""
    found = [n for n in range(min(COUNT, scan)) if n > above]
    if kind == "plain":
        return found[start : start + size]
    distinct = list(dict.fromkeys(n % 3 for n in found))
    return distinct[start : start + size]


KINDS = {
    "plain": ("from Numbers as x", "", "n"),
    "fields": ("from Numbers as x", "select distinct third", "third"),
    "script": ("from Numbers as x", "select distinct { third: x.third }", "third"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_page_is_what_it_would_be_of_a_list(numbers: Node, kind: str) -> None:
    source, select, name = KINDS[kind]
    for above, start, size, scan in product((-1, 10), (0, 2, 30), (0, 1, 4, 99), (2, 12, 99)):
        limit = f"limit {start}, {size} filter_limit {scan}"
        text = f"{source} filter n > {above} {select} {limit}"
        answer = await numbers.ask("POST", "/databases/db/queries", {"Query": text})
        found = [one[name] for one in answer.json["Results"]]
        page: dict[str, Any] = {"above": above, "start": start, "size": size, "scan": scan}
        assert found == expected(**page, kind="plain" if kind == "plain" else "distinct"), text


async def test_a_page_without_a_filter_is_one_of_the_collection(numbers: Node) -> None:
    for start, size in product((0, 2, 4, 5, 22, 30), (0, 1, 4, 99)):
        text = f"from Numbers limit {start}, {size}"
        answer = await numbers.ask("POST", "/databases/db/queries", {"Query": text})
        found = [one["n"] for one in answer.json["Results"]]
        assert found == list(range(COUNT))[start : start + size], text
        assert answer.json["TotalResults"] == COUNT


async def test_a_filter_that_asks_a_function_pages_the_same(numbers: Node) -> None:
    declared = "declare function odd(x) { return x.n % 2 === 1; } from Numbers as x"
    for start, size in product((0, 3), (2, 99)):
        text = f"{declared} filter odd(x) and not (n = 7) limit {start}, {size}"
        answer = await numbers.ask("POST", "/databases/db/queries", {"Query": text})
        odd = [n for n in range(COUNT) if n % 2 and n != 7]
        assert [one["n"] for one in answer.json["Results"]] == odd[start : start + size], text
