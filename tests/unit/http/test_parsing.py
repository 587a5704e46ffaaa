"""Parsing keeps to its bounds, and works in slices that leave nothing out."""

import random
import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_node.http.errors import BadBody, OverLimit
from quoth_node.http.wire.parsing import (
    DEPTH_MAX,
    SLICE_BYTES,
    check_numbers,
    outside_strings,
    parse,
)

LONG = b"99999999999999999999"
MANY = {
    "arrays": b'{"a":[' + b"[]," * 1_000_001 + b"1]}",
    "objects": b'{"a":[' + b"{}," * 1_000_001 + b"1]}",
    "properties": b"[" + b'{"a":1,"b":2},' * 500_001 + b"1]",
    "values": b"[" + b"1," * 2_000_001 + b"1]",
    "arrays nobody closes": b"[" * 1_000_001,
}


@pytest.mark.parametrize("body", MANY.values(), ids=MANY.keys())
def test_what_would_take_long_is_refused_at_once(body: bytes) -> None:
    began = time.process_time()
    with pytest.raises(OverLimit, match=r"The body holds over [0-9]+0000 .*: send it in parts"):
        parse(body)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("text", ["a, b; [c] {d}: ", '"quoted, \\", [:] ', "\\\\,[", "é,"])
def test_what_stands_in_strings_does_not_count(text: str) -> None:
    body = orjson.dumps({"text": text * 2_000_001, "tail": [1, 2]})
    assert parse(body) == orjson.loads(body)


def test_strings_are_told_wherever_a_slice_is_cut() -> None:
    for shift in range(40):
        text = "x" * (SLICE_BYTES - 30 + shift) + '\\"[,\\\\"' + "y" * shift
        body = orjson.dumps([text, {"a": text}, text, 1])
        assert b"".join(outside_strings(body)).replace(b" ", b"") == b"[,{:},,1]"


def test_long_numbers_are_found_wherever_a_slice_is_cut() -> None:
    for shift in range(50):
        pad = b" " * (SLICE_BYTES - 40 + shift)
        with pytest.raises(BadBody, match=" 99999999999999999999 does not fit"):
            check_numbers(b"[%b%b]" % (pad, LONG))
        check_numbers(b"[%b18446744073709551615,1.%b,%be1]" % (pad, LONG, LONG))
        check_numbers(b'[%b"%b","\\"%b"]' % (pad, LONG, LONG))


def test_long_numbers_are_told_from_strings_in_any_order() -> None:
    chance = random.Random(5)
    strings = [b'"%b"' % LONG, b'"\\\\"', b'"\\"%b"' % LONG, b'"%b"' % (b"z" * 40_000), b"1"]
    for _ in range(30):
        harmless = chance.choices(strings, k=20)
        check_numbers(b"[%b]" % b",".join(harmless))
        harmless.insert(chance.randrange(20), LONG)
        with pytest.raises(BadBody):
            check_numbers(b"[%b]" % b",".join(harmless))


def test_a_digit_string_without_end_is_no_number() -> None:
    check_numbers(b'["%b"]' % (b"9" * 200_000))
    check_numbers(b"[0.%b]" % (b"9" * 200_000))
    with pytest.raises(BadBody):
        check_numbers(b"[%b]" % (b"9" * 200_000))


# Text that looks like JSON, where strings end and escapes begin.
TEXTS = st.text(st.sampled_from('\\":{}[],a\u00e9\n '), max_size=6)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
STEADY = settings(derandomize=True, deadline=None, max_examples=500)


@STEADY
@given(value=VALUES, padding=st.sampled_from([0, 200, SLICE_BYTES - 20]))
def test_what_can_be_kept_is_read_as_it_is(value: object, padding: int) -> None:
    body = orjson.dumps(["[" * padding, *[[]] * min(padding, 200), value])
    assert parse(body) == orjson.loads(body)


@STEADY
@given(value=VALUES, name=TEXTS, padding=st.sampled_from([0, SLICE_BYTES - 10]))
def test_a_property_that_stands_twice_is_found(value: object, name: str, padding: int) -> None:
    member = orjson.dumps(name) + b":" + orjson.dumps(value)
    escaped = b'"' + b"".join(b"\\u%04x" % ord(sign) for sign in name) + b'":1'
    for twice in (member + b"," + member, member + b"," + escaped):
        body = b'["%b",{%b}]' % (b"x" * padding, twice)
        with pytest.raises(BadBody, match="two properties of the same name"):
            parse(body)


@STEADY
@given(
    signs=st.lists(st.sampled_from(["[", '{"a":']), min_size=DEPTH_MAX, max_size=DEPTH_MAX),
    padding=st.sampled_from([0, SLICE_BYTES - 100]),
)
def test_how_deep_it_goes_is_counted_to_the_level(signs: list[str], padding: int) -> None:
    opened = "".join(signs).encode()
    closed = "".join("]" if sign == "[" else "}" for sign in reversed(signs)).encode()
    beside = b'"%b",' % (b"[" * padding)
    wide = b"[" + b"[]," * 200 + b"1]"
    with pytest.raises(BadBody, match=f"nested too deep: {DEPTH_MAX} levels"):
        parse(b"[" + beside + wide + b"," + opened + b"1" + closed + b"]")
    inner, ends = "".join(signs[1:]).encode(), closed[:-1]
    parse(b"[" + beside + wide + b"," + inner + b"1" + ends + b"]")
