"""The name of an automatic index is RavenDB's, and says all of what the index is of."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quoth_node.indexing.naming import NAME_CHARACTERS_MAX, automatic_name


@pytest.mark.parametrize(
    ("collection", "fields", "group_by", "name"),
    [
        ("Genres", ["name"], None, "Auto/Genres/Byname"),
        ("Users", ["name", "age"], None, "Auto/Users/ByageAndname"),
        ("Users", [], None, "Auto/Users/ById()"),
        ("@all_docs", ["Name"], None, "Auto/AllDocs/ByName"),
        ("Users", ["search(name)"], None, "Auto/Users/BySearch(name)"),
        ("Users", ["exact(name)", "name"], None, "Auto/Users/ByExact(name)Andname"),
        ("Users", ["tags[].name", "a.b"], None, "Auto/Users/Bya.bAndtags[].name"),
        ("Users", ["first name"], None, "Auto/Users/By'first name'"),
        ("Users", ["Count"], ["name"], "Auto/Users/ByCountReducedByname"),
        ("Users", ["Count", "age"], ["b", "a"], "Auto/Users/ByCountAndageReducedByaAndb"),
        ("Users", ["Count"], ["array(tags)"], "Auto/Users/ByCountReducedByarray(tags)"),
    ],
)
def test_names_are_as_ravendb_gives_them(
    collection: str, fields: list[str], group_by: list[str] | None, name: str
) -> None:
    assert automatic_name(collection, fields, group_by) == name


def test_a_long_name_is_cut_and_still_its_own() -> None:
    ending_in = [automatic_name("Users", ["x" * 300 + last]) for last in "ab"]
    assert ending_in[0] != ending_in[1]
    assert {len(name) for name in ending_in} == {NAME_CHARACTERS_MAX + len("...") + 16}


FIELDS = st.sets(
    st.sampled_from(
        [
            *("a", "b", "aAndb", "ab", "'a'", "a'And'b", "x y", "x y'And'z", "z", "Count"),
            *("search(a)", "Search(a)", "exact(a)", "search(aAndb)", "aReducedByb", "array(a)"),
            *("", "()", "a()", "\n", "a\nAnd"),
        ]
    ),
    max_size=3,
)
INDEXES = st.tuples(
    st.sampled_from(["Users", "AllDocs", "@all_docs", "'AllDocs'"]),
    FIELDS.map(frozenset),
    st.none() | FIELDS.map(frozenset).filter(bool),
)
Index = tuple[str, frozenset[str], frozenset[str] | None]


@given(one=INDEXES, other=INDEXES)
def test_no_two_indexes_share_a_name(one: Index, other: Index) -> None:
    assume(one != other)
    names = [
        automatic_name(collection, sorted(fields), None if groups is None else sorted(groups))
        for collection, fields, groups in (one, other)
    ]
    assert names[0] != names[1]
