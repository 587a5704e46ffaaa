"""quoth: a client for the quoth document database, and for whatever speaks its protocol.

    from quoth import AsyncDocumentStore, DocumentStore

`DocumentStore` is for synchronous programs, `AsyncDocumentStore` for asynchronous ones; the same
sessions, operations and errors serve both.
"""

from quoth.asynchronous.cluster_transaction import AsyncClusterTransaction
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
    IndexTimeout,
    Misuse,
    NotSent,
    QuothError,
    ReplicationTimeout,
    SerializationConflict,
    Unassured,
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
from quoth.retrying import retry
from quoth.store import AsyncDocumentStore
from quoth.sync_store import DocumentStore
from quoth.synchronous.cluster_transaction import ClusterTransaction
from quoth.synchronous.session import Session
from quoth.transport import HttpRequest, HttpResponse, Transport

__all__ = [
    "AsyncClusterTransaction",
    "AsyncDocumentStore",
    "AsyncSession",
    "BadRequest",
    "ClusterTransaction",
    "ClusterTransactionConflict",
    "CompareExchangeResult",
    "CompareExchangeValue",
    "ConcurrencyError",
    "Conventions",
    "CreateDatabase",
    "DatabaseDoesNotExist",
    "Definite",
    "DeleteCompareExchange",
    "DeleteDatabases",
    "DocumentStore",
    "FateUnknown",
    "GetCompareExchange",
    "GetDatabaseNames",
    "GetIdentities",
    "GetStatistics",
    "HttpRequest",
    "HttpResponse",
    "Indefinite",
    "IndexTimeout",
    "Misuse",
    "MockTransport",
    "NextIdentityFor",
    "NotSent",
    "PutCompareExchange",
    "QuothError",
    "ReplicationTimeout",
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
