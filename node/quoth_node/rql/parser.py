"""The one door to lark here: a text becomes the words of `syntax`, and those the tree.

The grammar is LALR(1), so the time is linear in the text, and its lexer knows which words may come:
`order` is a field wherever no clause can begin. Scripts are blanked before (see `script`).
"""

import re
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken

from quoth_node.rql.errors import RqlError
from quoth_node.rql.literals import number_of, unquoted
from quoth_node.rql.meaning import meaning_of
from quoth_node.rql.operands import Literal, Parameter, Position, Value
from quoth_node.rql.script import blank_scripts
from quoth_node.rql.syntax import (
    Call,
    Clauses,
    Compared,
    DeclaredFunction,
    From,
    Joined,
    Listed,
    Name,
    Named,
    Negated,
    Node,
    Ordered,
    Path,
    Ranged,
    Script,
    Selection,
    Word,
)
from quoth_node.rql.tree import Page, Query

Limit = tuple[Value | None, Value | None]  # skip, take

TEXT_CHARACTERS_MAX = 256 * 1_024
EXPECTED_MAX = 8
GOT_CHARACTERS_MAX = 100
WORD = re.compile(r"\w+|.", re.DOTALL)
# What people call what the grammar expects.
WORDS = {
    "PATH": "a name",
    "STRING": "a string",
    "NUMBER": "a number",
    "PARAMETER": "a parameter",
    "OPERATOR": "an operator",
    "SCRIPT": "{",
    "OPEN": "(",
    "CLOSE": ")",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "AND_WORD": "and",
    "OR_WORD": "or",
    "$END": "end of query",
}


