"""Maps and reduces in JavaScript as the official clients send them."""

import pytest

from quoth_node.indexing.mapping import FieldOptions
from quoth_node.indexing.refusal import DefinitionRefused
from tests.unit.indexing.definitions import compiled, document, entries, mapped, reduced

FANOUT = (
    "map('Fanouts', function (f){\n"
    "    var result = [];\n"
    "    for(var i = 0; i < f.numbers.length; i++)\n"
    "    {\n"
    "        result.push({\n"
    "            foo: f.foo,\n"
    "            sum: f.numbers[i]\n"
    "        });\n"
    "    }\n"
    "    return result;\n"
    "})"
)
SUM_OF_FOO = (
    "groupBy(f => f.foo).aggregate(g => ({  foo: g.key, "
    "sum: g.values.reduce((total, val) => val.sum + total,0) }))"
)


def test_a_map_gives_an_object() -> None:
    mapper = compiled("map('Users', function (u) { return { name: u.name, count: 1 } })")
    assert entries(mapper, document("users/1", {"name": "Ann"})) == [{"name": "Ann", "count": 1}]
    assert (mapper.type, mapper.collections) == ("JavaScriptMap", ("Users",))
    assert mapper.fields == dict.fromkeys(("name", "count"), FieldOptions("Default", False, None))


def test_a_map_gives_an_array_of_objects() -> None:
    mapper = compiled(FANOUT, reduce=SUM_OF_FOO)
    foo = document("fanouts/1", {"foo": "Foo", "numbers": [4, 6, 11, 9]})
    bar = document("fanouts/2", {"foo": "Bar", "numbers": [3, 8, 5, 17]})
    assert len(entries(mapper, foo)) == 4
    assert reduced(mapper, foo, bar) == [{"foo": "Foo", "sum": 30}, {"foo": "Bar", "sum": 33}]
    assert (mapper.type, mapper.group_by) == ("JavaScriptMapReduce", ("foo",))


def test_an_index_has_a_map_for_each_collection() -> None:
    mapper = compiled(
        "map('Users', function (u){ return { name: u.name, count: 1};})",
        "map('products', p => ({ name: p.name, count: 1}))",
        reduce="groupBy( x =>  x.name )\n.aggregate(g => {return {\n name: g.key,\n"
        " count: g.values.reduce((total, val) => val.count + total,0)\n};})",
    )
    assert mapper.collections == ("Users", "products")
    found = reduced(
        mapper, document("users/1", {"name": "Ann"}), document("products/1", {"name": "Ann"})
    )
    assert found == [{"name": "Ann", "count": 2}]


def test_results_are_grouped_by_several_fields() -> None:
    mapper = compiled(
        "map('Users', u => ({ date: u.date, city: u.city, heart: u.heart, count: 1 }))",
        reduce="groupBy(r => ({ date: r.date, city: r.city })).aggregate(g => ({\n"
        "heart: g.values.reduce((t, v) => v.heart * v.count + t, 0) /"
        " g.values.reduce((t, v) => v.count + t, 0),\n"
        "date: g.key.date, city: g.key.city,\n"
        "count: g.values.reduce((total, val) => val.count + total, 0) }))",
    )
    users = [document(f"users/{at}", {"date": 1, "city": "Oslo", "heart": at}) for at in range(5)]
    assert mapper.group_by == ("date", "city")
    assert reduced(mapper, *users) == [{"heart": 2, "date": 1, "city": "Oslo", "count": 5}]


def test_fields_are_made_while_mapping() -> None:
    mapper = compiled(
        "map('Users', function (u){\n return {\n name: u.name,\n"
        "_: {$value: u.name, $name:'analyzed_name', $options: { indexing: 'Search', storage: true}}"
        "\n };\n })",
        fields={"__all_fields": {"Indexing": "Search", "Analyzer": "StandardAnalyzer"}},
    )
    found = entries(mapper, document("users/1", {"name": "Brendan Eich"}))
    assert found == [{"name": "Brendan Eich", "analyzed_name": "Brendan Eich"}]
    assert mapper.has_dynamic_fields
    assert mapper.fields["analyzed_name"] == FieldOptions("Search", True, None)
    assert mapper.fields["__all_fields"] == FieldOptions("Search", False, "StandardAnalyzer")


