"""A JSON array in pieces: wherever it is cut, what comes out is what was put in."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_node.http.errors import BadBody, BodyTooLarge, HttpError
from quoth_node.http.splitting import Splitter

STEADY = settings(derandomize=True, deadline=None, max_examples=300)
TRICKY = st.sampled_from(['},{"Id":"a","Type":"', '"', "\\", '\\"', "[", "]", "{", "},{", ",", "é"])
TEXTS = st.text(max_size=8) | st.lists(TRICKY, max_size=5).map("".join)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXTS, inner, max_size=4)
        | st.lists(st.builds(lambda v: {"Id": v, "Type": "PUT"}, inner), max_size=4)
    ),
    max_leaves=12,
)
COMMANDS = st.builds(lambda i, d: {"Id": i, "Type": "PUT", "Document": d}, TEXTS, VALUES)
ELEMENTS = st.lists(COMMANDS | VALUES, max_size=8)


def write(elements: list[Any], style: int) -> bytes:
    """The array as one client or another writes it."""
    if style == 0:
        return orjson.dumps(elements)
    if style == 1:
        return json.dumps(elements).encode()
    return b" \r\n" + json.dumps(elements, indent=1, ensure_ascii=False).encode() + b"\n\t "


def split(body: bytes, cuts: list[int], *, run_bytes: int) -> list[Any]:
    """What comes of a body that is cut at `cuts`."""
    splitter = Splitter(element_bytes_max=1_000_000, run_bytes=run_bytes)
    ends = [*sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    found: list[Any] = []
    start = 0
    for end in ends:
        for run in splitter.feed(body[start:end]):
            found += run
        start = end
    for run in splitter.finish():
        found += run
    assert splitter.count == len(found)
    return found


CUTS = st.lists(st.integers(0, 2_000), max_size=12)
RUN_BYTES = st.sampled_from([1, 2, 7, 40, 200])


@STEADY
@given(ELEMENTS, st.integers(0, 2), CUTS, RUN_BYTES)
def test_any_cut_gives_the_same_elements(
    elements: list[Any], style: int, cuts: list[int], run_bytes: int
) -> None:
    assert split(write(elements, style), cuts, run_bytes=run_bytes) == elements


@STEADY
@given(st.lists(COMMANDS, max_size=4), st.integers(0, 2))
def test_even_byte_by_byte(elements: list[Any], style: int) -> None:
    body = write(elements, style)
    assert split(body, list(range(len(body))), run_bytes=1) == elements


@STEADY
@given(
    ELEMENTS,
    CUTS,
    RUN_BYTES,
    st.integers(0, 2_000),
    st.sampled_from([b"", b",", b"]", b"[", b"}", b"{", b'"', b"\\", b"x", b" ", b"\xff"]),
    st.booleans(),
)
def test_what_is_broken_is_refused_and_nothing_else(
    elements: list[Any], cuts: list[int], run_bytes: int, at: int, put: bytes, over: bool
) -> None:
    body = write(elements, 0)
    at %= len(body) + 1
    broken = body[:at] + put + body[at + over :]
    try:
        expected = orjson.loads(broken)
    except orjson.JSONDecodeError:
        expected = None
    if isinstance(expected, list):
        assert split(broken, cuts, run_bytes=run_bytes) == expected
    else:
        with pytest.raises(BadBody):
            split(broken, cuts, run_bytes=run_bytes)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is empty: a JSON array of commands was expected"),
        (b"  ", "The body is empty: a JSON array of commands was expected"),
        (b"<stream>", "The body is no JSON array of commands: '[' was expected first"),
        (b'{"Commands":[]}', "The body is no JSON array of commands: '[' was expected first"),
        (b'[{"a":1},', "Behind the first 1 commands: the body is cut short"),
        (b'[{"a":1},{"b', "Behind the first 1 commands: the body is cut short"),
        (b'[{"a":1}] x', "The body goes on behind its array of 1 commands"),
        (b'[{"a":1},]', "Behind the first 0 commands: The body is not JSON"),
        (b'[{"a":1},|]', "Behind the first 1 commands: a value was expected beside ','"),
        (b'[,{"a":1}]', "Behind the first 0 commands: The body is not JSON"),
        (b'[,|{"a":1}]', "Behind the first 0 commands: a value was expected beside ','"),
        (b'[{"a":1}}]', "Behind the first 0 commands: a bracket is closed that was not opened"),
        (b'[{"a":1]]]', "Behind the first 0 commands: The body is not JSON"),
        (b"[" * 2_000, "Behind the first 0 commands: it is nested over 1000 levels deep"),
        (b'[{"a":99999999999999999999}]', "does not fit into 64 bits"),
    ],
)
def test_errors_name_the_place(body: bytes, message: str) -> None:
    before, cut, behind = body.partition(b"|")  # a bar is a cut
    with pytest.raises(HttpError) as raised:
        split(before + behind, [len(before)] if cut else [], run_bytes=1)
    assert message in raised.value.message


def test_an_element_is_scanned_once_however_many_pieces_it_comes_in() -> None:
    text = '},{"Id":"a","Type":"' * 100_000 + "\\" * 10
    body = orjson.dumps([{"Id": "big", "Type": "PUT", "Document": {"text": text}}, {"Id": "b"}])
    splitter = Splitter(element_bytes_max=10_000_000)
    found: list[Any] = []
    for at in range(0, len(body), 1_000):
        before = splitter._at
        for run in splitter.feed(body[at : at + 1_000]):
            found += run
        assert found or splitter._at >= before, "it never starts again"
    for run in splitter.finish():
        found += run
    assert [element["Id"] for element in found] == ["big", "b"]
    assert found[0]["Document"]["text"] == text


def test_the_end_of_the_array_is_seen_as_it_comes() -> None:
    body = write([{"Id": "a", "Document": {"list": [1]}}, {"Id": "b]"}], style=2)
    splitter = Splitter(element_bytes_max=1_000)
    found: list[Any] = []
    end = body.rindex(b"]")
    for at in range(end):
        for run in splitter.feed(body[at : at + 1]):
            found += run
        assert not splitter.is_complete
    for run in splitter.feed(body[end:]):
        found += run
    assert splitter.is_complete
    assert [element["Id"] for element in found] == ["a", "b]"]


def test_memory_is_bounded_by_one_element_and_a_piece() -> None:
    splitter = Splitter(element_bytes_max=200_000, run_bytes=1_000)
    list(splitter.feed(b"["))
    for _ in range(50):
        list(splitter.feed(b" " * 65_536))
        assert len(splitter.waiting) == 0, "blanks between elements are not kept"
    list(splitter.feed(b'{"text":"'))
    with pytest.raises(BodyTooLarge, match=r"Behind the first . commands: it is over the limit"):
        for _ in range(50):
            list(splitter.feed(b"x" * 65_536))
            assert len(splitter.waiting) <= 200_000


def test_blanks_in_a_row_have_a_limit_wherever_they_stand() -> None:
    for begin in (b"", b"[", b"[1,", b'[{"a":1}]'):
        splitter = Splitter(element_bytes_max=1_000, run_bytes=1, blank_bytes_max=100)
        list(splitter.feed(begin))
        list(splitter.feed(b" \r\n\t" * 25))
        with pytest.raises(BadBody, match=r"Behind the first . commands: over 100 blanks in a row"):
            list(splitter.feed(b" "))


def test_a_long_body_written_with_many_blanks_is_read() -> None:
    body = b"[" + b",".join(b" " * 60 + b"%d" % n for n in range(50)) + b"]" + b" " * 60
    splitter = Splitter(element_bytes_max=1_000, run_bytes=1, blank_bytes_max=100)
    pieces = (body[at : at + 10] for at in range(0, len(body), 10))
    assert [n for piece in pieces for run in splitter.feed(piece) for n in run] == [*range(50)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (b'{"a":1,"\\u0061":2}', "two properties of the same name"),
        (b"[" * 127 + b"]" * 127, "nested too deep: 128 levels"),
        (b"99999999999999999999", "does not fit into 64 bits"),
    ],
)
def test_a_long_stream_is_checked_as_a_short_one(wrong: bytes, message: str) -> None:
    command = b'{"Id":"a","Type":"PUT","Document":{"at":"10:00"}}'
    commands = [command] * 20 + [command.replace(b'"10:00"', wrong)] + [command] * 20
    body = b"[" + b",".join(commands) + b"]"
    for run_bytes in (len(body) + 1, len(body) - len(command)):  # by a scan, by a guess
        with pytest.raises(BadBody, match=message) as raised:
            split(body, [len(body) - 10], run_bytes=run_bytes)
        assert raised.value.message.startswith("Behind the first 0 commands: ")


def test_a_long_stream_may_be_as_deep_as_a_short_one() -> None:
    command = b'{"Id":"a","Type":"PUT","Document":%b}' % (b"[" * 126 + b"]" * 126)
    body = b"[" + b",".join([command] * 20) + b"]"
    for run_bytes in (len(body) + 1, 5 * len(command)):
        assert len(split(body, [*range(0, len(body), 50)], run_bytes=run_bytes)) == 20
