"""quoth: a client for the quoth document database, and for whatever speaks its protocol.

    from quoth import AsyncDocumentStore, DocumentStore

`DocumentStore` is for synchronous programs, `AsyncDocumentStore` for asynchronous ones; the same
sessions, operations and errors serve both.
"""
# ruff: noqa: F405
# The operations come by one line, and each is named below.

from quoth.asynchronous.bulk_insert import AsyncBulkInsertOperation
from quoth.asynchronous.cluster_transaction import AsyncClusterTransaction
from quoth.asynchronous.driving import AsyncLazy
from quoth.asynchronous.lines import AsyncLines
from quoth.asynchronous.maintenance import (
    AsyncMaintenanceOperationExecutor,
    AsyncOperationExecutor,
    AsyncServerOperationExecutor,
)
from quoth.asynchronous.operation import AsyncOperation
from quoth.asynchronous.query import (
    AsyncAggregationDocumentQuery,
    AsyncDocumentQuery,
    AsyncRawDocumentQuery,
    AsyncSuggestionDocumentQuery,
)
from quoth.asynchronous.request_executor import AsyncRequestExecutor
from quoth.asynchronous.reservation import AsyncReservation
from quoth.asynchronous.sequences import AsyncSequence, AsyncSequences
from quoth.asynchronous.session import AsyncSession
from quoth.asynchronous.store import AsyncDocumentStore
from quoth.batches import DeleteDocument, PatchDocument, PatchRequest, PutDocument
from quoth.bulk_insert import BulkInsertOptions, BulkInsertProgress
from quoth.changes import DocumentsChanges
from quoth.commands import Command as MaintenanceOperation
from quoth.commands import Command as ServerOperation
from quoth.compare_exchange import CompareExchangeValue
from quoth.conventions import Conventions, ShouldIgnoreEntityChanges
from quoth.entities.numbers import SequenceNumber
from quoth.errors import (
    BadRequest,
    BulkInsertAborted,
    ClusterTransactionConflict,
    ConcurrencyError,
    DatabaseDisabled,
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
    OperationCanceled,
    OperationFailed,
    OperationTimeout,
    QuothError,
    ReplicationTimeout,
    SerializationConflict,
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
from quoth.indexes.creation import (
    AbstractIndexCreationTask,
    AbstractIndexCreationTaskBase,
    AbstractJavaScriptIndexCreationTask,
    AbstractMultiMapIndexCreationTask,
    IndexCreation,
)
from quoth.indexes.definitions import (
    FieldIndexing,
    FieldStorage,
    FieldTermVector,
    IndexDefinition,
    IndexDeploymentMode,
    IndexFieldOptions,
    IndexLockMode,
    IndexPriority,
    IndexRunningStatus,
    IndexState,
    IndexType,
    SearchEngineType,
)
from quoth.loading import ConditionalLoadResult
from quoth.mock_transport import MockTransport
from quoth.numbering import SessionSequences
from quoth.operations import *  # noqa: F403
from quoth.options import OptimisticConcurrencyMode, SessionOptions, TransactionMode
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
from quoth.queries.groups import GroupBy, GroupByDocumentQuery, GroupByField
from quoth.queries.highlighting import (
    ExplanationOptions,
    Explanations,
    HighlightingOptions,
    Highlightings,
)
from quoth.queries.index_query import IndexQuery, QueryResult, QueryStatistics, QueryTimings
from quoth.queries.methods import MethodCall, RavenDocumentQuery
from quoth.queries.more_like_this import (
    MoreLikeThisBuilder,
    MoreLikeThisOptions,
    MoreLikeThisUsingAnyDocument,
    MoreLikeThisUsingDocument,
)
from quoth.queries.projections import DeclareToken, LoadToken, QueryData
from quoth.queries.sources import Query
from quoth.queries.spatial import (
    DynamicSpatialField,
    PointField,
    SpatialCriteria,
    SpatialCriteriaFactory,
    WktField,
)
from quoth.queries.streaming import StreamQueryStatistics, StreamResult
from quoth.queries.suggestions import (
    StringDistanceTypes,
    SuggestionBuilder,
    SuggestionOptions,
    SuggestionResult,
    SuggestionSortMode,
    SuggestionWithTerm,
    SuggestionWithTerms,
)
from quoth.retrying import retry
from quoth.sequences import HeldNumbers, NumberState, SequenceInfo, TakenNumbers
from quoth.synchronous.advanced import Advanced as InMemoryDocumentSessionOperations
from quoth.synchronous.bulk_insert import BulkInsertOperation
from quoth.synchronous.cluster_transaction import ClusterTransaction
from quoth.synchronous.driving import Lazy
from quoth.synchronous.lines import Lines
from quoth.synchronous.maintenance import (
    MaintenanceOperationExecutor,
    OperationExecutor,
    ServerOperationExecutor,
)
from quoth.synchronous.operation import Operation
from quoth.synchronous.query import (
    AggregationDocumentQuery,
    DocumentQuery,
    RawDocumentQuery,
    SuggestionDocumentQuery,
)
from quoth.synchronous.request_executor import RequestExecutor
from quoth.synchronous.reservation import Reservation
from quoth.synchronous.sequences import Sequence, Sequences
from quoth.synchronous.session import Session
from quoth.synchronous.session import Session as DocumentSession
from quoth.synchronous.store import DocumentStore
from quoth.transport import AsyncTransport, HttpRequest, HttpResponse, Transport

__all__ = [
    "AbstractIndexCreationTask",
    "AbstractIndexCreationTaskBase",
    "AbstractJavaScriptIndexCreationTask",
    "AbstractMultiMapIndexCreationTask",
    "AfterSaveChangesEventArgs",
    "AggregationDocumentQuery",
    "AsyncAggregationDocumentQuery",
    "AsyncBulkInsertOperation",
    "AsyncClusterTransaction",
    "AsyncDocumentQuery",
    "AsyncDocumentStore",
    "AsyncLazy",
    "AsyncLines",
    "AsyncMaintenanceOperationExecutor",
    "AsyncOperation",
    "AsyncOperationExecutor",
    "AsyncRawDocumentQuery",
    "AsyncRequestExecutor",
    "AsyncReservation",
    "AsyncSequence",
    "AsyncSequences",
    "AsyncServerOperationExecutor",
    "AsyncSession",
    "AsyncSuggestionDocumentQuery",
    "AsyncTransport",
    "BadRequest",
    "BeforeDeleteEventArgs",
    "BeforeQueryEventArgs",
    "BeforeStoreEventArgs",
    "BulkInsertAborted",
    "BulkInsertOperation",
    "BulkInsertOptions",
    "BulkInsertProgress",
    "ClusterTransaction",
    "ClusterTransactionConflict",
    "CompareExchangeValue",
    "ConcurrencyError",
    "ConditionalLoadResult",
    "Conventions",
    "DatabaseDisabled",
    "DatabaseDoesNotExist",
    "DeclareToken",
    "Definite",
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
    "FieldIndexing",
    "FieldStorage",
    "FieldTermVector",
    "GenericRangeFacet",
    "GroupBy",
    "GroupByDocumentQuery",
    "GroupByField",
    "GroupByMethod",
    "HeldNumbers",
    "HighlightingOptions",
    "Highlightings",
    "HttpRequest",
    "HttpResponse",
    "InMemoryDocumentSessionOperations",
    "IncludeBuilder",
    "Indefinite",
    "IndexCreation",
    "IndexDefinition",
    "IndexDeploymentMode",
    "IndexDoesNotExist",
    "IndexFieldOptions",
    "IndexLockMode",
    "IndexPriority",
    "IndexQuery",
    "IndexRunningStatus",
    "IndexState",
    "IndexTimeout",
    "IndexType",
    "JavaScriptArray",
    "JavaScriptMap",
    "Lazy",
    "Lines",
    "LoadToken",
    "MaintenanceOperation",
    "MaintenanceOperationExecutor",
    "ManyResults",
    "MethodCall",
    "Misuse",
    "MockTransport",
    "MoreLikeThisBuilder",
    "MoreLikeThisOptions",
    "MoreLikeThisUsingAnyDocument",
    "MoreLikeThisUsingDocument",
    "NoResult",
    "NoSuchDocument",
    "NotSent",
    "NullsOrdering",
    "NumberState",
    "Operation",
    "OperationCanceled",
    "OperationExecutor",
    "OperationFailed",
    "OperationTimeout",
    "OptimisticConcurrencyMode",
    "OrderingType",
    "PatchDocument",
    "PatchRequest",
    "PointField",
    "ProjectionBehavior",
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
    "ReplicationTimeout",
    "RequestExecutor",
    "Reservation",
    "SearchEngineType",
    "SearchOperator",
    "Sequence",
    "SequenceInfo",
    "SequenceNumber",
    "Sequences",
    "SerializationConflict",
    "ServerOperation",
    "ServerOperationExecutor",
    "Session",
    "SessionOptions",
    "SessionSequences",
    "ShouldIgnoreEntityChanges",
    "SpatialCriteria",
    "SpatialCriteriaFactory",
    "SpatialRelation",
    "SpatialUnits",
    "StaleResults",
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
    "TakenNumbers",
    "TransactionMode",
    "Transport",
    "Unassured",
    "UnexpectedResults",
    "Violation",
    "WktField",
    "WrongType",
    "retry",
]
# Those of quoth.operations, in a list of their own: a test compares them.
# fmt: off
__all__ += [
    "AddClusterNodeOperation", "AddDatabaseNodeOperation", "BuildNumber", "BulkOperationResult",
    "ClientConfiguration", "ClusterLog", "ClusterMember", "ClusterPeer", "ClusterTopology",
    "ClusterTopologyResponse", "CollectionDetails", "CollectionStatistics", "CollectionStats",
    "CompareExchangeResult", "CreateDatabaseOperation", "DatabaseInfo", "DatabaseLockMode",
    "DatabaseNode", "DatabaseNodes", "DatabasePutResult", "DatabaseRecord",
    "DatabaseRecordWithEtag", "DatabaseSettings", "DatabaseStatistics", "DatabaseTopology",
    "DeleteByQueryOperation", "DeleteCompareExchangeValueOperation", "DeleteDatabaseOperation",
    "DeleteDatabaseParameters", "DeleteDatabaseResult", "DeleteIndexErrorsOperation",
    "DeleteIndexOperation", "DemoteClusterNodeOperation", "DetailedCollectionStatistics",
    "DetailedDatabaseStatistics", "DisableDatabaseToggleResult", "DisableIndexOperation",
    "EnableIndexOperation", "GetBuildNumberOperation", "GetClientConfigurationOperation",
    "GetClientConfigurationResult", "GetClusterLogOperation", "GetClusterTopologyOperation",
    "GetCollectionStatisticsOperation", "GetCompareExchangeValueOperation",
    "GetCompareExchangeValuesOperation", "GetDatabaseNamesOperation", "GetDatabaseRecordOperation",
    "GetDatabaseSettingsOperation", "GetDatabaseTopologyOperation", "GetDatabasesOperation",
    "GetDetailedCollectionStatisticsOperation", "GetDetailedStatisticsOperation",
    "GetIdentitiesOperation", "GetIndexErrorsOperation", "GetIndexNamesOperation",
    "GetIndexOperation", "GetIndexStalenessOperation", "GetIndexStatisticsOperation",
    "GetIndexesOperation", "GetIndexesStatisticsOperation", "GetIndexingStatusOperation",
    "GetJoinInfoOperation", "GetLicenseStatusOperation", "GetNextOperationIdCommand",
    "GetNodeInfoOperation", "GetOperationStateOperation",
    "GetServerWideClientConfigurationOperation", "GetServerWideOperationStateOperation",
    "GetStatisticsOperation", "GetTermsOperation", "IndexErrors", "IndexHasChangedOperation",
    "IndexInformation", "IndexStaleness", "IndexStats", "IndexStatus", "IndexingError",
    "IndexingStatus", "JoinInfo", "JsonPatchDocument", "JsonPatchOperation",
    "KillOperationCommand", "KillServerOperationCommand", "LoadBalanceBehavior",
    "ModifyDatabaseTopologyOperation", "ModifyDatabaseTopologyResult", "NextIdentityForOperation",
    "NodeInfo", "NodeStatus", "OperationIdResult", "OperationProgress", "OperationState",
    "OperationStatus", "PatchByQueryOperation", "PatchOperation", "PatchResult", "PatchStatus",
    "PromoteClusterNodeOperation", "PromoteDatabaseNodeOperation",
    "PutClientConfigurationOperation", "PutCompareExchangeValueOperation",
    "PutDatabaseSettingsOperation", "PutIndexResult", "PutIndexesOperation",
    "PutServerWideClientConfigurationOperation", "QueryOperationOptions", "ReadBalanceBehavior",
    "RemoveClusterNodeOperation", "ReorderDatabaseMembersOperation", "ReplaceIndexOperation",
    "ResetIndexOperation", "SeedIdentityForOperation", "SetDatabaseDynamicDistributionOperation",
    "SetDatabasesLockOperation", "SetIndexesLockOperation", "SetIndexesPriorityOperation", "Size",
    "StartIndexOperation", "StartIndexingOperation", "StopIndexOperation", "StopIndexingOperation",
    "ToggleDatabasesStateOperation", "ToggleManyDatabasesStateOperation",
    "UpdateDatabaseOperation", "UpdateUnusedDatabasesOperation",
]
# fmt: on
