"""Maps that load other documents: what they give, and what they refer to."""

from tests.unit.indexing.definitions import compiled, document, entries, mapped

PRODUCT = document("products/1", {"name": "Tofu", "category": "categories/1", "zips": ["a", "b"]})
CATEGORY = document("categories/1", {"name": "Food", "parent": "categories/2"})
PARENT = document("categories/2", {"name": "All"})


def test_a_map_loads_documents() -> None:
    mapper = compiled(
        "docs.Products.Select(product => new { Product = product, CategoryName = "
        '(this.LoadDocument(product.category, "Categories")).name })'
        ".Select(this0 => new { Category = this0.CategoryName, Count = 1 })"
    )
    first, second = mapped(mapper, PRODUCT, CATEGORY)
    assert first.entries == ({"Category": "Food", "Count": 1},)
    assert first.references == (("Categories", "categories/1"),)
    assert (second.entries, second.references) == ((), ())
    assert mapper.references == ("Categories",)
    assert mapper.collections == ("Products",)


def test_what_is_loaded_may_name_what_is_loaded_next() -> None:
    mapper = compiled(
        'from p in docs.Products let c = LoadDocument<Category>(p.category, "Categories") '
        'let up = LoadDocument(c.parent, "Categories") select new { c.name, Up = up.name, up.Id }'
    )
    (only,) = mapped(mapper, PRODUCT, CATEGORY, PARENT)[:1]
    assert only.entries == ({"name": "Food", "Up": "All", "Id": "categories/2"},)
    assert only.references == (("Categories", "categories/1"), ("Categories", "categories/2"))


def test_a_document_that_is_not_there_is_referred_to_all_the_same() -> None:
    mapper = compiled(
        "docs.Products.Select(p => new { p = p, related = "
        'this.LoadDocument(String.Format("related/{0}", p.name), "Related")'
        "}).Select(this0 => new { name = this0.p.name, value = this0.related != null ? "
        "((decimal ? ) this0.related.value) : ((decimal ? ) null) })"
    )
    (only,) = mapped(mapper, PRODUCT)
    assert only.entries == ({"name": "Tofu", "value": None},)
    assert only.references == (("Related", "related/Tofu"),)


def test_a_list_of_ids_loads_a_list() -> None:
    mapper = compiled(
        'from p in docs.Products select new { N = LoadDocument(new [] { p.category, "x/1", '
        '"categories/2" }, "Categories").Select(c => c.name) }'
    )
    (only,) = mapped(mapper, PRODUCT, CATEGORY, PARENT)[:1]
    assert only.entries == ({"N": ["Food", None, "All"]},)
    assert len(only.references) == 3


def test_no_id_loads_nothing() -> None:
    mapper = compiled(
        'from c in docs.Categories select new { N = LoadDocument(c.nobody, "Users").name, c.name }'
    )
    assert entries(mapper, CATEGORY) == [{"name": "Food"}]


def test_a_chain_that_never_ends_is_the_error_of_its_document() -> None:
    chain = [document(f"links/{at}", {"next": f"links/{at + 1}"}) for at in range(40)]
    starts = [document("starts/1", {"next": "links/0"}), document("starts/2", {"next": "links/35"})]
    mapper = compiled(
        "map('Starts', l => { let n = 0; while (l) { l = load(l.next, 'Links'); n++; } "
        "return { n }; })"
    )
    first, second = mapped(mapper, *starts, *chain)[:2]
    assert first.error == "loads documents over 16 steps"
    assert second.entries == ({"n": 6},)


def test_many_documents_load_their_own() -> None:
    products = [
        document(f"products/{at}", {"category": f"categories/{at % 7}"}) for at in range(1_200)
    ]
    categories = [document(f"categories/{at}", {"name": f"C{at}"}) for at in range(7)]
    mapper = compiled(
        'from p in docs.Products select new { C = LoadDocument(p.category, "Categories").name }'
    )
    found = entries(mapper, *products, *categories)
    assert found == [{"C": f"C{at % 7}"} for at in range(1_200)]


def test_what_is_loaded_is_bounded() -> None:
    books = [document(f"books/{at}", {"text": "x" * 1_000_000, "n": at}) for at in range(10)]
    texts = [document(f"texts/{at}", {"books": [f"books/{at}"]}) for at in range(10)]
    everything = document("texts/all", {"books": [one.document_id for one in books]})
    mapper = compiled(
        'from t in docs.Texts select new { N = LoadDocument(t.books, "Books").Select(b => b.n) }'
    )
    results = mapped(mapper, *texts, everything, *books)
    assert [one.entries for one in results[:10]] == [({"N": [at]},) for at in range(10)]
    assert results[10].error == "loads documents of over 8388608 bytes"
    assert all(
        one == mapped(mapper, book)[0] for one, book in zip(results[11:], books, strict=True)
    )
