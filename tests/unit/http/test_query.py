"""The query string, as official clients write it and as nobody should."""

import pytest

from quoth_node.http.errors import BadArgument, BadRequest
from quoth_node.http.query import Query, format_timespan, unwrapped

DAY = 86_400.0


@pytest.mark.parametrize(
    "raw",
    [
        "id=users/1",
        "&id=users/1",
        "?&id=users%2F1",
        "??&id=users/1",
        "&&id=users%2f1&",
        "ID=users/1",
    ],
)
def test_the_oddities_of_clients_read_as_what_they_mean(raw: str) -> None:
    assert Query(raw).every("id") == ["users/1"]


def test_parameters_repeat_in_order_and_names_have_no_case() -> None:
    query = Query("id=b&ID=a&id=")
    assert query.every("id") == ["b", "a", ""]
    assert query.one("Id") == "b"


def test_the_question_mark_in_a_name_falls_away() -> None:
    assert Query("name=x&?raft-request-id=7").one("raft-request-id") == "7"


def test_plus_and_percent_are_decoded_once() -> None:
    assert Query("id=a+b%2Bc%2520").one("id") == "a b+c%20"


@pytest.mark.parametrize("raw", ["id=%FF", "id=%ED%A0%80", "id=\udc80", "id=a%00b", "%00=1"])
def test_what_is_no_text_is_refused(raw: str) -> None:
    with pytest.raises(BadRequest):
        Query(raw)


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(BadRequest, match=r"'zzz'.*idea, name"):
        Query("name=x&zzz=1").check(frozenset({"name", "idea"}))


def test_what_clients_send_everywhere_is_tolerated() -> None:
    raw = "loadHash=7&?raft-request-id=1&first-topology-update&applicationIdentifier=x&&queryHash=1"
    Query(raw).check(frozenset())
    Query("nodeTag=A").check(frozenset())  # from Node.js, to the node it chose by this tag


def test_debug_tags_are_bare_words() -> None:
    Query("wait-for-indexing").check(frozenset(), tags=True)
    with pytest.raises(BadRequest):
        Query("wait-for-indexing").check(frozenset())
    with pytest.raises(BadRequest):
        Query("wait-for-indexing=1").check(frozenset(), tags=True)


@pytest.mark.parametrize("text", ["abc", "1_0", "1.5", "٣", "0x1", "--1", "99999999999999999999"])
def test_a_bad_number_is_told_in_the_official_words(text: str) -> None:
    with pytest.raises(BadArgument, match=f"Could not parse query string 'n' as int val {text}"):
        Query(f"n={text}").integer("n")


def test_numbers_have_bounds_and_defaults() -> None:
    assert Query("n=-5").integer("n") == -5
    assert Query("n=").integer("n", 3) == 3
    assert Query("").integer("n", 3) == 3
    with pytest.raises(BadArgument, match="mandatory"):
        Query("").integer("n")
    with pytest.raises(BadArgument, match="from 0 to 9"):
        Query("n=10").integer("n", low=0, high=9)
    with pytest.raises(BadArgument, match="must be from"):
        Query("n=9223372036854775808").integer("n")


@pytest.mark.parametrize(("text", "value"), [("True", True), ("false", False), ("TRUE", True)])
def test_booleans_have_no_case(text: str, value: bool) -> None:
    assert Query(f"b={text}").boolean("b") is value


def test_a_bad_boolean_is_refused() -> None:
    with pytest.raises(BadArgument, match="as bool val yes"):
        Query("b=yes").boolean("b")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:15", 15.0), ("1.02:00:00", 93_600.0), ("0:1:2.5", 62.5), ("00:01", 60.0)],
)
def test_time_spans(text: str, seconds: float) -> None:
    assert Query(f"t={text}").timespan("t", high=2 * DAY) == seconds


@pytest.mark.parametrize(
    "text", ["zzz", "15", "24:00:00", "00:60:00", "-00:00:01", "00:00:00.12345678"]
)
def test_a_bad_time_span_is_told_in_the_official_words(text: str) -> None:
    with pytest.raises(BadArgument, match=f"'t' as timespan val {text}"):
        Query(f"t={text}").timespan("t", high=DAY)


def test_a_time_span_over_the_limit_names_the_limit() -> None:
    with pytest.raises(BadArgument, match=r"not be over 1\.00:00:00"):
        Query("t=2.00:00:00").timespan("t", high=DAY)


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.0, "00:00:03"), (93_600.5, "1.02:00:00.5000000"), (0.0, "00:00:00")]
)
def test_time_spans_are_written_as_they_are_read(seconds: float, text: str) -> None:
    assert format_timespan(seconds) == text


def test_the_repr_of_bytes_is_unwrapped() -> None:
    assert unwrapped(["b'Users/ByName'", "Users/ByName", 'b"it\'s"', "b", "b'"]) == (
        "Users/ByName",
        "Users/ByName",
        "it's",
        "b",
        "b'",
    )
