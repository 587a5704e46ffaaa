"""What C# decides by looking ahead, decided on the tokens before they are parsed.

A parenthesis may open a cast, a lambda or neither; `<` may open type arguments; `from`, `where`,
`select` and others are keywords within a query only. The rules are those of the C# specification
(casts 12.9.7, type arguments 6.2.5, words of queries 12.20.1), with a limit on how far they look.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from quoth_node.indexing.refusal import DefinitionRefused

TOKENS_MAX = 50_000
BRACKETS_MAX = 64  # one in another
TYPE_TOKENS_MAX = 64

KEYWORDS = {
    **{"new": "NEW", "null": "NULL", "true": "TRUE", "false": "FALSE"},
    **{"this": "THIS", "is": "IS", "as": "AS"},
}
QUERY_WORDS = {
    **{"in": "IN", "let": "LET", "where": "WHERE", "orderby": "ORDERBY"},
    **{"select": "SELECT", "group": "GROUP", "by": "BY", "into": "INTO"},
    **{"ascending": "ASCENDING", "descending": "DESCENDING"},
}
PREDEFINED = frozenset(
    "bool byte sbyte char decimal double float int uint long ulong short ushort object string "
    "dynamic DateTime DateTimeOffset TimeSpan Guid".split()
)
CLOSING = {"(": ")", "[": "]", "?[": "]", "{": "}"}
AFTER_TYPES = frozenset("( ) ] } : ; , . ?. ? == != ^ | || & && [".split())
OPERANDS = frozenset(
    "NAME NUMBER STRING VERBATIM CHARACTERS INTERPOLATED NULL TRUE FALSE THIS".split()
)


class Word(Protocol):
    """A token, as lark makes them."""

    type: str
    value: str
    line: int | None
    column: int | None

    def update(self, type: str | None = None, value: str | None = None) -> "Word":
        """The same token of another type."""
        ...


class Disambiguation:
    """A step between the lexer and the parser; has the shape of lark's postlex."""

    always_accept = ()

    def process(self, stream: Iterator[Word]) -> Iterator[Word]:
        """The tokens with their final types."""
        words: list[Word] = []
        for word in stream:
            words.append(word)
            if len(words) > TOKENS_MAX:
                raise refused(f"the definition has over {TOKENS_MAX} words and signs", word)
        yield from _Settling(words).run()


def refused(message: str, word: Word) -> DefinitionRefused:
    """An error at a token."""
    return DefinitionRefused(message, word.line or 1, word.column or 1)


