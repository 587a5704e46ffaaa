"""quoth: a client for the quoth document database, and for whatever speaks its protocol.

    from quoth import AsyncDocumentStore, DocumentStore

`DocumentStore` is for synchronous programs, `AsyncDocumentStore` for asynchronous ones; the same
sessions, operations and errors serve both.
"""

from quoth.asynchronous.cluster_transaction import AsyncClusterTransaction
from quoth.asynchronous.driving import (
    AsyncLazy,
)
from quoth.asynchronous.query import (
    AsyncAggregationDocumentQuery,
    AsyncDocumentQuery,
    AsyncRawDocumentQuery,
    AsyncSuggestionDocumentQuery,
)
from quoth.asynchronous.session import AsyncSession
from quoth.compare_exchange import CompareExchangeValue
from quoth.conventions import Conventions, ShouldIgnoreEntityChanges
from quoth.errors import (
    BadRequest,
    ClusterTransactionConflict,
    ConcurrencyError,
    DatabaseDoesNotExist,
    Definite,
    FateUnknown,
    Indefinite,
    IndexDoesNotExist,
    IndexTimeout,
    ManyResults,
    Misuse,
    NoResult,
    NotSent,
    QuothError,
    ReplicationTimeout,
    StaleResults,
    Unassured,
    UnexpectedResults,
    Violation,
    WrongType,
)
from quoth.mock_transport import MockTransport
from quoth.operations import (
    CompareExchangeResult,
    CreateDatabase,
    DeleteCompareExchange,
    DeleteDatabases,
    GetCompareExchange,
    GetDatabaseNames,
    GetIdentities,
    GetStatistics,
    NextIdentityFor,
    PutCompareExchange,
    SeedIdentityFor,
    SeedIdentityForOperation,
    Statistics,
)
from quoth.options import SessionOptions, TransactionMode
from quoth.queries.choices import (
    GroupByMethod,
    NullsOrdering,
    OrderingType,
    ProjectionBehavior,
    QueryOperator,
    SearchOperator,
    SpatialRelation,
    SpatialUnits,
)
from quoth.queries.facets import (
    Facet,
    FacetAggregation,
    FacetAggregationField,
    FacetBuilder,
    FacetOptions,
    FacetResult,
    FacetTermSortMode,
    FacetValue,
    GenericRangeFacet,
    RangeBuilder,
    RangeFacet,
)
from quoth.queries.groups import (
    GroupBy,
    GroupByDocumentQuery,
    GroupByField,
)
from quoth.queries.highlighting import (
    ExplanationOptions,
    Explanations,
    HighlightingOptions,
    Highlightings,
)
from quoth.queries.index_query import (
    IndexQuery,
    QueryResult,
    QueryStatistics,
    QueryTimings,
)
from quoth.queries.methods import (
    MethodCall,
    RavenDocumentQuery,
)
from quoth.queries.more_like_this import (
    MoreLikeThisBuilder,
    MoreLikeThisOptions,
    MoreLikeThisUsingAnyDocument,
    MoreLikeThisUsingDocument,
)
from quoth.queries.projections import (
    DeclareToken,
    LoadToken,
    QueryData,
)
from quoth.queries.sources import (
    Query,
)
from quoth.queries.spatial import (
    DynamicSpatialField,
    PointField,
    SpatialCriteria,
    SpatialCriteriaFactory,
    WktField,
)
from quoth.queries.suggestions import (
    StringDistanceTypes,
    SuggestionBuilder,
    SuggestionOptions,
    SuggestionResult,
    SuggestionSortMode,
    SuggestionWithTerm,
    SuggestionWithTerms,
)
from quoth.store import AsyncDocumentStore
from quoth.sync_store import DocumentStore
from quoth.synchronous.cluster_transaction import ClusterTransaction
from quoth.synchronous.driving import (
    Lazy,
)
from quoth.synchronous.query import (
    AggregationDocumentQuery,
    DocumentQuery,
    RawDocumentQuery,
    SuggestionDocumentQuery,
)
from quoth.synchronous.session import Session
from quoth.transport import HttpRequest, HttpResponse, Transport

__all__ = [
    "AggregationDocumentQuery",
    "AsyncAggregationDocumentQuery",
    "AsyncClusterTransaction",
    "AsyncDocumentQuery",
    "AsyncDocumentStore",
    "AsyncLazy",
    "AsyncRawDocumentQuery",
    "AsyncSession",
    "AsyncSuggestionDocumentQuery",
    "BadRequest",
    "ClusterTransaction",
    "ClusterTransactionConflict",
    "CompareExchangeResult",
    "CompareExchangeValue",
    "ConcurrencyError",
    "Conventions",
    "CreateDatabase",
    "DatabaseDoesNotExist",
    "DeclareToken",
    "Definite",
    "DeleteCompareExchange",
    "DeleteDatabases",
    "DocumentQuery",
    "DocumentStore",
    "DynamicSpatialField",
    "ExplanationOptions",
    "Explanations",
    "Facet",
    "FacetAggregation",
    "FacetAggregationField",
    "FacetBuilder",
    "FacetOptions",
    "FacetResult",
    "FacetTermSortMode",
    "FacetValue",
    "FateUnknown",
    "GenericRangeFacet",
    "GetCompareExchange",
    "GetDatabaseNames",
    "GetIdentities",
    "GetStatistics",
    "GroupBy",
    "GroupByDocumentQuery",
    "GroupByField",
    "GroupByMethod",
    "HighlightingOptions",
    "Highlightings",
    "HttpRequest",
    "HttpResponse",
    "Indefinite",
    "IndexDoesNotExist",
    "IndexQuery",
    "IndexTimeout",
    "Lazy",
    "LoadToken",
    "ManyResults",
    "MethodCall",
    "Misuse",
    "MockTransport",
    "MoreLikeThisBuilder",
    "MoreLikeThisOptions",
    "MoreLikeThisUsingAnyDocument",
    "MoreLikeThisUsingDocument",
    "NextIdentityFor",
    "NoResult",
    "NotSent",
    "NullsOrdering",
    "OrderingType",
    "PointField",
    "ProjectionBehavior",
    "PutCompareExchange",
    "Query",
    "QueryData",
    "QueryOperator",
    "QueryResult",
    "QueryStatistics",
    "QueryTimings",
    "QuothError",
    "RangeBuilder",
    "RangeFacet",
    "RavenDocumentQuery",
    "RawDocumentQuery",
    "ReplicationTimeout",
    "SearchOperator",
    "SeedIdentityFor",
    "SeedIdentityForOperation",
    "Session",
    "SessionOptions",
    "ShouldIgnoreEntityChanges",
    "SpatialCriteria",
    "SpatialCriteriaFactory",
    "SpatialRelation",
    "SpatialUnits",
    "StaleResults",
    "Statistics",
    "StringDistanceTypes",
    "SuggestionBuilder",
    "SuggestionDocumentQuery",
    "SuggestionOptions",
    "SuggestionResult",
    "SuggestionSortMode",
    "SuggestionWithTerm",
    "SuggestionWithTerms",
    "TransactionMode",
    "Transport",
    "Unassured",
    "UnexpectedResults",
    "Violation",
    "WktField",
    "WrongType",
]
