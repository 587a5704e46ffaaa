"""Documents that are like another one: what `more_like_this` is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from quoth.errors import Misuse
from quoth.serialization import JsonObject

Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class MoreLikeThisOptions:
    """Which words of a document count, and how; None leaves it to the server."""

    minimum_term_frequency: int | None = None
    maximum_query_terms: int | None = None
    maximum_number_of_tokens_parsed: int | None = None
    minimum_word_length: int | None = None
    maximum_word_length: int | None = None
    minimum_document_frequency: int | None = None
    maximum_document_frequency: int | None = None
    maximum_document_frequency_percentage: int | None = None
    boost: bool | None = None
    boost_factor: float | None = None
    stop_words_document_id: str | None = None
    fields: Sequence[str] | None = None

    def to_json(self) -> JsonObject:
        """How the wire writes it."""
        return {
            "MinimumTermFrequency": self.minimum_term_frequency,
            "MaximumQueryTerms": self.maximum_query_terms,
            "MaximumNumberOfTokensParsed": self.maximum_number_of_tokens_parsed,
            "MinimumWordLength": self.minimum_word_length,
            "MaximumWordLength": self.maximum_word_length,
            "MinimumDocumentFrequency": self.minimum_document_frequency,
            "MaximumDocumentFrequency": self.maximum_document_frequency,
            "MaximumDocumentFrequencyPercentage": self.maximum_document_frequency_percentage,
            "Boost": self.boost,
            "BoostFactor": self.boost_factor,
            "StopWordsDocumentId": self.stop_words_document_id,
            "Fields": self.fields,
        }


class MoreLikeThisBase:
    """What results are to be like."""

    options: MoreLikeThisOptions | None = None
    document_json: str | None = None
    for_document_query: Callable[[Any], object] | None = None


class MoreLikeThisUsingAnyDocument(MoreLikeThisBase):
    """Like any document."""


class MoreLikeThisUsingDocument(MoreLikeThisBase):
    """Like a document that is given as JSON."""

    def __init__(self, document_json: str) -> None:
        self.document_json = document_json


class _LikeTheFound(MoreLikeThisBase):
    """Like the document that conditions find."""

    def __init__(self, for_document_query: Callable[[Any], object]) -> None:
        self.for_document_query = for_document_query


class MoreLikeThisBuilder(Generic[Q]):
    """What `more_like_this` hands to its builder.

    query.more_like_this(lambda like: like.using_document(lambda q: q.where_equals("id()", "a/1")))
    """

    def __init__(self) -> None:
        self._made: MoreLikeThisBase | None = None

    @property
    def more_like_this(self) -> MoreLikeThisBase:
        """What was built."""
        if self._made is None:
            raise Misuse("say what is to be like: using_document() or using_any_document()")
        return self._made

    def using_any_document(self) -> Self:
        """Like any document."""
        self._made = MoreLikeThisUsingAnyDocument()
        return self

    def using_document(self, document_json_or_builder: str | Callable[[Q], object]) -> Self:
        """Like a document given as JSON, or like the one that conditions find."""
        if isinstance(document_json_or_builder, str):
            self._made = MoreLikeThisUsingDocument(document_json_or_builder)
        else:
            self._made = _LikeTheFound(document_json_or_builder)
        return self

    def with_options(self, options: MoreLikeThisOptions) -> Self:
        """Which words count, and how."""
        self.more_like_this.options = options
        return self
