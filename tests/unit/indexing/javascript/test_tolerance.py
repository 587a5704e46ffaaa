"""Members of what is missing: what a definition may read without asking first."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_node.indexing.javascript.tolerance import tolerant
from tests.unit.indexing.definitions import compiled, document, entries


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("u.a.b", "u?.a?.b"),
        ("u.a[0].b()", "u?.a?.[0]?.b()"),
        ("f(x)[1]", "f(x)?.[1]"),
        ("u?.a?.[0]", "u?.a?.[0]"),
        ("[...u.a, 1.5, .5]", "[...u?.a, 1.5, .5]"),
        ("return [u.a]", "return [u?.a]"),
        ("const [a] = b.c", "const [a] = b?.c"),
        ("u.a.b = c.d", "u.a.b = c?.d"),
        ("u.a[x.y].b += 1", "u.a[x?.y].b += 1"),
        ("f(u.a).b++; --u.c[0]; u.d", "f(u?.a).b++; --u.c[0]; u?.d"),
        ("new a.B(c.d).e", "new a.B(c?.d)?.e"),
        ("a.b == c.d", "a?.b == c?.d"),
        ("'a.b' + \"c.d\" + /e.f[.]/g.source", "'a.b' + \"c.d\" + /e.f[.]/g?.source"),
        ("a.b / c.d / e.f", "a?.b / c?.d / e?.f"),
        ("`a.b ${c.d + `${e.f}`} g.h`.i", "`a.b ${c?.d + `${e?.f}`} g.h`?.i"),
        ("// a.b\n/* c.d */ e.f", "// a.b\n/* c.d */ e?.f"),
        ("({ a: 1 }).b", "({ a: 1 })?.b"),
        ("", ""),
    ],
)
def test_members_become_optional(text: str, expected: str) -> None:
    assert tolerant(text) == expected


def test_what_is_missing_leaves_its_field_out() -> None:
    mapper = compiled(
        "map('Users', u => ({ name: u.name, city: u.address.city, low: u.nick.toLowerCase(),"
        " of: load(u.company, 'Companies').name, first: u.tags[0].value }))"
    )
    assert entries(mapper, document("users/1", {"name": "Ann"})) == [{"name": "Ann"}]


def test_a_loop_over_what_is_missing_ends_at_once() -> None:
    mapper = compiled(
        "map('Users', u => { const found = []; for (let i = 0; i < u.numbers.length; i++)"
        " found.push({ n: u.numbers[i] }); return found; })"
    )
    assert entries(mapper, document("users/1", {}), document("users/2", {"numbers": [5]})) == [
        {"n": 5}
    ]


def test_what_cannot_be_rewritten_is_taken_as_it_is() -> None:
    mapper = compiled("map('Users', u => { const o = {}; [o.a, o.b] = [u.x, 2]; return o; })")
    assert entries(mapper, document("users/1", {"x": 1})) == [{"a": 1, "b": 2}]


def test_a_document_may_be_changed_while_it_is_mapped() -> None:
    mapper = compiled("map('Users', u => { u.n.m += 1; u.list[0]++; return u; })")
    (entry,) = entries(mapper, document("users/1", {"n": {"m": 1}, "list": [1]}))
    assert entry == {"n": {"m": 2}, "list": [2]}


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab.[](){}`$'\"/\\*=+-?:;,\n 1", max_size=60))
def test_any_text_is_rewritten_by_signs_only(text: str) -> None:
    rewritten = tolerant(text)
    assert rewritten.replace("?.[", "[").replace("?.", ".") == text.replace("?.[", "[").replace(
        "?.", "."
    )


def test_long_texts_take_linear_time() -> None:
    for text in ("a.b" * 50_000, "[" * 100_000, "`${" * 50_000, "a.b=" * 30_000, "/" * 100_000):
        tolerant(text)