class _Settling:
    """One pass over all tokens, the first to the last; what is behind is final."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = list(words)
        self._closing = _brackets(words)
        self._typed: set[int] = set()  # where a type stands before a name

    def run(self) -> Iterator[Word]:
        in_query = [False]
        for at, word in enumerate(self._words):
            if word.value in CLOSING and at in self._closing:
                in_query.append(in_query[-1])
            elif word.value in (")", "]", "}") and len(in_query) > 1:
                in_query.pop()
            if word.type == "NAME":
                in_query[-1] = self._settle_name(at, in_query[-1])
            elif word.value == "(":
                self._settle_parenthesis(at)
            elif word.value == "<":
                self._settle_less(at)
        for at, word in enumerate(self._words):
            if at in self._typed:
                yield word.update(type="TYPED", value="")
            yield word

    def _value(self, at: int) -> str:
        return self._words[at].value if 0 <= at < len(self._words) else ""

    def _type(self, at: int) -> str:
        return self._words[at].type if 0 <= at < len(self._words) else ""

    def _become(self, at: int, type_: str) -> None:
        self._words[at] = self._words[at].update(type=type_)

    # Words

    def _settle_name(self, at: int, in_query: bool) -> bool:
        """Whether words of queries are keywords from here on."""
        value = self._value(at)
        if self._value(at - 1) in (".", "?."):
            return in_query
        if self._value(at + 1) == "=>":
            self._become(at, "LAMBDA_NAME")
        elif value in KEYWORDS:
            self._become(at, KEYWORDS[value])
            if value in ("new", "is", "as"):
                self._settle_type(at + 1)
        elif value == "not" and self._type(at - 1) == "IS":
            self._become(at, "NOT")
            self._settle_type(at + 1)
        elif value == "from" and self._begins_query(at):
            self._become(at, "FROM")
            return True
        elif in_query and value == "join" and self._type(at + 1) == "NAME":
            text = "'join' cannot be indexed: use LoadDocument or several maps"
            raise refused(text, self._words[at])
        elif in_query and value in QUERY_WORDS and self._value(at + 1) != "=":
            self._become(at, QUERY_WORDS[value])
        return in_query

    def _begins_query(self, at: int) -> bool:
        if self._type(at + 1) == "NAME" and self._value(at + 2) == "in":
            return True
        end = self._type_end(at + 1)
        if end is None or self._type(end) != "NAME" or self._value(end + 1) != "in":
            return False
        self._typed.add(at + 1)
        self._settle_type(at + 1)
        return True

    # Signs

    def _settle_parenthesis(self, at: int) -> None:
        end = self._closing.get(at)
        if end is None or self._ends_operand(at - 1):
            return
        if self._value(end + 1) == "=>":
            self._become(at, "LAMBDA_OPEN")
            self._settle_parameters(at + 1, end)
        elif self._is_cast(at, end):
            self._become(at, "CAST_OPEN")
            self._settle_type(at + 1)

    def _ends_operand(self, at: int) -> bool:
        return self._type(at) in OPERANDS or self._value(at) in (")", "]", "}", ">")

    def _is_cast(self, at: int, end: int) -> bool:
        if self._type_end(at + 1) != end:
            return False
        first, last = self._value(at + 1), self._value(end - 1)
        if last in ("?", ">", "]") or (first in PREDEFINED and end == at + 2):
            return True
        following = self._words[end + 1] if end + 1 < len(self._words) else None
        if following is None:
            return False
        if following.type == "NAME":
            return following.value not in QUERY_WORDS and following.value not in ("is", "as")
        return following.type in OPERANDS or following.value in ("(", "!")

    def _settle_parameters(self, at: int, end: int) -> None:
        while at < end:
            type_end = self._type_end(at)
            if type_end is None:
                return
            if type_end < end and self._type(type_end) == "NAME":
                self._typed.add(at)
                self._settle_type(at)
                type_end += 1
            at = type_end + 1

    def _settle_less(self, at: int) -> None:
        """Type arguments, if what follows cannot come behind a comparison."""
        if self._type(at) != "LESS" or self._type(at - 1) != "NAME":
            return
        end = self._type_end(at - 1)
        if end is None or self._value(end - 1) != ">":
            return
        if end == len(self._words) or self._value(end) in AFTER_TYPES:
            self._settle_type(at - 1)

    # Types

    def _settle_type(self, at: int) -> None:
        end = self._type_end(at)
        for inside in range(at, end or at):
            settled = {"<": "TYPES_OPEN", ">": "TYPES_CLOSE", "?": "NULLABLE"}
            if self._value(inside) in settled:
                self._become(inside, settled[self._value(inside)])

    def _type_end(self, at: int) -> int | None:
        """Behind the longest type that begins here; None if none does."""
        return _TypeScan(self._value, self._type, at + TYPE_TOKENS_MAX).end(at)


class _TypeScan:
    """Looks over `A.B<C, D?>?[]`, up to a token."""

    def __init__(
        self, value: Callable[[int], str], type_: Callable[[int], str], limit: int
    ) -> None:
        self._value = value
        self._type = type_
        self._limit = limit

    def end(self, at: int) -> int | None:
        if self._type(at) != "NAME" or at > self._limit:
            return None
        at += 1
        while self._value(at) == "." and self._type(at + 1) == "NAME":
            at += 2
        if self._value(at) == "<":
            behind = self._arguments_end(at + 1)
            at = at if behind is None else behind
        if self._value(at) == "?" and self._value(at + 1) in (")", ">", ",", "["):
            at += 1
        while self._value(at) == "[" and self._value(at + 1) == "]":
            at += 2
        return at

    def _arguments_end(self, at: int) -> int | None:
        while True:
            end = self.end(at)
            if end is None or end > self._limit or self._value(end) not in (",", ">"):
                return None
            at = end + 1
            if self._value(end) == ">":
                return at


def _brackets(words: Sequence[Word]) -> dict[int, int]:
    """Opening -> closing. Those without a partner are for the parser to complain about."""
    pairs: dict[int, int] = {}
    waiting: list[int] = []
    for at, word in enumerate(words):
        if word.value in CLOSING:
            waiting.append(at)
            if len(waiting) > BRACKETS_MAX:
                raise refused(f"over {BRACKETS_MAX} brackets stand in one another", word)
        elif word.value in (")", "]", "}"):
            if not waiting or CLOSING[words[waiting[-1]].value] != word.value:
                return pairs
            pairs[waiting.pop()] = at
    return pairs
