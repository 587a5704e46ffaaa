"""Include paths and wildcards: pure, and never slow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quoth_node.http.includes import ids_at, parse_path
from quoth_node.http.wildcard import Wildcards, matches

ORDER = {
    "company": "companies/1",
    "employee": 7,
    "paid": True,
    "note": None,
    "lines": [{"product": "products/1"}, {"product": "products/2"}, {"other": 1}],
    "address": {"city": "cities/1"},
    "tags": ["tags/1", ["tags/2"]],
    "prices": {"eur": "prices/1", "usd": "prices/2"},
}


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("company", ["companies/1"]),
        ("address.city", ["cities/1"]),
        ("lines[].product", ["products/1", "products/2"]),
        ("lines,product", ["products/1", "products/2"]),
        ("lines.product", ["products/1", "products/2"]),
        ("employee(employees/)", ["employees/7"]),
        ("tags", ["tags/1", "tags/2"]),
        ("prices.$Values", ["prices/1", "prices/2"]),
        ("prices.$Keys", ["eur", "usd"]),
        ("paid", []),
        ("note", []),
        ("address", []),
        ("nope.nope", []),
        ("company.deeper", []),
        ("", []),
    ],
)
def test_a_path_finds_ids(path: str, ids: list[str]) -> None:
    assert list(ids_at(ORDER, parse_path(path))) == ids


@pytest.mark.parametrize(
    ("pattern", "hits", "misses"),
    [
        ("a*", ["a", "abc", "A1"], ["ba", ""]),
        ("?1", ["x1"], ["1", "xx1"]),
        ("a*|b?", ["abc", "b1"], ["b", "b12"]),
        ("*", ["", "anything"], []),
        ("*b*d", ["abcd", "bd"], ["abc"]),
        ("[a]", ["[a]"], ["a"]),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, hits: list[str], misses: list[str]) -> None:
    wildcards = Wildcards.parse(pattern)
    assert [text for text in hits + misses if wildcards.match(text)] == hits


def test_no_pattern_is_no_wish() -> None:
    assert not Wildcards.parse(None)
    assert not Wildcards.parse("|")


def test_a_hostile_pattern_is_not_slow() -> None:
    assert not matches("a" * 2_000, "*a" * 40 + "b")


@given(st.text("ab", max_size=8), st.text("ab*?", max_size=6))
def test_matching_agrees_with_the_plain_definition(text: str, pattern: str) -> None:
    assert matches(text, pattern) == plainly(text, pattern)


def plainly(text: str, pattern: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return plainly(text, pattern[1:]) or (bool(text) and plainly(text[1:], pattern))
    return bool(text) and pattern[0] in ("?", text[0]) and plainly(text[1:], pattern[1:])
