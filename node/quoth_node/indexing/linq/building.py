"""From what the parser found to the tree: one method per rule of the grammar.

The parser calls them from below to above, so nothing here calls itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from quoth_node.indexing.linq import literals
from quoth_node.indexing.linq.disambiguation import Word
from quoth_node.indexing.linq.tree import (
    Binary,
    Call,
    Cast,
    Clause,
    Conditional,
    Entry,
    Expression,
    From,
    Group,
    Hole,
    Index,
    Interpolated,
    Into,
    IsNull,
    IsType,
    Lambda,
    Let,
    Literal,
    Member,
    Name,
    NewArray,
    NewInstance,
    NewObject,
    Node,
    OrderBy,
    Place,
    Query,
    TypeName,
    Unary,
    Where,
)
from quoth_node.indexing.refusal import DefinitionRefused

Found = Sequence[Any]  # what stands below a rule: tokens, nodes, and tuples of nodes
Parse = Callable[[str, Place], Expression]


def place_of(word: Word) -> Place:
    """Where a token stands."""
    return Place(word.line or 1, word.column or 1)


def _text(word: Word) -> str:
    return word.value.removeprefix("@")


def _words(found: Found, type_: str) -> list[Word]:
    return [item for item in found if getattr(item, "type", None) == type_]


def _nodes(found: Found) -> list[Any]:
    return [item for item in found if isinstance(item, Node)]


class Building:
    """The methods are named after the rules; `parse` reads what stands inside strings."""

    def __init__(self, parse: Parse) -> None:
        self._parse = parse

    def start(self, found: Found) -> Expression:
        expression: Expression = found[0]
        return expression

    # Queries

    def query(self, found: Found) -> Query:
        clauses: list[Clause] = []
        for item in found:
            if isinstance(item, tuple):  # what is selected or grouped gets a name, and goes on
                clauses[-1] = replace(clauses[-1], name=item[0])
                clauses.extend(item[1:])
            else:
                clauses.append(item)
        match clauses[-1]:
            case Into(value=value):
                return Query(tuple(clauses[:-1]), value, at=clauses[0].at)
            case _:
                return Query(tuple(clauses), None, at=clauses[0].at)

    def first_from(self, found: Found) -> From:
        return self.from_clause(found)

    def from_clause(self, found: Found) -> From:
        return From(_text(_words(found, "NAME")[-1]), found[-1], at=place_of(found[0]))

    def let_clause(self, found: Found) -> Let:
        return Let(_text(found[1]), found[2], at=place_of(found[0]))

    def where_clause(self, found: Found) -> Where:
        return Where(found[1], at=place_of(found[0]))

    def orderby_clause(self, found: Found) -> OrderBy:
        return OrderBy(tuple(found[1:]), at=place_of(found[0]))

    def ordering(self, found: Found) -> tuple[Expression, bool]:
        return found[0], len(found) > 1 and found[1].type == "DESCENDING"

    def select_clause(self, found: Found) -> Into:
        return Into(found[1], "", at=place_of(found[0]))

    def group_clause(self, found: Found) -> Group:
        return Group(found[1], found[3], None, at=place_of(found[0]))

    def query_end(self, found: Found) -> Clause:
        clause: Clause = found[0]
        return clause

    def continuation(self, found: Found) -> tuple[Any, ...]:
        return (_text(found[1]), *found[2:])

    def typed(self, found: Found) -> None:
        return None

    # Lambdas

    def lambda_one(self, found: Found) -> Lambda:
        return Lambda((_text(found[0]),), found[1], at=place_of(found[0]))

    def lambda_many(self, found: Found) -> Lambda:
        names = tuple(item for item in found if isinstance(item, str) and not hasattr(item, "type"))
        return Lambda(names, found[-1], at=place_of(found[0]))

    def parameter(self, found: Found) -> str:
        return str(_text(_words(found, "NAME")[-1]))

    # Operators

    def conditional(self, found: Found) -> Conditional:
        return Conditional(*found, at=found[0].at)

    def coalesce(self, found: Found) -> Binary:
        return Binary("??", *found, at=found[0].at)

    def binary(self, found: Found) -> Binary:
        left, sign, right = found
        return Binary(sign.value, left, right, at=place_of(sign))

    def is_null(self, found: Found) -> IsNull:
        return IsNull(found[0], False, at=place_of(found[1]))

    def is_not_null(self, found: Found) -> IsNull:
        return IsNull(found[0], True, at=place_of(found[1]))

    def is_type(self, found: Found) -> IsType:
        return IsType(found[0], found[2], at=place_of(found[1]))

    def as_type(self, found: Found) -> Cast:
        type_ = replace(found[2], is_nullable=True)
        return Cast(type_, found[0], at=place_of(found[1]))

    def sign(self, found: Found) -> Unary:
        return Unary(found[0].value, found[1], at=place_of(found[0]))

    def cast(self, found: Found) -> Cast:
        return Cast(found[1], found[2], at=place_of(found[0]))

    # What operators are put to

    def name(self, found: Found) -> Name:
        types = found[1] if len(found) > 1 else ()
        return Name(_text(found[0]), types, at=place_of(found[0]))

    def member(self, found: Found) -> Member:
        types = found[2] if len(found) > 2 else ()
        return Member(found[0], _text(found[1]), types, at=place_of(found[1]))

    def index(self, found: Found) -> Index:
        return Index(found[0], found[-1], at=found[0].at)

    def call(self, found: Found) -> Call:
        return Call(found[0], tuple(found[1:]), at=found[0].at)

    def null(self, found: Found) -> Literal:
        return Literal("null", None, at=place_of(found[0]))

    def true(self, found: Found) -> Literal:
        return Literal("bool", True, at=place_of(found[0]))

    def false(self, found: Found) -> Literal:
        return Literal("bool", False, at=place_of(found[0]))

    def number(self, found: Found) -> Literal:
        return literals.number(found[0].value, place_of(found[0]))

    def string(self, found: Found) -> Literal:
        at = place_of(found[0])
        return Literal("string", literals.unescaped(found[0].value[1:-1], at), at=at)

    def verbatim(self, found: Found) -> Literal:
        text = found[0].value[2:-1].replace('""', '"')
        return Literal("string", text, at=place_of(found[0]))

    def interpolated(self, found: Found) -> Interpolated:
        at = place_of(found[0])
        parts: list[str | Hole] = []
        for part in literals.interpolated_parts(found[0].value[2:-1], at):
            if isinstance(part, str):
                parts.append(part)
            else:
                text, format_, offset = part
                inside = Place(at.line, at.column + 2 + offset)
                parts.append(Hole(self._parse(text, inside), format_, at=inside))
        return Interpolated(tuple(parts), at=at)

    # Objects and arrays

    def anonymous(self, found: Found) -> NewObject:
        return NewObject(found[1] if len(found) > 1 else (), at=place_of(found[0]))

    def members(self, found: Found) -> tuple[Entry, ...]:
        return tuple(found)

    def named(self, found: Found) -> Entry:
        return Entry(_text(found[0]), found[1], at=place_of(found[0]))

    def unnamed(self, found: Found) -> Entry:
        match found[0]:
            case Member(name=name) | Name(text=name):
                return Entry(name, found[0], at=found[0].at)
            case value:
                at = value.at
                raise DefinitionRefused("this member needs a name", at.line, at.column)

    def keyed(self, found: Found) -> Entry:
        return Entry(found[0], found[1], at=found[0].at)

    def elements(self, found: Found) -> tuple[Expression, ...]:
        return tuple(found)

    def array(self, found: Found) -> NewArray:
        return NewArray(found[1] if len(found) > 1 else (), at=place_of(found[0]))

    def array_of_type(self, found: Found) -> NewArray:
        return NewArray(found[2] if len(found) > 2 else (), at=place_of(found[0]))

    def initializer(self, found: Found) -> tuple[Entry, ...]:
        return tuple(found)

    def instance(self, found: Found) -> NewInstance | NewObject:
        if isinstance(found[-1], tuple):
            return NewObject(found[-1], at=place_of(found[0]))
        return NewInstance(found[1], tuple(found[2:]), at=place_of(found[0]))

    def instance_of(self, found: Found) -> NewObject:
        return NewObject(found[2], at=place_of(found[0]))

    # Types

    def type_name(self, found: Found) -> TypeName:
        names = _words(found, "NAME")
        return TypeName(".".join(map(_text, names)), at=place_of(names[0]))

    def type(self, found: Found) -> TypeName:
        name: TypeName = found[0]
        return replace(name, is_nullable=bool(_words(found, "NULLABLE")))

    def type_arguments(self, found: Found) -> tuple[TypeName, ...]:
        return tuple(_nodes(found))
