"""quoth: a client for the quoth document database, and for whatever speaks its protocol.

    from quoth import AsyncDocumentStore, DocumentStore

`DocumentStore` is for synchronous programs, `AsyncDocumentStore` for asynchronous ones; the same
sessions, operations and errors serve both.
"""

from quoth.asynchronous.cluster_transaction import AsyncClusterTransaction
from quoth.asynchronous.driving import AsyncLazy
from quoth.asynchronous.lines import AsyncLines
from quoth.asynchronous.query import (
    AsyncAggregationDocumentQuery,
    AsyncDocumentQuery,
    AsyncRawDocumentQuery,
    AsyncSuggestionDocumentQuery,
)
from quoth.asynchronous.request_executor import AsyncRequestExecutor
from quoth.asynchronous.session import AsyncSession
from quoth.asynchronous.store import AsyncDocumentStore
from quoth.batches import DeleteDocument, PatchDocument, PatchRequest, PutDocument
from quoth.changes import DocumentsChanges
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
    NoSuchDocument,
    NotSent,
    QuothError,
    ReplicationTimeout,
    StaleResults,
    Unassured,
    UnexpectedResults,
    Violation,
    WrongType,
)
from quoth.events import (
    AfterSaveChangesEventArgs,
    BeforeDeleteEventArgs,
    BeforeQueryEventArgs,
    BeforeStoreEventArgs,
)
from quoth.including import IncludeBuilder
from quoth.loading import ConditionalLoadResult
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
from quoth.options import (
    LoadBalanceBehavior,
    OptimisticConcurrencyMode,
    ReadBalanceBehavior,
    SessionOptions,
    TransactionMode,
)
from quoth.patching import JavaScriptArray, JavaScriptMap
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
from quoth.queries.streaming import (
    StreamQueryStatistics,
    StreamResult,
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
from quoth.synchronous.advanced import Advanced as InMemoryDocumentSessionOperations
from quoth.synchronous.cluster_transaction import ClusterTransaction
from quoth.synchronous.driving import Lazy
from quoth.synchronous.lines import Lines
from quoth.synchronous.query import (
    AggregationDocumentQuery,
    DocumentQuery,
    RawDocumentQuery,
    SuggestionDocumentQuery,
)
from quoth.synchronous.request_executor import RequestExecutor
from quoth.synchronous.session import Session
from quoth.synchronous.session import Session as DocumentSession
from quoth.synchronous.store import DocumentStore
from quoth.transport import AsyncTransport, HttpRequest, HttpResponse, Transport

__all__ = [
    "AfterSaveChangesEventArgs",
    "AggregationDocumentQuery",
    "AsyncAggregationDocumentQuery",
    "AsyncClusterTransaction",
    "AsyncDocumentQuery",
    "AsyncDocumentStore",
    "AsyncLazy",
    "AsyncLines",
    "AsyncRawDocumentQuery",
    "AsyncRequestExecutor",
    "AsyncSession",
    "AsyncSuggestionDocumentQuery",
    "AsyncTransport",
    "BadRequest",
    "BeforeDeleteEventArgs",
    "BeforeQueryEventArgs",
    "BeforeStoreEventArgs",
    "ClusterTransaction",
    "ClusterTransactionConflict",
    "CompareExchangeResult",
    "CompareExchangeValue",
    "ConcurrencyError",
    "ConditionalLoadResult",
    "Conventions",
    "CreateDatabase",
    "DatabaseDoesNotExist",
    "DeclareToken",
    "Definite",
    "DeleteCompareExchange",
    "DeleteDatabases",
    "DeleteDocument",
    "DocumentQuery",
    "DocumentSession",
    "DocumentStore",
    "DocumentsChanges",
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
    "InMemoryDocumentSessionOperations",
    "IncludeBuilder",
    "Indefinite",
    "IndexDoesNotExist",
    "IndexQuery",
    "IndexTimeout",
    "JavaScriptArray",
    "JavaScriptMap",
    "Lazy",
    "Lines",
    "LoadBalanceBehavior",
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
    "NoSuchDocument",
    "NotSent",
    "NullsOrdering",
    "OptimisticConcurrencyMode",
    "OrderingType",
    "PatchDocument",
    "PatchRequest",
    "PointField",
    "ProjectionBehavior",
    "PutCompareExchange",
    "PutDocument",
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
    "ReadBalanceBehavior",
    "ReplicationTimeout",
    "RequestExecutor",
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
    "StreamQueryStatistics",
    "StreamResult",
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
