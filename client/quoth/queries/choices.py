"""The words a query can choose among, by the names of RavenDB's client."""

from enum import Enum


class OrderingType(Enum):
    """How values are compared when results are ordered."""

    STRING = ""
    LONG = " as long"
    FLOAT = " as double"
    ALPHA_NUMERIC = " as alphaNumeric"


class NullsOrdering(Enum):
    """Where results without a value come; not every server can be told."""

    DEFAULT = ""
    FIRST = " nulls first"
    LAST = " nulls last"


class SearchOperator(Enum):
    """Whether `search` wants any of its terms or all of them."""

    OR = "Or"
    AND = "And"


class QueryOperator(Enum):
    """What joins two conditions with nothing said between them."""

    OR = "or"
    AND = "and"


class ProjectionBehavior(Enum):
    """Where selected fields are taken from: what an index stored, or the document."""

    DEFAULT = "Default"
    FROM_INDEX = "FromIndex"
    FROM_INDEX_OR_THROW = "FromIndexOrThrow"
    FROM_DOCUMENT = "FromDocument"
    FROM_DOCUMENT_OR_THROW = "FromDocumentOrThrow"


class SpatialUnits(Enum):
    """What a radius is measured in."""

    KILOMETERS = "Kilometers"
    MILES = "Miles"


class SpatialRelation(Enum):
    """How a field and a shape must lie."""

    WITHIN = "Within"
    CONTAINS = "Contains"
    DISJOINT = "Disjoint"
    INTERSECTS = "Intersects"


class GroupByMethod(Enum):
    """Whether an array is one key, or each of its items is one."""

    NONE = "None"
    ARRAY = "Array"
