"""What a patch script can do: its document, its arguments, other documents, and nothing else."""

import pytest

from quoth_node.scripting import Missing, ScriptFailed, ScriptNotParsed, Written
from tests.unit.scripting.runs import AT, changed, ran, result

OTHER = b'{"n":5,"@metadata":{"@collection":"Others","@id":"others/1"}}'


def test_a_script_changes_its_document() -> None:
    assert changed("this.n += 1; this.more = [1, {a: null}]; delete this.name") == {
        "n": 2,
        "more": [1, {"a": None}],
    }


def test_arguments_come_by_name() -> None:
    arguments = b'{"a":8,"list":["x"]}'
    script = "this.a = args.a; this.b = $a; this.c = $args.list; this.d = args.none === undefined"
    assert (
        changed(script, arguments=arguments).items()
        >= {
            "a": 8,
            "b": 8,
            "c": ["x"],
            "d": True,
        }.items()
    )


def test_a_script_may_return_early() -> None:
    assert changed("this.n = 2; if (this.n) return; this.n = 3")["n"] == 2


def test_a_script_may_end_in_a_comment() -> None:
    assert changed("this.n = 2 // two")["n"] == 2


def test_metadata_of_the_server_is_read_and_that_of_users_is_changed() -> None:
    found = ran(
        "this.id = id(this); this.seen = getMetadata(this)['@change-vector'];"
        "this.at = lastModified(this);"
        "this['@metadata'].mine = 1; this['@metadata']['@change-vector'] = 'forged'"
    ).document
    assert found["@metadata"] == {"@collection": "Users", "mine": 1}
    assert (found["id"], found["seen"], found["at"]) == ("users/1", "A:1-x", AT // 1_000)


def test_other_documents_are_loaded() -> None:
    script = "this.n = load('others/1').n; this.ids = load(['others/1', 'none']).map(id)"
    documents = {"others/1": OTHER, "none": None}
    found = ran(script, documents=documents)
    assert (found.document["n"], found.document["ids"]) == (5, ["others/1", None])
    assert found.loaded == ("others/1", "others/1", "none")


def test_what_a_script_was_not_given_is_asked_for() -> None:
    assert result("load('others/1')") == Missing(("others/1",), ())
    assert result("load(['a', 'b'])") == Missing(("a", "b"), ())
    assert result("cmpxchg('limit')") == Missing((), ("limit",))


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString"])
def test_no_id_is_found_by_accident(name: str) -> None:
    assert result(f"load('{name}')") == Missing((name,), ())
    assert changed(f"this.n = load('{name}')", documents={name: None})["n"] is None


def test_a_script_that_hides_what_it_asked_for_is_asked_again() -> None:
    assert result("try { load('a') } catch { this.n = 'caught' }") == Missing(("a",), ())


def test_documents_are_loaded_by_a_path() -> None:
    document = b'{"boss":"a","team":[{"id":"b"},{"id":"c"}],"@metadata":{}}'
    documents: dict[str, bytes | None] = {name: b'{"me":"%b"}' % name.encode() for name in "abc"}
    script = (
        "this.one = loadPath(this, 'boss').me; this.none = loadPath(this, 'nothing.there');"
        "this.many = loadPath(this, 'team[].id').map(x => x.me)"
    )
    found = changed(script, document=document, documents=documents)
    assert (found["one"], found["none"], found["many"]) == ("a", None, ["b", "c"])


def test_compare_exchange_values_are_read() -> None:
    script = "this.n = cmpxchg('limit').max; this.none = cmpxchg('no')"
    found = changed(script, values={"limit": b'{"Object":{"max":9}}', "no": None})
    assert (found["n"], found["none"]) == (9, None)


def test_documents_are_put_and_deleted_in_order() -> None:
    found = ran(
        "let o = {n: 1, '@metadata': {'@collection': 'Logs'}}; put('logs/1', o, 'A:1-x'); o.n = 2;"
        "put('logs/2', o); this.seen = load('LOGS/2').n; del('logs/1'); this.gone = load('logs/1');"
        "del('logs/3', 'A:2-x')"
    )
    metadata = {"@collection": "Logs"}
    assert found.written == (
        Written("logs/1", {"n": 1, "@metadata": metadata}, "A:1-x"),
        Written("logs/2", {"n": 2, "@metadata": metadata}, None),
        Written("logs/1", None, None),
        Written("logs/3", None, "A:2-x"),
    )
    assert (found.document["seen"], found.document["gone"]) == (2, None)


def test_new_documents_get_ids_that_nobody_has() -> None:
    found = ran("this.ids = [put('logs/', {}), put('logs/', {}), put(null, {}), put('', {})]")
    first, second, third, fourth = found.written
    assert first == Written("logs/0000000000000000007-A", {}, "")
    assert second == Written("logs/0000000000000000008-A", {}, "")
    assert len(third.document_id) == 36 and third.document_id != fourth.document_id
    assert found.document["ids"] == [one.document_id for one in found.written]


def test_time_and_chance_are_the_same_in_every_run() -> None:
    script = (
        "this.at = new Date(); this.now = Date.now(); this.text = typeof Date();"
        "this.then = new Date(0); this.same = new Date() instanceof Date;"
        "this.chance = [Math.random(), Math.random()]"
    )
    one, again, other = changed(script), changed(script), changed(script, seed=6)
    assert one == again and one["chance"] != other["chance"]
    assert one["at"] == "2023-11-14T22:13:20.1230000Z", "seven digits, or clients cannot read it"
    assert one["now"] == AT // 1_000 and one["then"] == "1970-01-01T00:00:00.0000000Z"
    assert (one["text"], one["same"]) == ("string", True)


def test_output_is_kept() -> None:
    assert ran("output('a'); console.log('b', {c: 1}, 2)").output == ("a", 'b {"c":1} 2')


def test_nothing_stays_for_the_next_script() -> None:
    ran("globalThis.left = 1; Object.prototype.left = 1; JSON.stringify = () => '{}'")
    assert changed("this.left = typeof left; this.own = ({}).left === undefined")["left"] == (
        "undefined"
    )


@pytest.mark.parametrize(
    "name",
    [
        *("std", "os", "require", "fetch", "process", "print", "scriptArgs", "__house"),
        *("setTimeout", "Atomics", "SharedArrayBuffer", "performance", "WeakRef"),
    ],
)
def test_there_is_no_way_out(name: str) -> None:
    assert changed(f"this.kind = typeof {name}")["kind"] == "undefined"


@pytest.mark.parametrize(
    "script",
    [
        *("incrementCounter(this, 'likes')", "counter(this, 'likes')", "timeseries(this, 'h')"),
        *("include('users/2')", "loadAttachment(this, 'a')", "spatial.distance(1, 2, 3, 4)"),
    ],
)
def test_what_is_not_there_yet_is_named(script: str) -> None:
    name = script.partition("(")[0].partition(".")[0]
    with pytest.raises(ScriptFailed, match=rf"^Error: {name} is not supported in scripts"):
        ran(script)


def test_what_is_no_javascript_is_told_with_its_line() -> None:
    with pytest.raises(ScriptNotParsed, match=r"^SyntaxError: .*'='.* \(line 2\)$"):
        ran("this.a = 1;\nthis.age = = 7")


def test_what_breaks_out_of_its_function_stays_within_all_limits() -> None:
    with pytest.raises(ScriptFailed, match="steps"):
        ran("}); for (;;) {} (function () {")
    assert changed("}); this.n = 2; (function () {")["n"] == 1, "another this"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("this.a = 1;\nno.thing()", r"^ReferenceError: no is not defined \(line 2\)$"),
        ("function f() {\n throw new Error('in f') }\n\nf()", r"^Error: in f \(line 4\)$"),
        ("throw 'plain text'", "^plain text$"),
        ("throw {code: 5}", r'^{"code":5}$'),
        ("put('a', 5)", "put: a document is an object"),
        ("put('a', [])", "put: a document is an object"),
        ("put('users|', {})", r"a script takes no identity, as 'users\|'"),
        ("del('')", "del: an id is a string"),
        ("put('a', {}, 5)", "A change vector is a string"),
        ("this.me = this", "circular"),
        ("this.n = 2n ** 64n", "over 64 bits"),
        ("this.toJSON = () => 5", "something else than an object"),
        ("this.text = '\\ud800'", "no JSON to be kept"),
    ],
)
def test_what_a_script_does_wrong_is_told(script: str, message: str) -> None:
    with pytest.raises(ScriptFailed, match=message):
        ran(script)
