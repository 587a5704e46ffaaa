"""Operations -> JSON, and the parts of a multi-get in and out."""

from typing import Any

import orjson

from quoth_node.database.operations import Values

# Names of official types, by which clients tell what a result is.
FAULT = "Raven.Client.Documents.Operations.OperationExceptionResult, Raven.Client"
BULK_RESULT = "Raven.Client.Documents.Operations.BulkOperationResult, Raven.Client"
DETERMINATE = "Raven.Client.Documents.Operations.DeterminateProgress, Raven.Client"
BULK_INSERT_PROGRESS = "Raven.Client.Documents.Operations.BulkInsertProgress, Raven.Client"


def operation_id(number: int, node_tag: str) -> bytes:
    """The answer to `GET /operations/next-operation-id`."""
    return orjson.dumps({"Id": number, "NodeTag": node_tag})


def fault(official: str, message: str, *, status: int) -> Values:
    """The result of an operation that failed: what an error body would say."""
    return {
        "$type": FAULT,
        "Type": official,
        "Message": message,
        "Error": f"{official}: {message}",
        "StatusCode": status,
        "ShouldPersist": False,
    }


def bulk_insert_progress(*, documents: int, batches: int, last_id: str | None) -> Values:
    """How far a bulk insert has come: what is counted is saved."""
    return {
        "$type": BULK_INSERT_PROGRESS,
        **_processed(documents),
        "BatchCount": batches,
        "LastProcessedId": last_id,
    }


def bulk_insert_result(*, documents: int) -> Values:
    """The result of a bulk insert that came to its end."""
    return {"$type": BULK_RESULT, **_processed(documents), "Details": [], "Query": None}


def determinate_progress(total: int, processed: int) -> Values:
    """How far something has come of which it is known how much there is."""
    return {"$type": DETERMINATE, "Total": total, "Processed": processed}


def changed_by_query(documents: int, *, query: str, details: list[dict[str, Any]]) -> Values:
    """The result of a query whose documents were deleted or patched."""
    result = {"$type": BULK_RESULT, **_processed(documents)}
    return {**result, "Details": details, "Query": query}


def _processed(documents: int) -> dict[str, Any]:
    return {
        "Total": documents,
        "DocumentsProcessed": documents,
        "AttachmentsProcessed": 0,
        "CountersProcessed": 0,
        "TimeSeriesProcessed": 0,
    }