def parse(text: str) -> Query:
    """What a text says.

    Raises RqlError with the place of the first thing that is wrong.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise RqlError(f"The query is over {TEXT_CHARACTERS_MAX} characters long", 1, 1)
    blanked = blank_scripts(text)
    try:
        clauses: object = _lark().parse(blanked.text)
    except UnexpectedToken as error:
        names, token = set(error.accepts or error.expected), error.token
        if token.type != "$END":
            raise _unexpected(str(token), names, token.line or 1, token.column or 1) from None
        end = blanked.text.rstrip()
        line, column = end.count("\n") + 1, len(end) - end.rfind("\n")
        raise _unexpected("end of query", names, line, column) from None
    except UnexpectedCharacters as error:
        found = WORD.match(blanked.text, error.pos_in_stream or 0)
        got = found.group() if found else "end of query"
        raise _unexpected(got, error.allowed or set(), error.line, error.column) from None
    assert isinstance(clauses, Clauses), "what `start` makes"
    return meaning_of(clauses, text=text, scripts=blanked.inside)


def warm() -> None:
    """Build the parser, which takes a while; else the first query waits for it."""
    _lark()


@cache
def _lark() -> Lark:
    grammar = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        maybe_placeholders=True,
        transformer=ToSyntax(),
    )


def _unexpected(got: str, names: set[str], line: int, column: int) -> RqlError:
    got, line, column = got[:GOT_CHARACTERS_MAX], max(line, 1), max(column, 1)
    if "$END" in names:
        return RqlError(f"Expected end of query but got: {got}", line, column)
    found = {WORDS.get(name, name.strip("_").lower()) for name in names}
    words = sorted(found, key=lambda word: (not word[0].isalpha(), word))
    if len(words) > EXPECTED_MAX:
        words = [*words[:EXPECTED_MAX], "others"]
    expected = " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
    return RqlError(f"Expected {expected or 'something else'} but got: {got}", line, column)


def _at(token: Token) -> Position:
    return Position(token.line or 1, token.column or 1)


class ToSyntax(Transformer[Token, object]):
    """Makes each rule of the grammar a value, while the text is read.

    The grammar says what the children of a rule are, so nobody checks it here once more.
    """

    def start(self, parts: list[Any]) -> Clauses:
        functions, clauses = parts[:-10], parts[-10:]
        source, group_by, where, order_by, loads, filter_, update, selection, *rest = clauses
        includes, page = rest
        return Clauses(
            functions=tuple(functions),
            source=source,
            group_by=group_by or (),
            where=where,
            order_by=order_by or (),
            loads=loads or (),
            filter=filter_,
            update=update,
            selection=selection,
            includes=includes or (),
            page=page or Page(),
        )

    def function(self, parts: list[Any], is_series: bool = False) -> DeclaredFunction:
        name, *parameters, script = parts
        names = tuple(str(token) for token in parameters if token is not None)
        return DeclaredFunction(Path(str(name), _at(name)), names, _script(script), is_series)

    def series_function(self, parts: list[Any]) -> DeclaredFunction:
        _, *rest = parts
        return self.function(rest, is_series=True)

    def collection(self, parts: list[Any]) -> From:
        name, alias = parts
        return From(name, alias, is_index=False)

    def index(self, parts: list[Any]) -> From:
        name, alias = parts
        return From(name, alias, is_index=True)

    def name(self, parts: list[Token]) -> Name:
        (token,) = parts
        text = unquoted(token) if token.type == "STRING" else str(token)
        return Name(text, _at(token))

    def ordering(self, parts: list[Any]) -> Ordered:
        by, kind, direction = parts
        path = None if kind is None else Path(str(kind), _at(kind))
        is_descending = direction is not None and direction.type == "DESCENDING"
        return Ordered(by, path, is_descending)

    def named(self, parts: list[Any]) -> Named:
        return Named(*parts)

    def script(self, parts: list[Token]) -> Script:
        return _script(parts[0])

    def select_script(self, parts: list[Any]) -> Selection:
        return Selection(is_distinct=parts[0] is not None, script=parts[1])

    def select_fields(self, parts: list[Any]) -> Selection:
        return Selection(is_distinct=parts[0] is not None, fields=tuple(parts[1:]))

    def several(self, parts: list[Any]) -> tuple[Any, ...]:
        return tuple(parts)

    def page(self, parts: list[Any]) -> Page:
        (skip, take), scan = parts
        return Page(skip, take, scan)

    def only_scan(self, parts: list[Any]) -> Page:
        return Page(scan=parts[0])

    def limit_take(self, parts: list[Any]) -> Limit:
        return None, parts[0]

    def limit_skip(self, parts: list[Any]) -> Limit:
        return parts[0], None

    def limit_skip_take(self, parts: list[Any]) -> Limit:
        return parts[0], parts[1]

    def limit_take_skip(self, parts: list[Any]) -> Limit:
        return parts[1], parts[0]

    group_by = order_by = load = include = arguments = several
    grouped = loaded = selected = named

    def disjunction(self, parts: list[Node]) -> Joined:
        return Joined(is_or=True, nodes=tuple(parts))

    def conjunction(self, parts: list[Node]) -> Joined:
        return Joined(is_or=False, nodes=tuple(parts))

    def negation(self, parts: list[Node]) -> Node:
        (inner,) = parts
        return inner.inner if isinstance(inner, Negated) else Negated(inner)

    def comparison(self, parts: list[Any]) -> Compared:
        left, operator, right = parts
        return Compared(left, str(operator), right, _at(operator))

    def in_list(self, parts: list[Any]) -> Listed:
        left, token, values = parts
        return Listed(left, values or (), is_all=False, position=_at(token))

    def not_in_list(self, parts: list[Any]) -> Negated:
        return Negated(self.in_list(parts))

    def all_in_list(self, parts: list[Any]) -> Listed:
        left, token, values = parts
        return Listed(left, values or (), is_all=True, position=_at(token))

    def between(self, parts: list[Any]) -> Ranged:
        left, token, low, high = parts
        return Ranged(left, low, high, _at(token))

    def path(self, parts: list[Token]) -> Path:
        return Path(str(parts[0]), _at(parts[0]))

    def call(self, parts: list[Any]) -> Call:
        name, opening, arguments, closing = parts
        return Call(
            name=str(name),
            arguments=arguments or (),
            position=_at(name),
            start=name.start_pos,
            opening=opening.start_pos,
            end=closing.end_pos,
        )

    def word(self, parts: list[Token]) -> Word:
        return Word(parts[0].lower(), _at(parts[0]))

    def string(self, parts: list[Token]) -> Literal:
        return Literal(unquoted(parts[0]), _at(parts[0]))

    def number(self, parts: list[Token]) -> Literal:
        return Literal(number_of(parts[0]), _at(parts[0]))

    def parameter(self, parts: list[Token]) -> Parameter:
        return Parameter(parts[0][1:], _at(parts[0]))

    def true(self, parts: list[Token]) -> Literal:
        return Literal(True, _at(parts[0]))

    def false(self, parts: list[Token]) -> Literal:
        return Literal(False, _at(parts[0]))

    def null(self, parts: list[Token]) -> Literal:
        return Literal(None, _at(parts[0]))


def _script(token: Token) -> Script:
    return Script(token.start_pos or 0, _at(token))
