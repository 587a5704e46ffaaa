"""Grouping: which results make one, and what is told of each group."""

from dataclasses import dataclass

from quoth.queries.choices import GroupByMethod
from quoth.queries.fields import alias_of, field_of, quote, written


@dataclass(frozen=True, slots=True)
class GroupBy:
    """A key of a group: `GroupBy.field("name")`, or all items of a list: `GroupBy.array("tags")`."""

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
