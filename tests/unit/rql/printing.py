"""A tree as a text that says the same: what parsing it again must give back."""

from quoth_node.rql import (
    Aggregate,
    And,
    Between,
    Boost,
    Comparison,
    Condition,
    DocumentId,
    Everything,
    Exact,
    Exists,
    FieldPath,
    Fuzzy,
    In,
    Include,
    IncludeKind,
    Intersect,
    Literal,
    Load,
    Match,
    Not,
    Nothing,
    Or,
    Ordering,
    OrderingKind,
    Page,
    Parameter,
    Proximity,
    Query,
    Random,
    Score,
    Search,
    SelectFields,
    SelectItem,
    SelectScript,
    SourceKind,
)
from quoth_node.rql.literals import quoted


def printed(query: Query) -> str:
    """The whole query in one line."""
    source = query.source
    index = "index " if source.kind is SourceKind.INDEX else ""
    parts = [f"declare {function.text}" for function in query.functions]
    parts.append(f"from {index}{quoted(source.name)}")
    parts += [f"as {source.alias}"] if source.alias else []
    if query.group_by:
        keys = [f"array({path(k.path)})" if k.is_array else path(k.path) for k in query.group_by]
        parts.append(f"group by {', '.join(keys)}")
    parts += [f"where {condition(query.where)}"] if query.where else []
    parts += [f"order by {', '.join(map(ordering, query.order_by))}"] if query.order_by else []
    parts += [f"load {', '.join(map(loaded, query.loads))}"] if query.loads else []
    parts += [f"filter {condition(query.filter)}"] if query.filter else []
    parts += [f"update {{{query.update.text}}}"] if query.update else []
    if isinstance(query.select, SelectScript):
        parts.append(f"select {distinct(query.select)}{query.select.text[1:-1]}")
    if isinstance(query.select, SelectFields):
        items = ", ".join(map(item, query.select.items))
        parts.append(f"select {distinct(query.select)}{items}")
    parts += [f"include {', '.join(map(include, query.includes))}"] if query.includes else []
    return " ".join([*parts, *page(query.page)])


def distinct(select: SelectFields | SelectScript) -> str:
    return "distinct " if select.is_distinct else ""


def operand(one: object) -> str:
    match one:
        case FieldPath():
            return path(one)
        case DocumentId(alias=alias):
            return f"id({alias or ''})"
        case Aggregate(kind=kind, path=inner):
            return f"{kind.value}({path(inner) if inner else ''})"
        case Score():
            return "score()"
        case Random(seed=seed):
            return f"random({quoted(seed) if seed is not None else ''})"
        case Parameter(name=name):
            return f"${name}"
        case Literal(value=None):
            return "null"
        case Literal(value=bool(value)):
            return "true" if value else "false"
        case Literal(value=str(text)):
            return quoted(text)
        case Literal(value=number):
            return repr(number)
    raise AssertionError(one)


def path(one: FieldPath) -> str:
    steps = []
    for number, step in enumerate(one.steps):
        is_first = number == 0 and one.alias is None
        name = step.name if is_first else quoted(step.name)
        steps.append(name + "[]" * step.is_each)
    return ".".join([one.alias, *steps] if one.alias else steps)


def condition(one: Condition) -> str:
    match one:
        case Everything():
            return "true"
        case Nothing():
            return "false"
        case And(conditions):
            return " and ".join(f"({condition(inner)})" for inner in conditions)
        case Or(conditions):
            return " or ".join(f"({condition(inner)})" for inner in conditions)
        case Not(inner):
            return f"not ({condition(inner)})"
        case Comparison(operand=left, operator=operator, value=value):
            return f"{operand(left)} {operator.value} {operand(value)}"
        case In(operand=left, values=values, is_all=is_all):
            return f"{operand(left)} {'all ' * is_all}in ({', '.join(map(operand, values))})"
        case Between(operand=left, low=low, high=high):
            return f"{operand(left)} between {operand(low)} and {operand(high)}"
        case Exists(path=inner):
            return f"exists({path(inner)})"
        case Match(kind=kind, operand=left, value=value):
            return f"{kind.value}({operand(left)}, {operand(value)})"
        case Search(operand=left, value=value, is_all=is_all):
            return f"search({path(left)}, {operand(value)}{', and' * is_all})"
        case Exact(condition=inner):
            return f"exact({condition(inner)})"
        case Boost(condition=inner, factor=value):
            return f"boost({condition(inner)}, {operand(value)})"
        case Fuzzy(condition=inner, similarity=value):
            return f"fuzzy({condition(inner)}, {operand(value)})"
        case Proximity(condition=inner, distance=value):
            return f"proximity({condition(inner)}, {operand(value)})"
        case Intersect(conditions=conditions):
            return f"intersect({', '.join(map(condition, conditions))})"
    raise AssertionError(one)


def ordering(one: Ordering) -> str:
    kind = "" if one.kind is OrderingKind.IMPLICIT else f" as {one.kind.value}"
    return f"{operand(one.by)}{kind}{' desc' * one.is_descending}"


def loaded(one: Load) -> str:
    return f"{path(one.path)} as {one.alias}{'[]' * one.is_array}"


def item(one: SelectItem) -> str:
    name = f" as {quoted(one.name)}" if one.name is not None else ""
    return operand(one.what) + name


def include(one: Include) -> str:
    what = operand(one.what) if one.what is not None else ""
    return what if one.kind is IncludeKind.DOCUMENTS else f"{one.kind.value}({what})"


def page(one: Page) -> list[str]:
    parts = []
    if one.skip is not None:
        parts.append(f"offset {operand(one.skip)}")
    if one.take is not None:
        parts.append(f"limit {operand(one.take)}")
    return parts + ([f"filter_limit {operand(one.scan)}"] if one.scan is not None else [])
