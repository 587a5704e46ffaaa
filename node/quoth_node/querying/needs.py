"""What a query without a named index asks of an automatic one."""

from collections.abc import Iterator

from quoth_node.indexing.auto_mapping import ALL_DOCUMENTS, COUNT, AutoDefinition, decorated
from quoth_node.querying.errors import InvalidQuery
from quoth_node.rql.conditions import (
    And,
    Between,
    Boost,
    Comparison,
    Condition,
    Exact,
    Exists,
    Fuzzy,
    In,
    Intersect,
    Match,
    Matching,
    Not,
    Or,
    Proximity,
    Search,
)
from quoth_node.rql.operands import Aggregate, AggregateKind, DocumentId, FieldPath
from quoth_node.rql.tree import Query, SelectFields, SourceKind

ID_FIELD = "id()"


def needs_of(query: Query) -> AutoDefinition:
    """The automatic index that can answer a dynamic query; others may cover it.

    Raises InvalidQuery.
    """
    assert query.source.kind is not SourceKind.INDEX, "a query of an index has one"
    is_all = query.source.kind is SourceKind.ALL_DOCUMENTS
    collection = ALL_DOCUMENTS if is_all else query.source.name
    fields: set[str] = set()
    if query.where is not None:
        fields.update(fields_in(query.where, is_exact=False))
    sums: set[str] = set()
    for ordering in query.order_by:
        match ordering.by:
            case FieldPath() as path:
                fields.add(path.text)
            case Aggregate(AggregateKind.SUM, FieldPath() as path):
                sums.add(path.text)
    fields.discard(ID_FIELD)
    if not query.group_by:
        return AutoDefinition(collection, tuple(sorted(fields)))
    if isinstance(query.select, SelectFields):
        for item in query.select.items:
            match item.what:
                case Aggregate(AggregateKind.SUM, FieldPath() as path):
                    sums.add(path.text)
    keys = tuple(
        f"array({key.path.text})" if key.is_array else key.path.text for key in query.group_by
    )
    known = {key.path.text for key in query.group_by} | sums | {COUNT}
    for name in sorted(fields - known - aliases_of(query).keys()):
        raise InvalidQuery(
            f"Field '{name}' isn't neither an aggregation operation nor part of the group by key"
        )
    return AutoDefinition(collection, (), keys, tuple(sorted(sums)))


def aliases_of(query: Query) -> dict[str, str]:
    """Names that the select gives: `count() as Total` may be ordered by as Total."""
    found: dict[str, str] = {}
    for item in query.select.items if isinstance(query.select, SelectFields) else ():
        match item.what:
            case Aggregate(AggregateKind.KEY) if len(query.group_by) == 1 and item.name:
                found[item.name] = query.group_by[0].path.text
            case FieldPath() | Aggregate() as operand if item.name:
                if not (isinstance(operand, Aggregate) and operand.kind is AggregateKind.KEY):
                    found[item.name] = name_of(operand)
    return found


def fields_in(condition: Condition, *, is_exact: bool) -> Iterator[str]:
    """The fields of an automatic index that a condition looks at."""
    match condition:
        case And(several) | Or(several) | Intersect(several):
            for one in several:
                yield from fields_in(one, is_exact=is_exact)
        case Not(one) | Boost(one):
            yield from fields_in(one, is_exact=is_exact)
        case Exact(one):
            yield from fields_in(one, is_exact=True)
        case Fuzzy(one):
            yield from fields_in(one, is_exact=is_exact)
        case Proximity(one):
            yield from fields_in(one, is_exact=is_exact)
        case Search(operand):
            yield decorated("search", operand.text)
        case Exists(path):
            yield path.text
        case Match(Matching.LUCENE, FieldPath() as path):
            yield decorated("exact", path.text) if is_exact else decorated("search", path.text)
        case Comparison(operand) | In(operand) | Between(operand) | Match(_, operand):
            name = name_of(operand)
            yield decorated("exact", name) if is_exact and name != ID_FIELD else name


def name_of(operand: FieldPath | DocumentId | Aggregate) -> str:
    """The field of an index that an operand speaks of."""
    match operand:
        case FieldPath():
            return operand.text
        case DocumentId():
            return ID_FIELD
        case Aggregate(AggregateKind.SUM, FieldPath() as path):
            return path.text
        case Aggregate(AggregateKind.COUNT):
            return COUNT
    raise InvalidQuery("key() cannot be compared; compare the field it stands for")
