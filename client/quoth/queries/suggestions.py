"""Suggestions: words of an index that are like a word that was meant."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from quoth.errors import Misuse
from quoth.queries.fields import field_of
from quoth.serialization import JsonObject


class StringDistanceTypes(Enum):
    """How the likeness of two words is measured."""

    NONE = "None"
    DEFAULT = "Default"
    LEVENSHTEIN = "Levenshtein"
    JARO_WINKLER = "JaroWinkler"
    N_GRAM = "NGram"


class SuggestionSortMode(Enum):
    """The order of suggestions."""

    NONE = "None"
    POPULARITY = "Popularity"


@dataclass(slots=True)
class SuggestionOptions:
    """Which words are suggested; `accuracy` from 0, any word, to 1, the same word."""

    page_size: int = 15
    distance: StringDistanceTypes = StringDistanceTypes.LEVENSHTEIN
    accuracy: float = 0.5
    sort_mode: SuggestionSortMode = SuggestionSortMode.POPULARITY

    def to_json(self) -> JsonObject:
        """How the wire writes it."""
        return {
            "pageSize": self.page_size,
            "distance": self.distance.value,
            "accuracy": self.accuracy,
            "sortMode": self.sort_mode.value,
        }


class SuggestionBase:
    """What every suggestion has: a field of an index, and what the result is called."""

    def __init__(self, field: str) -> None:
        self.field = field
        self.display_field: str | None = None
        self.options: SuggestionOptions | None = None

    @property
    def wanted(self) -> str | Sequence[str]:
        """The word, or words, that were meant."""
        raise NotImplementedError(f"{type(self).__name__} does not say what is meant")

    def text(self, add_parameter: Callable[[object], str]) -> str:
        """How RQL says it."""
        term = add_parameter(self.wanted)
        options = "" if self.options is None else f", {add_parameter(self.options)}"
        alias = self.display_field
        named = "" if not alias or alias == self.field else f" as {field_of(alias)}"
        return f"suggest({field_of(self.field)}, {term}{options}){named}"


class SuggestionWithTerm(SuggestionBase):
    """Words like one."""

    def __init__(self, field: str, term: str | None = None) -> None:
        super().__init__(field)
        self.term = term

    @property
    def wanted(self) -> str:
        if not self.term:
            raise Misuse("say which word was meant")
        return self.term


class SuggestionWithTerms(SuggestionBase):
    """Words like any of several."""

    def __init__(self, field: str, terms: Sequence[str] | None = None) -> None:
        super().__init__(field)
        self.terms = terms

    @property
    def wanted(self) -> Sequence[str]:
        if not self.terms:
            raise Misuse("say which words were meant")
        return self.terms


class SuggestionBuilder:
    """What `suggest_using` hands to its builder.

    query.suggest_using(lambda words: words.by_field("name", "jhon"))
    """

    def __init__(self) -> None:
        self._made: SuggestionBase | None = None

    @property
    def suggestion(self) -> SuggestionBase:
        """What was built."""
        if self._made is None:
            raise Misuse("say which word was meant: by_field()")
        return self._made

    def by_field(self, field_name: str, term_or_terms: str | Sequence[str]) -> Self:
        """Words of a field that are like this one, or these."""
        if isinstance(term_or_terms, str):
            self._made = SuggestionWithTerm(field_name, term_or_terms)
        else:
            self._made = SuggestionWithTerms(field_name, list(term_or_terms))
        return self

    def with_display_name(self, display_name: str) -> Self:
        """What the suggestion is called in the answer."""
        self.suggestion.display_field = display_name
        return self

    def with_options(self, options: SuggestionOptions) -> Self:
        """Which words are suggested."""
        self.suggestion.options = options
        return self


@dataclass(frozen=True, slots=True)
class SuggestionResult:
    """The words suggested for one field."""

    name: str
    suggestions: Sequence[str]

    @classmethod
    def from_json(cls, wire: Mapping[str, Any]) -> "SuggestionResult":
        """Read the result of a node."""
        return cls(wire["Name"], wire["Suggestions"])
