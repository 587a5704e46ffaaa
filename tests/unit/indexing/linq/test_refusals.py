"""What is no definition is refused with the place, whatever it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_node.indexing.linq.parser import CHARACTERS_MAX, MISSING_NEW, parse
from quoth_node.indexing.linq.translate import translate_map, translate_reduce
from quoth_node.indexing.refusal import DefinitionRefused
from tests.unit.indexing.definitions import compiled

REFUSED = [
    ("from u in docs.Users selec u", MISSING_NEW, 1, 22),  # as the official server says it
    ("from u in docs.Users select u", MISSING_NEW, 1, 29),
    ("docs.Users.Select(u => u.name)", MISSING_NEW, 1, 26),
    ("docs.Users", MISSING_NEW, 1, 6),
    ("from u in docs.Users select new { u.", "the definition ends too early", 1, 37),
    ("", "an index has at least one map", 1, 1),
    ("from u in docs.Users\nselect new { u.name # }", "unexpected '#'", 2, 21),
    ("from u in docs.Users select new { A = u.a.b() }", "the method 'b' is not", 1, 43),
    ("from u in docs.Users select new { A = x.a }", "'x' is not known here", 1, 39),
    ("from u in docs.Users select new { 1 + 1 }", "this member needs a name", 1, 37),
    ("from u in docs.Users select new { u.a, a = 1 }", 'the field "a" is there twice', 1, 40),
    (
        "from u in docs.Users join c in docs.Cs on u.a equals c.b select new { u.a }",
        "'join' cannot be indexed: use LoadDocument or several maps",
        1,
        22,
    ),
    (
        "from u in docs.Users select new { A = LoadDocument(u.x) }",
        "LoadDocument needs the name of a collection as its second argument",
        1,
        39,
    ),
    (
        "from u in docs.Users select new { A = DateTime.UtcNow }",
        "Cannot use DateTime.UtcNow: an index must give the same for the same documents",
        1,
        48,
    ),
    (
        "from u in docs.Users orderby u.a select new { u.a }",
        "OrderBy calls are not valid during map or reduce phase, but the following was found:",
        1,
        22,
    ),
    (
        "from u in docs.Users group u by u.name into g select new { g.Key }",
        "a map has one document at a time: it cannot group them",
        1,
        22,
    ),
    (
        "docs.Users.Select(doc => new { A = this.CreateSpatialField(doc.WKT) })",
        "spatial fields are not supported",
        1,
        41,
    ),
    (
        'docs.WhereEntityIs("A").Select(d => new { d.a })',
        "WhereEntityIs is not supported: write a map for each collection",
        1,
        6,
    ),
    (
        "docs.P.Select(p => new { E = PeopleUtil.Email(p.Name) })",
        "'PeopleUtil' is not known; additional sources in C# cannot be run",
        1,
        41,
    ),
    ("from u in docs.Users select new { A = u.n.Sum(1, 2, 3) }", "'Sum' does not take 3", 1, 43),
    ("timeSeries.Users.Select(t => new { t.a })", "time series and counters are not", 1, 18),
    ('from u in docs.Users select new { A = "\\q" }', "'\\q' is no escape", 1, 39),
    ('from u in docs.Users select new { A = $"{u.a +}" }', "the definition ends too early", 1, 47),
    ("docs.Users.Select(x => { return 1; })", "unexpected '{'", 1, 24),
    ("from u in docs.Users from v in docs.Others select new { u.a }", "'docs' is not known", 1, 32),
]


@pytest.mark.parametrize(("text", "reason", "line", "column"), REFUSED)
def test_the_place_is_named(text: str, reason: str, line: int, column: int) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        compiled(*([text] if text else []))
    error = refused.value
    assert error.message.startswith(reason)
    assert (error.line, error.column) == (line, column)


def test_maps_of_one_index_give_the_same_fields() -> None:
    with pytest.raises(DefinitionRefused, match="must return identical types"):
        compiled(
            "from u in docs.Users select new { u.name }",
            "from p in docs.Products select new { p.name, p.price }",
        )


def test_options_that_are_not_supported_are_refused() -> None:
    text = "from u in docs.Users select new { u.name }"
    with pytest.raises(DefinitionRefused, match="spatial fields are not supported: 'name'"):
        compiled(text, fields={"name": {"Spatial": {"Type": "Geography"}}})
    with pytest.raises(DefinitionRefused, match="indexing 'Fuzzy' is not supported"):
        compiled(text, fields={"name": {"Indexing": "Fuzzy"}})
    with pytest.raises(DefinitionRefused, match="additional sources in C# cannot be run: 'Util'"):
        compiled(text, sources={"Util": "public static class Util {}"})


NESTED = [
    "(" * 5_000 + "1" + ")" * 5_000,
    "!" * 5_000 + "x",
    "-" * 5_000 + "1",
    "x" + "+x" * 5_000,
    "x" + ".a" * 5_000,
    "x" + "()" * 5_000,
    "a?b:" * 5_000 + "c",
    "a??" * 5_000 + "b",
    "x=>" * 5_000 + "1",
    "(int)" * 5_000 + "1",
    "a<" * 5_000 + "b",
    "a<b," * 5_000 + "c>(1)",
    "from a in " * 500 + "b select 1",
    "new { a = " * 5_000,
    '$"{' * 5_000,
    '$"{$"{1}"}"' * 500,
    "(a" * 5_000,
]


@pytest.mark.parametrize("text", NESTED, ids=lambda text: text[:12])
def test_depth_is_bounded(text: str) -> None:
    for whole in (text, f"from u in docs.Users select new {{ A = {text} }}"):
        with pytest.raises(DefinitionRefused):
            translate_map(whole)


def test_length_is_bounded() -> None:
    with pytest.raises(DefinitionRefused, match="characters at most"):
        parse(" " * (CHARACTERS_MAX + 1))
    with pytest.raises(DefinitionRefused, match="over 50000 words and signs"):
        parse("a," * 60_000)


WORDS = (
    "from u in docs . Users select new { } ( ) [ ] => , = == where let group by into g orderby "
    'descending u.name "text" $"{u.a}" 1 2.5m + - * / ?? ? : ?. ! && is null not as int (int) '
    "Select Sum x x.Count() < > List<int> this Id LoadDocument CreateField @class 'c' ; "
    "results docs.Users.Select(u => new {u.a}) group r by r.a into g select new { A = g.Key }"
).split(" ")


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
def test_words_in_any_order_are_translated_or_refused(text: str) -> None:
    for translate in (translate_map, translate_reduce):
        try:
            translate(text)
        except DefinitionRefused as refused:
            assert refused.line >= 1 and refused.column >= 1


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_refused_or_a_definition(text: str) -> None:
    for translate in (translate_map, translate_reduce):
        for whole in (text, f"from u in docs.Users select new {{ A = {text} }}"):
            try:
                translate(whole)
            except DefinitionRefused as refused:
                assert refused.line >= 1 and refused.column >= 1
