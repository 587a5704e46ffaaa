"""A static mapper fulfils the contract."""

from quoth_node.indexing.compiling import index_type, is_javascript
from quoth_node.indexing.mapping import Mapper
from tests.unit.indexing.definitions import compiled, document


def test_a_compiled_definition_is_a_mapper() -> None:
    mapper: Mapper = compiled("from u in docs.Users select new { u.name }")
    assert mapper.map([], lambda name: None) == []
    (other,) = mapper.map([document("orders/1", {})], lambda name: None)
    assert (other.document_id, other.entries, other.error) == ("orders/1", (), None)


def test_the_language_is_told_by_the_first_map() -> None:
    for text in (
        "from u in docs.Users select new { u.a }",
        "docs.Users.Select(u => new { u.a })",
        "  // map\n/* map */ FROM u in docs.Users",
        "timeSeries.Users.HeartRate.Select(t => t)",
    ):
        assert not is_javascript(text)
    for text in ("map('Users', u => u)", "/* from */ map('Users', u => u)", "timeSeries.map('U')"):
        assert is_javascript(text)


def test_the_type_of_an_index_is_known_without_its_mapper() -> None:
    assert index_type(["docs.Users.Select(u => u)"], None) == "Map"
    assert index_type(["docs.Users.Select(u => u)"], "results") == "MapReduce"
    assert index_type(["map('Users', u => u)"], "  ") == "JavaScriptMap"
    assert index_type(["map('Users', u => u)"], "groupBy(...)") == "JavaScriptMapReduce"
