"""What of each result is wanted: fields, or what a function makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quoth.errors import Misuse
from quoth.queries.choices import ProjectionBehavior
from quoth.queries.fields import DOCUMENT_ID, alias_of, field_of, written
from quoth.serialization import field_names


@dataclass(frozen=True, slots=True)
class DeclareToken:
    """A function in JavaScript that a projection calls."""

    name: str
    body: str
    parameters: str = ""

    @classmethod
    def create_function(cls, name: str, body: str, parameters: str | None = None) -> "DeclareToken":
        """A function by its name; `parameters` are their names, with commas between them."""
        return cls(name, body, parameters or "")

    def __str__(self) -> str:
        return f"declare function {self.name}({self.parameters}) {{\n{self.body}\n}}\n"


@dataclass(frozen=True, slots=True)
class LoadToken:
    """A document that each result names, to be looked at under another name."""

    argument: str
    alias: str

    @classmethod
    def create(cls, argument: str, alias: str) -> "LoadToken":
        """The document whose id is the value of `argument`."""
        return cls(argument, alias)

    def __str__(self) -> str:
        return f"{self.argument} as {self.alias}"


@dataclass(slots=True)
class QueryData:
    """What `select_fields_query_data` is given: fields, and what each is to be called.

        QueryData(["name", "address.city"], ["Name", "City"])
        QueryData.custom_function("u", "{ Name: u.name.toUpperCase() }")

    `from_alias` is what the fields call the document; `load_tokens` are documents it names.
    """

    fields: Sequence[str]
    projections: Sequence[str] | None = None
    from_alias: str | None = None
    declare_tokens: Sequence[DeclareToken] | None = None
    load_tokens: Sequence[LoadToken] | None = None
    is_custom_function: bool | None = None
    projection_behavior: ProjectionBehavior | None = None

    @classmethod
    def custom_function(cls, alias: str, func: str) -> "QueryData":
        """What JavaScript makes of each result, which it calls `alias`."""
        return cls([func], [], alias, is_custom_function=True)


@dataclass(frozen=True, slots=True)
class FieldsToFetch:
    """The fields of a select, and what they are called."""

    text: str

    @classmethod
    def of(cls, data: QueryData, *, identity_property: str | None) -> "FieldsToFetch":
        """Raises Misuse unless there is a name for each field. None: an id is like any field."""
        if not data.fields:
            raise Misuse("name at least one field to select")
        if data.is_custom_function:
            return cls(data.fields[0])
        names = data.projections or data.fields
        if len(names) != len(data.fields):
            raise Misuse(f"{len(data.fields)} fields have {len(names)} names: give each one")
        selected = []
        for field, name in zip(data.fields, names, strict=True):
            is_id = field == identity_property
            source = written(DOCUMENT_ID if is_id else field_of(field))
            is_alike = name == field and not is_id
            selected.append(source if is_alike else f"{source} as {alias_of(name)}")
        return cls(", ".join(selected))

    def __str__(self) -> str:
        return self.text


def fields_of(projection_class: type[Any]) -> Sequence[str]:
    """The fields that a class has a place for."""
    is_builtin = projection_class.__module__ == "builtins"
    found = [] if is_builtin else sorted(field_names(projection_class))
    if not found:
        raise Misuse(
            f"{projection_class.__name__} does not say what its fields are: name those to select"
        )
    return found