def test_fields_are_made_by_a_function() -> None:
    mapper = compiled(
        "map('Users', u => ({ _: u.attributes.map(a => createField(a.key, a.value,"
        " { indexing: 'Exact', storage: false })), n: { $value: u.n } }))"
    )
    user = document("users/1", {"n": 3, "attributes": [{"key": "a", "value": 1}, {"key": "b"}]})
    assert entries(mapper, user) == [{"a": 1, "n": 3}]
    assert mapper.fields["b"] == FieldOptions("Exact", False, None)


def test_additional_sources_are_functions() -> None:
    mapper = compiled(
        "map('Users', function(u) { return { name: mr(u.name)}; })",
        sources={"The Script": "function mr(x) { return 'Mr. ' + x; }"},
    )
    assert entries(mapper, document("users/1", {"name": "Ann"})) == [{"name": "Mr. Ann"}]


def test_a_document_knows_its_id_and_metadata() -> None:
    mapper = compiled(
        "map('Users', u => { const m = getMetadata(u); return { id: id(u), of: m['@collection'], "
        "at: new Date(m['@last-modified']), by: u['@metadata'].by }; })"
    )
    (found,) = entries(mapper, document("users/1", {}, by="Ann"))
    assert found == {
        **{"id": "users/1", "of": "Users", "by": "Ann"},
        "at": "2023-11-14T22:13:20.0000000Z",
    }


def test_a_map_loads_documents() -> None:
    mapper = compiled(
        "map('Products', function(p){\n return {\n category: load(p.category, 'Categories').name,\n"
        " count: 1\n };\n})"
    )
    product = document("products/1", {"category": "categories/1"})
    (found, _) = mapped(mapper, product, document("categories/1", {"name": "Food"}))
    assert found.entries == ({"category": "Food", "count": 1},)
    assert found.references == (("Categories", "categories/1"),)
    assert (mapper.references, mapper.has_dynamic_fields) == (("Categories",), False)


def test_all_documents_are_mapped_without_a_collection() -> None:
    mapper = compiled("map('@all_docs', d => ({ n: d.n }))")
    assert mapper.collections == ()
    assert entries(mapper, document("a/1", {"n": 1}), document("b/1", {"n": 2})) == [
        {"n": 1},
        {"n": 2},
    ]


def test_a_filter_leaves_documents_out() -> None:
    mapper = compiled("map('Users', u => { if (u.age > 5) return { age: u.age }; })")
    assert entries(mapper, document("users/1", {"age": 5}), document("users/2", {"age": 6})) == [
        {"age": 6}
    ]


def test_whole_numbers_keep_their_digits() -> None:
    mapper = compiled("map('Users', u => ({ n: u.n, list: u.list }))")
    numbers = [2**53 + 1, -(2**63), 2**64 - 1]
    user = document("users/1", {"n": numbers[0], "list": numbers})
    assert entries(mapper, user) == [{"n": numbers[0], "list": numbers}]


@pytest.mark.parametrize(
    ("text", "reduce", "reason"),
    [
        ("map('Users', u => ", None, "SyntaxError"),
        ("map('Users')", None, "TypeError: map takes the name of a collection and a function"),
        ("1 + 1", None, "a map is map('Collection', document => ({...}))"),
        ("map('U', u => ({ a: cmpxchg('x') }))", None, "TypeError: cmpxchg is not supported"),
        ("timeSeries.map('U', t => ({}))", None, "TypeError: timeSeries.map is not supported"),
        ("map('U', u => ({ a: 1 }))", "groupBy(x => x.a)", "a reduce is groupBy"),
        (
            "map('U', u => ({ a: 1 }))",
            "groupBy(x => x.a.b).aggregate(g => ({ a: 1 }))",
            "TypeError: results are grouped by their fields",
        ),
        (
            "map('U', u => ({ a: 1 }))",
            "groupBy(x => x.b).aggregate(g => ({ a: 1 }))",
            "results are grouped by 'b', which no map gives",
        ),
        ("for (;;);", None, "the script took too long"),
        ("map('U', u => 'a\0b')", None, "a script cannot hold a NUL character"),
    ],
)
def test_what_is_no_definition_is_refused(text: str, reduce: str | None, reason: str) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        compiled(text, reduce=reduce)
    assert refused.value.message.startswith(reason)


def test_the_place_of_a_mistake_is_named() -> None:
    text = "map('Users', u => ({\n  name: u.name,\n  age u.age\n}))"
    with pytest.raises(DefinitionRefused) as refused:
        compiled("map('Users', u => ({ name: 1 }))", text)
    assert (refused.value.line, refused.value.part, refused.value.text) == (3, "Maps", text)
