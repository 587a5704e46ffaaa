"""Numbers survive a script that leaves them alone, to the last digit of their text."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.scripting.runs import changed, text_after
from tests.unit.state.story import STEADY

BIG = 12_345_678_901_234_567_891


@pytest.mark.parametrize(
    "number",
    [
        *("0", "-1", "1.5", "0.1", "1e-7", "1e21", "123456789012345.6", "9007199254740991"),
        *("1.0", "100.0", "-0.0", "1e16", "9007199254740993", "-9007199254740993"),
        *("1152921504606846976", "18446744073709551615", "-9223372036854775808"),
    ],
)
def test_a_number_that_is_left_alone_keeps_its_text(number: str) -> None:
    document = f'{{"a":{number},"b":[{number},{{"c":{number}}}],"d":"{number}"}}'
    assert text_after("this.x = 1", document) == f'{document[:-1]},"x":1}}'


@given(
    st.recursive(
        st.one_of(
            st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False)
        ),
        lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text("abc"), values),
        max_leaves=10,
    )
)
@STEADY
def test_a_document_that_is_left_alone_keeps_its_text(value: object) -> None:
    document = orjson.dumps({"value": value}).decode()
    assert text_after("this.x = 1", document) == f'{document[:-1]},"x":1}}'


def test_a_long_number_keeps_its_digits_wherever_it_is_moved() -> None:
    script = (
        "this.list.unshift(0); this.list.push(this.big); this.other = {deep: this.big};"
        "this.args = args.big; delete this.big; put('copy', this.other)"
    )
    document = f'{{"big":{BIG},"list":[{BIG}]}}'.encode()
    found = changed(script, document=document, arguments=f'{{"big":{BIG}}}'.encode())
    assert found == {"list": [0, BIG, BIG], "other": {"deep": BIG}, "args": BIG}


def test_a_long_number_counts_as_a_number() -> None:
    script = (
        "this.more = this.big + 1; this.is = this.big > 5; this.same = this.big === this.twin;"
        "this.text = String(this.big)"
    )
    found = changed(script, document=f'{{"big":{BIG},"twin":{BIG}}}'.encode())
    assert found["more"] == pytest.approx(BIG) and found["big"] == BIG
    assert (found["is"], found["same"]) == (True, True)


def test_a_number_that_was_changed_is_written_as_javascript_writes_it() -> None:
    assert text_after("this.a = this.a * 2", '{"a":1.0,"b":1.0}') == '{"a":2,"b":1.0}'
    assert text_after("this.a = 1", '{"a":1.0}') == '{"a":1.0}', "the value it had"


@pytest.mark.parametrize("text", ["a\0b", "\u2028", "\N{GRINNING FACE}", '\\"', "</script>"])
def test_text_goes_through_unharmed(text: str) -> None:
    document = orjson.dumps({"a": text, text: 1})
    given = orjson.dumps({"x": text})
    found = changed("this.b = this.a + args.x", document=document, arguments=given)
    assert found == {"a": text, text: 1, "b": text + text}


def test_a_script_may_write_long_numbers() -> None:
    assert changed(f"this.n = {BIG}n")["n"] == BIG
    assert changed("this.n = 0 / 0")["n"] is None
