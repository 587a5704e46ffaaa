"""A text that is no query is refused with its first wrong place, and what would be right there."""

import pytest

from quoth_node.rql import RqlError, parse

WRONG = {
    "from Users wher name": (1, 17, "Expected end of query but got: name"),
    "": (1, 1, "Expected declare or from but got: end of query"),
    "from Users where (a = 1": (1, 24, "Expected ) but got: end of query"),
    "from Users\nwhere a =": (2, 10, "Expected a name, a number, a parameter, a string, false"),
    "from Users where a = b": (1, 22, "Expected a value or a parameter"),
    "from Users where name": (1, 18, "Expected a condition"),
    "from Users where a = 1\n  and nope(3)": (2, 7, "There is no function nope for conditions"),
    "from Users where startsWith(a)": (1, 18, "startsWith() takes 2 arguments, not 1"),
    "from Users where count() > 1": (1, 18, "count() stands only in a query with group by"),
    "from Users group by max(x)": (1, 21, "There is no function max for group by"),
    "from Users order by a as foo": (1, 26, "Expected string, long, double, alphaNumeric"),
    "from Users where a = 'x": (1, 22, "' is not closed"),
    "from Users select { a: ( }": (1, 26, "Expected ) but got: }"),
    "from Users select { a: 1": (1, 19, "{ is not closed"),
    "from Users select { a: `": (1, 24, "A template is not closed"),
    "from Users select { a: /x": (1, 24, "A regular expression is not closed"),
    "from Users /* where": (1, 12, "/* is not closed"),
    "from Users where " + "(" * 65 + "a = 1": (1, 82, "Parentheses within over 64 others"),
    "from Users where a = #": (1, 22, "Expected a name, a number"),
    "from Users where fuzzy(a > 1, 0.5)": (1, 26, "fuzzy() takes a comparison with ="),
    "from Users where proximity(a = 1, 5)": (1, 30, "proximity() takes a search()"),
    "from Users include nope(x)": (1, 20, "There is no function nope for include"),
    "from Users update { } select a": (1, 19, "A query has select or update, not both"),
    "from ''": (1, 6, "Expected the name of a collection or an index"),
    "from a" * 50_000: (1, 1, "The query is over 262144 characters long"),
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:40])
def test_an_error_has_a_place(text: str) -> None:
    line, column, message = WRONG[text]
    with pytest.raises(RqlError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.message.startswith(message)


def test_an_error_is_told_with_its_query() -> None:
    told = RqlError("Expected end of query but got: name", 1, 17).told("from Users wher name")
    assert told == "1:17 Expected end of query but got: name\nQuery: \nfrom Users wher name"
