"""The common subset of Lucene's query syntax within `lucene(field, '...')`.

    words, "a phrase", wild*cards and ?, +must -mustNot, AND OR NOT && || !, (parentheses),
    [a TO b] and {a TO b}; each about the one field.
"""

import re
from dataclasses import dataclass

from quoth_node.querying.errors import InvalidQuery

DEPTH_MAX = 32
PARTS_MAX = 256
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<phrase>"(?:[^"\\]|\\.)*")
      | (?P<range>[\[{]\s*(?P<low>\S+)\s+TO\s+(?P<high>[^\s\]}]+)\s*[\]}])
      | (?P<open>\() | (?P<close>\))
      | (?P<and>AND\b|&&) | (?P<or>OR\b|\|\|) | (?P<not>NOT\b|!)
      | (?P<must>\+) | (?P<mustnot>-)
      | (?P<word>(?:[^\s()"\\\[\]{}]|\\.)+)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Word:
    """One word, with `*` and `?` as wildcards."""

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words one after the other."""

    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """Terms between two; `*` leaves an end open."""

    low: str
    high: str
    includes_low: bool
    includes_high: bool


@dataclass(frozen=True, slots=True)
class All:
    """All of these, and none of those."""

    must: tuple["Clause", ...]
    must_not: tuple["Clause", ...] = ()


@dataclass(frozen=True, slots=True)
class Any:
    """At least one of these."""

    clauses: tuple["Clause", ...]


Clause = Word | Phrase | Range | All | Any


def parse(text: str) -> Clause:
    """What a text asks for. Raises InvalidQuery."""
    tokens: list[tuple[str, re.Match[str]]] = []
    position = 0
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if found is None:
            raise InvalidQuery(f"Could not parse the Lucene query '{text[:200]}' at {position + 1}")
        kind = found.lastgroup if found.lastgroup not in ("low", "high") else "range"
        tokens.append((kind or "", found))
        position = found.end()
    if not tokens or len(tokens) > PARTS_MAX:
        raise InvalidQuery(f"A Lucene query has from 1 to {PARTS_MAX} parts, not {len(tokens)}")
    reader = _Reader(tokens)
    clause = reader.several(0)
    if reader.peek() is not None:
        raise InvalidQuery(f"Could not parse the Lucene query '{text[:200]}'")
    return clause


class _Reader:
    def __init__(self, tokens: list[tuple[str, re.Match[str]]]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self) -> str | None:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else None

    def several(self, depth: int) -> Clause:
        """Clauses up to a closing parenthesis; without AND between them any will do."""
        if depth > DEPTH_MAX:
            raise InvalidQuery("A Lucene query is nested too deeply")
        must: list[Clause] = []
        must_not: list[Clause] = []
        may: list[Clause] = []
        joined_by = "or"
        while (kind := self.peek()) not in (None, "close"):
            if kind in ("and", "or"):
                self._at += 1
                joined_by = kind or ""
                if kind == "and" and may:
                    must.append(may.pop())  # AND binds what stood before it, too
                continue
            sign = ""
            while (kind := self.peek()) in ("not", "must", "mustnot"):
                self._at += 1
                sign = kind or ""
            clause = self._one(depth)
            if sign in ("not", "mustnot"):
                must_not.append(clause)
            elif sign == "must" or joined_by == "and":
                must.append(clause)
            else:
                may.append(clause)
            joined_by = "or"
        if must or must_not:
            more = (Any(tuple(may)),) if may and not must else ()
            return All((*must, *more), tuple(must_not))
        if not may:
            raise InvalidQuery("A Lucene query lacks a word")
        return may[0] if len(may) == 1 else Any(tuple(may))

    def _one(self, depth: int) -> Clause:
        if self._at >= len(self._tokens):
            raise InvalidQuery("A Lucene query ends where a word is expected")
        kind, found = self._tokens[self._at]
        self._at += 1
        match kind:
            case "word":
                return Word(re.sub(r"\\(.)", r"\1", found["word"].partition("^")[0]))
            case "phrase":
                return Phrase(re.sub(r"\\(.)", r"\1", found["phrase"][1:-1]))
            case "range":
                ends = found["range"][0] == "[", found["range"][-1] == "]"
                return Range(found["low"], found["high"], *ends)
            case "open":
                inner = self.several(depth + 1)
                if self.peek() != "close":
                    raise InvalidQuery("A Lucene query lacks a closing parenthesis")
                self._at += 1
                return inner
        raise InvalidQuery("Could not parse the Lucene query")
