"""Analyzers: how the text of a field for full-text search becomes words.

SQLite's FTS5 keeps the words and does not look for them: each is given to it as one word of
hexadecimal digits, which keeps beginnings of words beginnings.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then "
    "there these they this to was will with".split()
)
_STANDARD = re.compile(r"\w+(?:['\u2019.]\w+)*", re.UNICODE)
_LETTERS = re.compile(r"[^\W\d_]+", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Analyzer:
    """One way to find words in a text."""

    name: str
    words: Callable[[str], list[str]]


def _standard(text: str) -> list[str]:
    return [word for word in _STANDARD.findall(text.lower()) if word not in STOP_WORDS]


ANALYZERS: dict[str, Analyzer] = {
    analyzer.name.lower(): analyzer
    for analyzer in (
        Analyzer("StandardAnalyzer", _standard),
        Analyzer(
            "StopAnalyzer",
            lambda text: [
                word for word in _LETTERS.findall(text.lower()) if word not in STOP_WORDS
            ],
        ),
        Analyzer("SimpleAnalyzer", lambda text: _LETTERS.findall(text.lower())),
        Analyzer("WhitespaceAnalyzer", str.split),
        Analyzer("LowerCaseWhitespaceAnalyzer", lambda text: text.lower().split()),
        Analyzer("KeywordAnalyzer", lambda text: [text]),
        Analyzer("LowerCaseKeywordAnalyzer", lambda text: [text.lower()]),
    )
}
STANDARD = ANALYZERS["standardanalyzer"]
WHOLE = frozenset({"keywordanalyzer", "lowercasekeywordanalyzer"})


def analyzer_named(name: str | None) -> Analyzer | None:
    """The analyzer of a definition; names may be those of .NET's classes. None: not known."""
    if name is None:
        return STANDARD
    short = name.partition(",")[0].rpartition(".")[2].lower()
    return ANALYZERS.get(short) or ANALYZERS.get(f"{short}analyzer")


def packed_words(words: list[str]) -> str:
    """Words as FTS5 is given them: each in one piece, whatever it is made of."""
    return " ".join(packed_word(word) for word in words)


def packed_word(word: str) -> str:
    return word.encode("utf-8", "surrogatepass").hex()
