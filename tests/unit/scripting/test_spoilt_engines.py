"""Scripts that replace what their engine is made of upset themselves, and nobody after them."""

import orjson
import pytest

from quoth_node.scripting import Missing, ScriptFailed
from quoth_node.scripting.task import read_result
from tests.unit.scripting.runs import changed, ran, result


@pytest.mark.parametrize(
    ("thrown", "told"),
    [
        ("undefined", "undefined"),
        ("null", "null"),
        ("5", "5"),
        ("() => 1", r"\(\) => 1"),
        ("Symbol('x')", r"Symbol\(x\)"),
        ("{a: 1}", '{"a":1}'),
        ("'text'", "text"),
    ],
)
def test_whatever_is_thrown_is_told(thrown: str, told: str) -> None:
    with pytest.raises(ScriptFailed, match=f"^{told}$"):
        ran(f"throw {thrown}")


@pytest.mark.parametrize(
    "spoilt",
    [
        "Array.prototype.map = () => ['{}']",
        "Array.prototype.join = () => '5'",
        "Array.prototype[Symbol.iterator] = () => { throw 5 }",
        "String.prototype.slice = () => '\"output\":5,\"loaded\":7}'",
        "JSON.stringify = () => 'evil'; JSON.parse = () => 5",
        "String.prototype.concat = () => 'evil'",
    ],
)
def test_what_a_script_replaces_does_not_change_what_came_of_it(spoilt: str) -> None:
    done = "output('a', 1); load('users/2'); put('users/3', {a: 1}); del('users/4')"
    whole = ran(f"{done}; {spoilt}; this.n = 5", documents={"users/2": b'{"@metadata":{}}'})
    assert whole.document["n"] == 5
    assert (whole.output, whole.loaded) == (("a 1",), ("users/2",))
    assert [one.document_id for one in whole.written] == ["users/3", "users/4"]
    assert [one.document for one in whole.written] == [{"a": 1}, None]


@pytest.mark.parametrize(
    "script",
    [
        "Object.prototype.toJSON = () => 5",
        "Object.prototype.toJSON = () => undefined",
        "Object.prototype.toJSON = () => { throw undefined }",
        "globalThis.Error = 5; throw {}",
        "Object.defineProperty(Error, Symbol.hasInstance, {value() { throw 5 }}); throw {}",
        "Array.prototype.push = 5; put('a', {})",
        "Map.prototype.get = () => 5; load('users/none').n.m",
        "String.prototype.matchAll = () => 5; throw new Error('x')",
    ],
)
def test_what_spoils_its_result_has_failed(script: str) -> None:
    with pytest.raises(ScriptFailed):
        ran(script)


def test_what_is_missing_is_asked_for_in_any_engine() -> None:
    found = result("Object.prototype.toJSON = () => 5; load('users/2')")
    assert found == Missing(("users/2",), ())


DONE: dict[str, object] = {"document": {}, "written": [], "output": [], "loaded": []}
WRITTEN: dict[str, object] = {"id": "a", "document": {}, "changeVector": None}


@pytest.mark.parametrize(
    "made",
    [
        *(5, None, [], {}, "text"),
        *({"failure": 5}, {"failure": {}}, {"failure": {"kind": [], "message": 5}}),
        *({"missing": 5}, {"missing": {"documents": [5], "values": []}}, {"missing": {}}),
        *({**DONE, "output": 5}, {**DONE, "output": [1]}, {**DONE, "loaded": None}),
        *({**DONE, "written": 5}, {**DONE, "written": [5]}, {**DONE, "written": [{}]}),
        {**DONE, "written": [{**WRITTEN, "id": 5}]},
        {**DONE, "written": [{**WRITTEN, "document": [1]}]},
        {**DONE, "written": [{**WRITTEN, "changeVector": 5}]},
        {**DONE, "document": [1]},
    ],
)
def test_a_result_of_another_shape_is_a_script_that_failed(made: object) -> None:
    with pytest.raises(ScriptFailed):
        read_result(orjson.dumps(made))


def test_an_engine_that_is_not_spoilt_is_as_before() -> None:
    assert changed("this.made = put('a/', {n: [1]}); output('x')")["made"] == f"a/{7:019}-A"
