"""RFC 6902: each operation, each way to be wrong, and the examples of the RFC's appendix."""

import json
from typing import Any

import pytest

from quoth_node.patching.json_patch import JsonPatchFailed, apply_operations, is_equal


def patched(document: object, *operations: object) -> object:
    """A copy of `document` after the operations."""
    return apply_operations(json.loads(json.dumps(document)), list(operations))


def op(kind: str, path: str, value: object = ..., **more: object) -> dict[str, Any]:
    given = {} if value is ... else {"value": value}
    return {"op": kind, "path": path, **given, **more}


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        # The appendix of the RFC, A.1 to A.16.
        ({"foo": "bar"}, [op("add", "/baz", "qux")], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, [op("add", "/foo/1", "qux")], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [op("remove", "/baz")], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [op("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
        ({"baz": "qux"}, [op("replace", "/baz", "boo")], {"baz": "boo"}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            [op("move", "/qux/thud", **{"from": "/foo/waldo"})],
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": ["all", "grass", "cows", "eat"]},
            [op("move", "/foo/3", **{"from": "/foo/1"})],
            {"foo": ["all", "cows", "eat", "grass"]},
        ),
        (
            {"baz": "qux", "foo": ["a", 2, "c"]},
            [op("test", "/baz", "qux"), op("test", "/foo/1", 2)],
            {"baz": "qux", "foo": ["a", 2, "c"]},
        ),
        ({"foo": "bar"}, [op("add", "/child", {"g": {}})], {"foo": "bar", "child": {"g": {}}}),
        ({"foo": "bar"}, [op("add", "/baz", "qux", xyz=123)], {"foo": "bar", "baz": "qux"}),
        ({"/": 9, "~1": 10}, [op("test", "/~01", 10)], {"/": 9, "~1": 10}),
        ({"foo": ["bar"]}, [op("add", "/foo/-", ["a", "b"])], {"foo": ["bar", ["a", "b"]]}),
        # And beyond.
        ({"a": 1}, [op("add", "/a", 2)], {"a": 2}),
        ({"a": []}, [op("add", "/a/0", 1), op("add", "/a/0", 2)], {"a": [2, 1]}),
        ({"a": [1, 2]}, [op("replace", "/a/1", None)], {"a": [1, None]}),
        ({"": 1, "a/b": 2}, [op("replace", "/", 3), op("remove", "/a~1b")], {"": 3}),
        ({"a": 1}, [op("replace", "", {"b": 2})], {"b": 2}),
        ({"a": 1}, [op("add", "", {"b": 2}), op("add", "/c", 3)], {"b": 2, "c": 3}),
        ({"a": {"b": 1}}, [op("move", "", **{"from": "/a"})], {"b": 1}),
        ({"a": {"b": 1}}, [op("move", "/a", **{"from": "/a"})], {"a": {"b": 1}}),
        ({"a": 1}, [], {"a": 1}),
    ],
)
def test_operations_are_applied_in_order(
    document: object, operations: list[object], expected: object
) -> None:
    assert patched(document, *operations) == expected


def test_a_copy_is_another_value() -> None:
    copied = op("copy", "/b", **{"from": "/a"})
    assert patched({"a": {"n": 1}}, copied, op("replace", "/b/n", 2)) == {
        "a": {"n": 1},
        "b": {"n": 2},
    }


def test_a_value_added_twice_is_two_values() -> None:
    value: dict[str, int] = {}
    operations = [op("add", "/a", value), op("add", "/b", value), op("add", "/a/n", 1)]
    assert apply_operations({}, operations) == {"a": {"n": 1}, "b": {}}
    assert value == {}


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (op("add", "/a/b", 1), "'b' leads into what is neither object nor array"),
        (op("add", "/x/y", 1), "there is no property 'x'"),
        (op("add", "/list/4", 1), "the array has no place 4"),
        (op("add", "/list/01", 1), "'01' is no index of an array"),
        (op("add", "/list/x", 1), "'x' is no index"),
        (op("add", "/list/-1", 1), "'-1' is no index"),
        (op("add", "/list/²", 1), "is no index"),
        (op("add", f"/list/{'9' * 5_000}", 1), "is no index"),
        (op("add", "/b"), "'value' is missing"),
        (op("add", "b", 1), "'path' starts with '/', or is empty"),
        (op("add", "/~", 1), "'path' holds a '~' that is neither"),
        (op("add", "/~2", 1), "'path' holds a '~' that is neither"),
        (op("remove", "/list/3"), "the array has no place 3"),
        (op("remove", "/list/-"), "'-' is no index of an array"),
        (op("remove", "/x"), "there is no property 'x'"),
        (op("remove", ""), "the whole document cannot be removed"),
        (op("replace", "/x", 1), "there is no property 'x'"),
        (op("replace", "/list/3", 1), "the array has no place 3"),
        (op("move", "/b"), "'from' is missing"),
        (op("move", "/object/in/deep", **{"from": "/object"}), "nothing is moved into itself"),
        (op("copy", "/b", **{"from": "/x"}), "there is no property 'x'"),
        (op("test", "/a", 2), "the value there is another one"),
        (op("test", "/a", True), "the value there is another one"),
        (op("test", "/x", None), "there is no property 'x'"),
        (op("merge", "/a", 1), "the operation 'merge' is none of the six"),
        ({"path": "/a"}, "the operation 'None' is none of the six"),
        ({"op": "add", "value": 1}, "'path' is missing"),
        ({"op": ["add"], "path": "/a"}, "is none of the six"),
        ("add", "an object was expected"),
    ],
)
def test_an_operation_that_cannot_be_is_named(operation: object, message: str) -> None:
    document = {"a": 1, "list": [1, 2, 3], "object": {"in": {}}}
    with pytest.raises(JsonPatchFailed) as caught:
        patched(document, op("test", "/a", 1), operation)
    assert message in str(caught.value)
    assert str(caught.value).startswith("Operations[1]")


def test_operations_are_a_list() -> None:
    with pytest.raises(JsonPatchFailed, match="an array was expected"):
        apply_operations({}, {"op": "add"})
    with pytest.raises(JsonPatchFailed, match="10000 are allowed"):
        apply_operations({}, [op("add", "/a", 1)] * 10_001)


def test_values_are_equal_as_json() -> None:
    assert is_equal({"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}]})
    for one, other in [(1, True), (0, False), ("1", 1), ([], {}), ({"a": 1}, {"a": 1, "b": 2})]:
        assert not is_equal(one, other) and not is_equal(other, one)
    assert not is_equal([1, 2], [1])


def test_operations_copy_so_much() -> None:
    doubling = [op("copy", f"/x{n}", **{"from": ""}) for n in range(64)]
    with pytest.raises(JsonPatchFailed, match="copy over 16777216 bytes"):
        apply_operations({"a": "x" * 1_000}, doubling)


def test_operations_nest_so_deep() -> None:
    deeper = [op("add", "/a" * n, {}) for n in range(1, 400)]
    with pytest.raises(JsonPatchFailed, match="254 levels"):
        apply_operations({}, [*deeper, op("copy", "/b", **{"from": "/a"})])
