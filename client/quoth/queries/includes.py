"""What `include` hands to its builder."""

from typing import Self


class QueryIncludeBuilder:
    """What comes along with the results, so that it needs no request later.

    query.include(lambda also: also.include_documents("boss"))
    """

    def __init__(self) -> None:
        self.documents: list[str] = []
        self.compare_exchange_values: list[str] = []

    def include_documents(self, path: str) -> Self:
        """The documents whose ids a field of the results holds."""
        self.documents.append(path)
        return self

    def include_compare_exchange_value(self, path: str) -> Self:
        """The compare-exchange values whose keys a field of the results holds."""
        self.compare_exchange_values.append(path)
        return self
