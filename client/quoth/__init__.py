"""quoth: a client for the quoth document database, and for whatever speaks its protocol.

    from quoth import AsyncDocumentStore, DocumentStore

`DocumentStore` is for synchronous programs, `AsyncDocumentStore` for asynchronous ones; the same
sessions, operations and errors serve both.
"""

from quoth.asynchronous.cluster_transaction import AsyncClusterTransaction
from quoth.asynchronous.driving import AsyncLazy
from quoth.asynchronous.lines import AsyncLines
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
    IndexTimeout,
    Misuse,
    NoSuchDocument,
    NotSent,
    QuothError,
    ReplicationTimeout,
    SerializationConflict,
    Unassured,
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
from quoth.options import OptimisticConcurrencyMode, SessionOptions, TransactionMode
from quoth.patching import JavaScriptArray, JavaScriptMap
from quoth.retrying import retry
from quoth.synchronous.advanced import Advanced as InMemoryDocumentSessionOperations
from quoth.synchronous.cluster_transaction import ClusterTransaction
from quoth.synchronous.driving import Lazy
from quoth.synchronous.lines import Lines
from quoth.synchronous.request_executor import RequestExecutor
from quoth.synchronous.session import Session
from quoth.synchronous.session import Session as DocumentSession
from quoth.synchronous.store import DocumentStore
from quoth.transport import AsyncTransport, HttpRequest, HttpResponse, Transport

__all__ = [
    "AfterSaveChangesEventArgs",
    "AsyncClusterTransaction",
    "AsyncDocumentStore",
    "AsyncLazy",
    "AsyncLines",
    "AsyncRequestExecutor",
    "AsyncSession",
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
    "Definite",
    "DeleteCompareExchange",
    "DeleteDatabases",
    "DeleteDocument",
    "DocumentSession",
    "DocumentStore",
    "DocumentsChanges",
    "FateUnknown",
    "GetCompareExchange",
    "GetDatabaseNames",
    "GetIdentities",
    "GetStatistics",
    "HttpRequest",
    "HttpResponse",
    "InMemoryDocumentSessionOperations",
    "IncludeBuilder",
    "Indefinite",
    "IndexTimeout",
    "JavaScriptArray",
    "JavaScriptMap",
    "Lazy",
    "Lines",
    "Misuse",
    "MockTransport",
    "NextIdentityFor",
    "NoSuchDocument",
    "NotSent",
    "OptimisticConcurrencyMode",
    "PatchDocument",
    "PatchRequest",
    "PutCompareExchange",
    "PutDocument",
    "QuothError",
    "ReplicationTimeout",
    "RequestExecutor",
    "SeedIdentityFor",
    "SeedIdentityForOperation",
    "SerializationConflict",
    "Session",
    "SessionOptions",
    "ShouldIgnoreEntityChanges",
    "Statistics",
    "TransactionMode",
    "Transport",
    "Unassured",
    "Violation",
    "WrongType",
    "retry",
]
