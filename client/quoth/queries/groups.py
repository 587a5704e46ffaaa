"""Grouping: which results make one, and what is told of each group."""

from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from quoth.errors import Misuse
from quoth.queries.choices import GroupByMethod
from quoth.queries.draft import QueryDraft
from quoth.queries.fields import alias_of, field_of, quote, written

Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class GroupBy:
    """A key of groups: a field, `GroupBy.field("name")`, or a list, `GroupBy.array("tags")`."""

    name: str
    method: GroupByMethod = GroupByMethod.NONE

    @classmethod
    def field(cls, field_name: str) -> "GroupBy":
        """Group by the value of a field."""
        return cls(field_name)

    @classmethod
    def array(cls, field_name: str) -> "GroupBy":
        """Group by a whole list."""
        return cls(field_name, GroupByMethod.ARRAY)

    def __str__(self) -> str:
        field = written(field_of(self.name))
        return field if self.method is GroupByMethod.NONE else f"Array({field})"


@dataclass(frozen=True, slots=True)
class GroupByField:
    """A field that `select_sum` adds up, and what the sum is called."""

    field_name: str
    projected_name: str | None = None


def key_of_group(field_name: str | None, projected_name: str | None) -> str:
    """The key of each group, or one of its fields."""
    field = written(field_of(field_name)) if field_name else "key()"
    if projected_name is None or projected_name == field_name:
        return field
    return f"{field} as {quote(projected_name)}"


def sum_of(field: GroupByField) -> str:
    """The sum over each group."""
    alias = "" if field.projected_name is None else f" as {alias_of(field.projected_name)}"
    return f"sum({field_of(field.field_name)}){alias}"


def count_of(projected_name: str | None) -> str:
    """The size of each group."""
    return "count()" if projected_name is None else f"count() as {alias_of(projected_name)}"


class GroupByDocumentQuery(Generic[Q]):
    """A query whose results are groups: what is told of each comes next.

    query.group_by("city").select_key(projected_name="city").select_count()
    """

    def __init__(self, query: Q, draft: QueryDraft) -> None:
        self._query = query
        self._draft = draft

    def select_key(self, field_name: str | None = None, projected_name: str | None = None) -> Self:
        """Tell the key, or one of its fields; `projected_name` is what it is called."""
        self._draft.selected.append(key_of_group(field_name, projected_name))
        return self

    def select_sum(self, field: GroupByField, *fields: GroupByField) -> Q:
        """Tell the sums of fields."""
        self._draft.selected += map(sum_of, (field, *fields))
        return self._query

    def select_count(self, projected_name: str | None = "count") -> Q:
        """Tell how many results are in the group."""
        self._draft.selected.append(count_of(projected_name))
        return self._query


class Grouping:
    """The method of a query that makes groups of its results."""

    _draft: QueryDraft

    def group_by(
        self, field_name: GroupBy | str, *field_names: GroupBy | str
    ) -> GroupByDocumentQuery[Self]:
        """One result for all documents with the same values. Needs a query without an index."""
        if self._draft.index_name is not None:
            raise Misuse("group_by() is not for queries of an index: let the index reduce")
        self._draft.is_grouped = True
        for each in (field_name, *field_names):
            key = GroupBy.field(each) if isinstance(each, str) else each
            self._draft.group_by.append(str(key))
        return GroupByDocumentQuery(self, self._draft)
