"""Members of what is not there are not there either: `a.b` in a definition becomes `a?.b`.

The official server reads the JavaScript of its indexes so. This works on tokens, and leaves alone
what may not be optional: what is assigned to, counted up or down, or made with `new`. Where that is
not enough the result does not parse, and the definition is taken as it was written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)+")
STRING = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\"""", re.DOTALL)
NUMBER = re.compile(r"0[xXoObB][0-9a-fA-F_]+n?|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?n?")
NAME = re.compile(r"[\w$#\\]+")
PATTERN = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*", re.DOTALL)
SIGN = re.compile(
    r"\?\.(?!\d)|\.\.\.|>>>=|\*\*=|<<=|>>=|>>>|&&=|\|\|=|\?\?=|===|!==|=>|==|!=|<=|>=|\+\+|--|"
    r"\+=|-=|\*=|/=|%=|&=|\|=|\^=|&&|\|\||\?\?|\*\*|<<|>>|.",
    re.DOTALL,
)
ASSIGNMENTS = frozenset("= += -= *= /= %= **= <<= >>= >>>= &= |= ^= &&= ||= ??=".split())
STEPS = frozenset(("++", "--"))
WORDS = frozenset(  # that no value ends with
    "await case const delete do else in instanceof let new of return throw typeof var void yield "
    "import super".split()
)
OPENING = {")": "(", "]": "["}


@dataclass(slots=True)
class Token:
    """A piece of the text; only names, signs and constants count."""

    kind: str  # 'name', 'sign', 'value'
    text: str
    start: int


@dataclass(slots=True)
class _Scan:
    """From text to tokens. Templates are values, with the tokens of what is in their braces."""

    text: str
    tokens: list[Token] = field(default_factory=list)
    braces: list[str] = field(default_factory=list)

    def run(self) -> list[Token]:
        at = 0
        while at < len(self.text):
            space = SPACE.match(self.text, at)
            at = space.end() if space else self._next(at)
        return self.tokens

    def _next(self, at: int) -> int:
        sign = self.text[at]
        if sign == "`" or (sign == "}" and self.braces and self.braces[-1] == "`"):
            return self._template(at)
        for kind, pattern in (("value", STRING), ("value", NUMBER), ("name", NAME)):
            found = pattern.match(self.text, at)
            if found:
                return self._add(kind, at, found.end())
        if sign == "/" and not ends_value(self.tokens[-1:]):
            found = PATTERN.match(self.text, at)
            if found:
                return self._add("value", at, found.end())
        if sign == "{":
            self.braces.append("{")
        elif sign == "}" and self.braces:
            self.braces.pop()
        found = SIGN.match(self.text, at)
        assert found is not None, "any sign is one"
        return self._add("sign", at, found.end())

    def _template(self, at: int) -> int:
        if self.text[at] == "}":
            self.braces.pop()
        found = TEMPLATE.match(self.text, at + 1)
        assert found is not None, "an empty one will do"
        end = found.end()
        if self.text.startswith("${", end):
            self.braces.append("`")
            return self._add("sign", at, end + 2)
        return self._add("value", at, min(end + 1, len(self.text)))

    def _add(self, kind: str, start: int, end: int) -> int:
        self.tokens.append(Token(kind, self.text[start:end], start))
        return end


def ends_value(tokens: list[Token]) -> bool:
    """Whether a value may end with the last token."""
    if not tokens:
        return False
    last = tokens[-1]
    if last.kind == "name":
        return last.text not in WORDS
    return last.kind == "value" or last.text in (")", "]")


def tolerant(text: str) -> str:
    """The text with optional members."""
    tokens = _Scan(text).run()
    kept = set(_kept(tokens))
    pieces = []
    behind = 0
    for at, token in enumerate(tokens):
        optional = token.text if at not in kept else ""
        if optional == "." and at + 1 < len(tokens) and tokens[at + 1].kind == "name":
            fresh = "?."
        elif optional == "[" and ends_value(tokens[max(at - 1, 0) : at]):
            fresh = "?.["
        else:
            continue
        pieces += [text[behind : token.start], fresh]
        behind = token.start + 1
    return "".join([*pieces, text[behind:]])


def _kept(tokens: list[Token]) -> Iterator[int]:
    """The places of `.` and `[` that may not become optional."""
    opening = _openings(tokens)
    closing = {start: end for end, start in opening.items()}
    for at, token in enumerate(tokens):
        if token.kind == "sign" and token.text in ASSIGNMENTS | STEPS and at > 0:
            yield from _backwards(tokens, at - 1, opening)
        if token.kind == "sign" and token.text in STEPS:
            yield from _forwards(tokens, at + 1, closing)
        if token.kind == "name" and token.text in ("new", "super", "import"):
            yield from _forwards(tokens, at + 1, {})
        if token.kind == "sign" and token.text == "?.":
            yield at + 1  # of `a?.[b]`


def _backwards(tokens: list[Token], at: int, opening: dict[int, int]) -> Iterator[int]:
    """Over `a.b(c)[d]`, from its end to its beginning."""
    while at >= 0:
        if at in opening:
            at = opening[at]
            if tokens[at].text == "[":
                yield at
            if not ends_value(tokens[max(at - 1, 0) : at]):
                return
            at -= 1
        elif tokens[at].kind == "name" and at > 0 and tokens[at - 1].text == ".":
            yield at - 1
            at -= 2
        else:
            return


def _forwards(tokens: list[Token], at: int, closing: dict[int, int]) -> Iterator[int]:
    """Over `a.b[c].d`, from its beginning; over no brackets without `closing`."""
    while at < len(tokens):
        if tokens[at].text == ".":
            yield at
        elif at in closing:
            yield at
            at = closing[at]
        elif tokens[at].kind != "name":
            return
        at += 1


def _openings(tokens: list[Token]) -> dict[int, int]:
    """Closing bracket -> its opening one."""
    pairs: dict[int, int] = {}
    waiting: list[int] = []
    for at, token in enumerate(tokens):
        if token.kind != "sign":
            continue
        if token.text in ("(", "["):
            waiting.append(at)
        elif token.text in OPENING and waiting:
            pairs[at] = waiting.pop()
    return pairs
