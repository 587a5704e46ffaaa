"""JavaScript within a query: found before the grammar reads the text, and blanked for it.

    select { Name: u.name }   ->   select {              }

What is blanked keeps its lines and its length, so every position stays true. Braces belong to
JavaScript only where they stand outside of its strings, templates, comments and regular
expressions. One pass without recursion; an unclosed thing is an error where it began.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from quoth_node.rql.errors import RqlError

DEPTH_MAX = 64  # parentheses within each other, outside of scripts
RQL = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/"""
    r"""|(?P<series>\btimeseries\s*\((?=\s*from\b))|(?P<open>\{)|(?P<deeper>\()|(?P<back>\))"""
    r"""|(?P<unclosed>['"]|/\*)""",
    re.DOTALL | re.IGNORECASE,
)
SCRIPT = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
    r"""|(?P<word>[\w$]+)|(?P<open>[({\[])|(?P<close>[)}\]])|(?P<template>`)|(?P<slash>/)"""
    r"""|(?P<unclosed>['"])|(?P<other>.)""",
    re.DOTALL,
)
REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
TEMPLATE_TEXT = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*", re.DOTALL)
CLOSING = {"(": ")", "[": "]", "{": "}", "${": "}"}
# Behind these words a slash begins a regular expression; behind others it divides.
BEFORE_REGEX = frozenset(
    {
        *("await", "case", "delete", "do", "else", "in", "instanceof", "new", "of"),
        *("return", "throw", "typeof", "void", "yield"),
    }
)


@dataclass(frozen=True, slots=True)
class Blanked:
    """A text whose scripts are blank; `inside` has each script by where its bracket opens."""

    text: str
    inside: Mapping[int, str]


def blank_scripts(text: str) -> Blanked:
    """The text as the grammar reads it.

    Raises RqlError for what is not closed, or too deep.
    """
    parts: list[str] = []
    inside: dict[int, str] = {}
    position, copied, depth = 0, 0, 0
    while (found := RQL.search(text, position)) is not None:
        position = found.end()
        match found.lastgroup:
            case "unclosed":
                raise _error(text, found.start(), f"{found.group()} is not closed")
            case "open" | "series":
                opening = position - 1
                closing = closing_of(text, opening)
                inside[opening] = text[position:closing]
                parts += [text[copied:position], _blank(text[position:closing])]
                position = closing + 1
                copied = closing
            case "deeper":
                depth += 1
                if depth > DEPTH_MAX:
                    message = f"Parentheses within over {DEPTH_MAX} others"
                    raise _error(text, found.start(), message)
            case "back":
                depth -= 1
    parts.append(text[copied:])
    return Blanked("".join(parts), inside)


def closing_of(text: str, opening: int) -> int:
    """Where the bracket at `opening` is closed, by the rules of JavaScript. Raises RqlError."""
    stack: list[tuple[str, int]] = [(text[opening], opening)]
    position, divides = opening + 1, False
    while (found := SCRIPT.match(text, position)) is not None:
        start, position = found.span()
        kind, token = found.lastgroup, found.group()
        if kind == "space":
            continue
        divides, divided = _ends_a_value(text, found), divides
        if kind == "unclosed":
            raise _error(text, start, "A string is not closed")
        if kind == "open":
            stack.append((token, start))
        elif kind == "close":
            opened, _ = stack.pop()
            if CLOSING[opened] != token:
                raise _error(text, start, f"Expected {CLOSING[opened]} but got: {token}")
            if not stack:
                return start
        if kind == "template" or (kind == "close" and opened == "${"):
            position = _behind_template(text, position, stack)
            divides = text[position - 1] == "`"
        elif kind == "slash" and not divided:
            position = _behind_regex(text, start)
            divides = True
    opened, at = stack[-1]
    raise _error(text, at, f"{opened} is not closed")


def _ends_a_value(text: str, found: re.Match[str]) -> bool:
    """Whether a slash behind this divides."""
    match found.lastgroup:
        case "word":
            return found.group() not in BEFORE_REGEX
        case "string" | "close":
            return True
        case "other":  # i++ / 2
            return found.group() in "+-" and text[found.start() - 1] == found.group()
        case _:
            return False


def _behind_template(text: str, position: int, stack: list[tuple[str, int]]) -> int:
    """Where the text of a template ends: behind its end, or behind a `${`, now on the stack."""
    found = TEMPLATE_TEXT.match(text, position)
    assert found is not None, "it matches nothing, too"
    end = found.end()
    if text.startswith("`", end):
        return end + 1
    if not text.startswith("${", end):
        raise _error(text, position - 1, "A template is not closed")
    stack.append(("${", end))
    return end + 2


def _behind_regex(text: str, start: int) -> int:
    found = REGEX.match(text, start)
    if found is None:
        raise _error(text, start, "A regular expression is not closed")
    return found.end()


def _blank(script: str) -> str:
    return "\n".join(" " * len(line) for line in script.split("\n"))


def _error(text: str, at: int, message: str) -> RqlError:
    line = text.count("\n", 0, at) + 1
    return RqlError(message, line, at - text.rfind("\n", 0, at))
