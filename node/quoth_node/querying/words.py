"""Full-text search: what `search` and `lucene` ask of the words of a field, as SQL over FTS5.

A word is kept as hexadecimal digits (`analysis.py`), so `abc*` is a beginning of those too; for
other wildcards the words of the index are looked through for those that fit.
"""

from typing import Any

from quoth_node.indexing.analysis import analyzer_named, packed_word
from quoth_node.indexing.pattern import compiled
from quoth_node.indexing.values import number_in
from quoth_node.querying import lucene as syntax
from quoth_node.querying import terms
from quoth_node.querying.asking import Asking
from quoth_node.querying.errors import InvalidQuery
from quoth_node.querying.fragment import NEVER, Fragment, having, joined
from quoth_node.querying.index_view import FieldView
from quoth_node.querying.parameters import text_of, value_of
from quoth_node.rql.conditions import Match, Matching, Search
from quoth_node.rql.operands import FieldPath

WORDS_MAX = 256
DISTANCE_MAX = 10_000


def search(
    conditions: Asking, one: Search, *, factor: float, distance: int | None = None
) -> Fragment:
    """`search(field, 'some words', and)`, `proximity(search(...), 5)`."""
    value = value_of(one.value, conditions.parameters)
    texts = [str(text) for text in (value if isinstance(value, list) else [value])]
    field = conditions.view.find(one.operand.text, decoration="search")
    if distance is not None:
        return _near(conditions, field, " ".join(texts), distance, factor)
    parts = [part for text in texts for part in _parts_of(text)]
    if len(parts) > WORDS_MAX:
        raise InvalidQuery(f"search takes {WORDS_MAX} words, and there are {len(parts)}")
    read = [_part(conditions, field, part, factor) for part in parts]
    found = [fragment for fragment in read if fragment is not None]
    if not found:
        return NEVER
    return joined("AND" if one.is_all else "OR", found)


def phrase(conditions: Asking, field: FieldView, value: Any) -> Fragment:
    """Entries with these words one after the other: what `=` means for a field of words."""
    words = _words(field, str(value) if value is not None else "")
    return _matching(conditions, field, _as_phrase(words), 1.0) if words else NEVER


def alike(conditions: Asking, field: FieldView, text: str, similarity: float) -> Fragment:
    """Entries with a word that is so alike."""
    def is_alike(packed: str) -> bool:
        return terms.is_alike(_unpacked(packed), text, similarity)

    return _with_words(conditions, field, is_alike, 1.0)


def lucene(
    conditions: Asking, path: FieldPath, one: Match, *, is_exact: bool, factor: float
) -> Fragment:
    """`lucene(field, 'abc* AND "a phrase"')`."""
    clause = syntax.parse(text_of(one.value, conditions.parameters))
    decoration = "exact" if is_exact else "search"
    field = conditions.view.find(path.text, decoration=decoration)
    return _clause(conditions, field, clause, factor)


# -- parts of a search


def _parts_of(text: str) -> list[str]:
    """Words, and phrases in quotes."""
    parts: list[str] = []
    for at, piece in enumerate(text.split('"')):
        parts += [f'"{piece}"'] if at % 2 else piece.split()
    return [part for part in parts if part not in ('""', "*")]


def _part(
    conditions: Asking, field: FieldView, part: str, factor: float
) -> Fragment | None:
    if part.startswith('"'):
        return phrase(conditions, field, part[1:-1]) if field.is_text else _word(
            conditions, field, part[1:-1], factor
        )
    return _word(conditions, field, part, factor)


def _word(
    conditions: Asking, field: FieldView, word: str, factor: float
) -> Fragment | None:
    """One word with wildcards; None if the analyzer drops it."""
    if not field.is_text:
        return _term(conditions, field, word, factor)
    has_wildcard = "*" in word or "?" in word
    if not has_wildcard:
        words = _words(field, word)
        return _matching(conditions, field, _as_phrase(words), factor) if words else None
    bare = word.strip("*")
    if word.endswith("*") and not word.startswith("*") and not set(bare) & set("*?"):
        found = packed_word(bare.lower())
        return _matching(conditions, field, f'"{found}" *' if found else "", factor)
    matches = compiled(f"(?s)^{_wild(word.lower())}$")
    return _with_words(conditions, field, lambda packed: matches(_unpacked(packed)), factor)


def _term(
    conditions: Asking, field: FieldView, word: str, factor: float
) -> Fragment:
    """The same for a field whose values are whole terms."""
    if "*" not in word and "?" not in word:
        found = conditions.equal(field, word)
    elif field.number is None:
        return NEVER
    else:
        written = word if field.is_exact else word.lower()
        bare = written.strip("*")
        if written.endswith("*") and not written.startswith("*") and not set(bare) & set("*?"):
            bound = terms.matching("t.value", Matching.STARTS_WITH, bare, conditions.define)
        else:
            matches = compiled(f"(?s)^{_wild(written)}$")
            name = conditions.define(lambda term: terms.holds(term, matches), 1)
            bound = Fragment(f"{name}(t.value)")
        found = having(field.terms, bound)
    conditions.scores.append(Fragment(f"{factor!r} * ({found.sql})", found.values))
    return found


