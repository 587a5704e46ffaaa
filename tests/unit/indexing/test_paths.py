"""Paths lead through objects and arrays, and tell how many an array has."""

from typing import Any

import pytest

from quoth_node.indexing.paths import MISSING, Path
from quoth_node.querying.fields import value_at, values_at
from quoth_node.rql import PathStep

ORDER = {
    "lines": [{"product": "a", "Count": 7}, {"product": "b"}, {"none": 1}],
    "ship": {"to": {"city": "Oslo"}, "stops": []},
    "count": 4,
    "matrix": [[1, 2], [3]],
}


def steps_of(text: str) -> list[PathStep]:
    return [PathStep(part.removesuffix("[]"), part.endswith("[]")) for part in text.split(".")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ship.to.city", "Oslo"),
        ("ship.to.zip", MISSING),
        ("lines[].product", ["a", "b"]),
        ("lines.product", ["a", "b"]),
        ("lines.Count", 3),
        ("lines.length", 3),
        ("lines.Length", 3),
        ("lines[].Count", [7]),
        ("ship.stops.count", 0),
        ("matrix.length", 2),
        ("count", 4),
        ("count.length", MISSING),
        ("nothing.count", MISSING),
        ("ship.count", MISSING),
    ],
)
def test_a_path_of_an_automatic_index(text: str, expected: object) -> None:
    assert Path.of(text).read(ORDER) == expected


@pytest.mark.parametrize(
    ("text", "each", "projected"),
    [
        ("lines.Count", [3], 3),
        ("lines[].Count", [7], [7]),
        ("ship.stops.length", [0], 0),
        ("ship.to.city", ["Oslo"], "Oslo"),
        ("count.length", [], None),
        ("ship.count", [], None),
        ("lines.Count.Count", [], None),
        ("lines.Count.foo", [], None),
    ],
)
def test_a_path_of_a_filter_and_of_a_projection(
    text: str, each: list[Any], projected: object
) -> None:
    assert list(values_at(ORDER, steps_of(text))) == each
    assert value_at(ORDER, steps_of(text)) == projected
