"""What one document does ends with that document, and hostile definitions are bounded."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_node.indexing.mapping import MappingError
from quoth_node.indexing.refusal import DefinitionRefused
from tests.unit.indexing.definitions import compiled, document, mapped

GOOD = {"name": "Ann"}
HOSTILE = [
    ("for (;;);", "the script took too long"),
    ("const all = []; for (;;) all.push('x'.repeat(1000) + all.length);", "memory"),
    ("(function f() { f(); })();", "RangeError: Maximum call stack size exceeded"),
    ("throw new Error('no');", "Error: no"),
    ("throw null;", "memory"),
    ("missing.deep;", "ReferenceError: missing is not defined"),
    ("return 5;", "TypeError: a map gives objects"),
    ("return { a: '\\ud800' };", "is no JSON"),
    ("const loop = {}; loop.loop = loop; return loop;", "TypeError: circular reference"),
    ("return { a: 5n };", "TypeError"),
    ("let deep = 1; for (let i = 0; i < 2000; i++) deep = [deep]; return { deep };", "JSON"),
]


@pytest.mark.parametrize(("body", "reason"), HOSTILE, ids=lambda text: text[:30])
def test_an_error_is_that_of_its_document(body: str, reason: str) -> None:
    mapper = compiled(
        f"map('Users', u => {{ if (u.bad) {{ {body} }} return {{ name: u.name }}; }})"
    )
    users = [document(f"users/{at}", {**GOOD, "bad": at in (0, 9)}) for at in range(10)]
    results = mapped(mapper, *users)
    for at, result in enumerate(results):
        if at in (0, 9):
            assert result.error is not None and reason in result.error
            assert result.entries == ()
        else:
            assert (result.error, result.entries) == (None, ({"name": "Ann"},))


def test_a_document_that_cannot_be_read_is_the_only_one_to_fail() -> None:
    mapper = compiled("map('Users', u => ({ name: u.name }))")
    users = [document(f"users/{at}", GOOD) for at in range(300)]
    users[217] = replace(users[217], body=b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    results = mapped(mapper, *users)
    assert [at for at, result in enumerate(results) if result.error is not None] == [217]
    assert all(result.entries == ({"name": "Ann"},) for result in results if not result.error)


def test_an_error_in_c_sharp_is_that_of_its_document() -> None:
    mapper = compiled("from u in docs.Users select new { a = 5 / u.age }")
    users = [document("users/1", {"age": 0}), document("users/2", {"age": 2})]
    first, second = mapped(mapper, *users)
    assert first.error == "RangeError: Attempted to divide by zero."
    assert second.entries == ({"a": 2},)


def test_a_loop_in_the_middle_of_loading_loses_nothing() -> None:
    mapper = compiled(
        "map('Users', u => { const f = load(u.friend, 'Users'); if (u.bad) for (;;);"
        " return { name: f.name }; })"
    )
    users = [
        document("users/1", {"name": "Ann", "friend": "users/2"}),
        document("users/2", {"name": "Bob", "friend": "users/1", "bad": True}),
        document("users/3", {"name": "Cid", "friend": "users/1"}),
    ]
    first, second, third = mapped(mapper, *users)
    assert first.entries == ({"name": "Bob"},)
    assert second.error == "the script took too long"
    assert third.entries == ({"name": "Ann"},)


def test_an_engine_that_was_spoilt_gives_errors_only() -> None:
    mapper = compiled("map('Users', u => { JSON.stringify = () => 5; return { a: 1 }; })")
    results = mapped(mapper, document("users/1", {}), document("users/2", {}))
    assert all(result.entries in ((), ({"a": 1},)) for result in results)


def test_a_reduce_that_goes_on_forever_ends() -> None:
    mapper = compiled(
        "map('Users', u => ({ a: 1 }))",
        reduce="groupBy(x => x.a).aggregate(g => { if (g.values.length > 1) for (;;);"
        " return { a: 1 }; })",
    )
    with pytest.raises(MappingError, match="the script took too long"):
        mapper.reduce([{"a": 1}, {"a": 1}])
    assert mapper.reduce([{"a": 1}]) == [{"a": 1}]


def test_a_reduce_tells_what_was_thrown() -> None:
    mapper = compiled(
        "map('Users', u => ({ a: 1 }))",
        reduce="groupBy(x => x.a).aggregate(g => { throw new Error('no'); })",
    )
    with pytest.raises(MappingError, match="Error: no"):
        mapper.reduce([{"a": 1}])


def test_a_map_that_waits_for_a_document_is_no_mistake() -> None:
    mapper = compiled("map('Users', u => { while (u.more) ; return { name: u.name }; })")
    (only,) = mapped(mapper, document("users/1", GOOD))
    assert only.entries == ({"name": "Ann"},)


@pytest.mark.parametrize(
    "text", ["(" * 100_000, "[" * 100_000, "map('U', u => ({a: " + "-" * 100_000]
)
def test_scripts_nested_too_deep_are_refused(text: str) -> None:
    with pytest.raises(DefinitionRefused):
        compiled(text)


def test_long_scripts_are_refused() -> None:
    with pytest.raises(DefinitionRefused, match="characters at most"):
        compiled("map('U', u => ({ a: 1 }))//" + "x" * 300_000)


WORDS = (
    "map ( ) { } [ ] => , . ; : ? ?. ... = + - ! 'Users' u u.a function return groupBy aggregate "
    "load id new const x `${ ` /a/ // delete throw 1 null this await class static get async yield"
).split(" ")


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)))
def test_any_script_is_refused_or_a_definition(text: str) -> None:
    for maps, reduce in (
        ((text,), None),
        ((f"map('Users', u => ({text}))",), None),
        (("map('Users', u => ({ a: 1 }))",), f"groupBy(r => {text}).aggregate(g => ({{ a: 1 }}))"),
    ):
        try:
            mapper = compiled(*maps, reduce=reduce)
        except DefinitionRefused as refused:
            assert refused.line >= 1 and refused.column >= 1
        else:
            mapped(mapper, document("users/1", {"a": 1}))


def test_many_parts_that_take_long_are_refused_soon() -> None:
    slow = "for (let i = 0; i < 9000000; i++);"
    with pytest.raises(DefinitionRefused, match="the script took too long") as refused:
        compiled(*[f"map('U', u => ({{ a: {at} }})); {slow}" for at in range(8)])
    assert refused.value.part == "Maps"
    with pytest.raises(DefinitionRefused, match="a map is map"):
        compiled("for (let i = 0; i < 1000; i++) map('U', u => ({ a: 1 }))")
    with pytest.raises(DefinitionRefused, match="a map is map"):
        compiled("map('U', u => ({ a: 1 }))", "1 + 1")