def _clause(
    conditions: Asking, field: FieldView, clause: syntax.Clause, factor: float
) -> Fragment:
    match clause:
        case syntax.Word("*"):
            return _present(field)
        case syntax.Word(text):
            return _word(conditions, field, text, factor) or NEVER
        case syntax.Phrase(text):
            if field.is_text:
                return phrase(conditions, field, text)
            return _term(conditions, field, text, factor)
        case syntax.Range():
            return _range(conditions, field, clause)
        case syntax.Any(clauses):
            return joined("OR", [_clause(conditions, field, one, factor) for one in clauses])
        case syntax.All(must, must_not):
            kept = [_clause(conditions, field, one, factor) for one in must]
            kept += [_clause(conditions, field, one, factor).negated() for one in must_not]
            return joined("AND", kept)
    raise AssertionError(f"{clause} is no clause")


def _present(field: FieldView) -> Fragment:
    if field.number is None:
        return NEVER
    return having(field.terms, Fragment("1"))


def _range(conditions: Asking, field: FieldView, one: syntax.Range) -> Fragment:
    if field.number is None:
        return NEVER
    bounds = [Fragment("t.value < x''")]
    for end, goes_up, includes in (
        (one.low, True, one.includes_low),
        (one.high, False, one.includes_high),
    ):
        if end != "*":
            value = number_in(end)
            bound = end if value is None else value
            bounds.append(
                terms.beyond(bound, goes_up=goes_up, includes=includes, is_exact=field.is_exact)
            )
    found = joined("AND", bounds)
    return having(field.terms, found)


# -- FTS5


def _near(
    conditions: Asking, field: FieldView, text: str, distance: int, factor: float
) -> Fragment:
    words = _words(field, text)
    if not 0 <= distance <= DISTANCE_MAX:
        raise InvalidQuery(f"The distance of proximity is from 0 to {DISTANCE_MAX}")
    if not words:
        return NEVER
    asked = " ".join(f'"{packed_word(word)}"' for word in words)
    return _matching(conditions, field, f"NEAR({asked}, {distance})", factor)


def _with_words(conditions: Asking, field: FieldView, fits: Any, factor: float) -> Fragment:
    """Entries with a word that fits, looked for among all words of the field."""
    if field.number is None or not field.is_text:
        return NEVER
    name = conditions.define(fits, 1)
    number = field.number
    sql = (
        f"e.entry IN (SELECT rowid FROM texts_{number} WHERE texts_{number} MATCH "
        f"(SELECT coalesce(group_concat('\"' || term || '\"', ' OR '), '\"\"') FROM "
        f"(SELECT term FROM words_{number} WHERE {name}(term) LIMIT {WORDS_MAX})))"
    )
    conditions.scores.append(Fragment(f"{factor!r} * ({sql})"))
    return Fragment(sql)


def _matching(
    conditions: Asking, field: FieldView, asked: str, factor: float
) -> Fragment:
    """Entries that FTS5 finds, and how well they match (BM25)."""
    if field.number is None or not asked:
        return NEVER
    conditions.has_score = True
    texts = f"texts_{field.number}"
    name = f"m{len(conditions.found_words)}"
    source = f"SELECT rowid AS entry, -bm25({texts}) AS score FROM {texts} WHERE {texts} MATCH ?"
    conditions.found_words.append(Fragment(f"{name} AS MATERIALIZED ({source})", (asked,)))
    score = f"{factor!r} * coalesce((SELECT score FROM {name} WHERE entry = e.entry), 0.0)"
    conditions.scores.append(Fragment(score))
    return Fragment(f"e.entry IN (SELECT entry FROM {name})")


def _words(field: FieldView, text: str) -> list[str]:
    analyzer = analyzer_named(field.options.analyzer)
    assert analyzer is not None, "a definition with an unknown analyzer is refused"
    return analyzer.words(text)


def _as_phrase(words: list[str]) -> str:
    return '"' + " ".join(packed_word(word) for word in words) + '"'


def _unpacked(packed: str) -> str:
    return bytes.fromhex(packed).decode("utf-8", "replace")


def _wild(word: str) -> str:
    """A pattern of RE2 for a word with wildcards."""
    letters = {"*": ".*", "?": "."}
    return "".join(
        letters.get(letter) or (letter if letter.isalnum() else f"\\x{{{ord(letter):x}}}")
        for letter in word
    )
